package reactor

import (
	"errors"
	"fmt"
	"sync"
	"syscall"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
)

// watchers are the descriptors of AddReader and AddWriter.
type watchers struct {
	mu  sync.Mutex
	all map[int]*watcher
}

// watcher is the level-triggered registration of one of them. Its functions are guarded by the
// watchers' mutex.
type watcher struct {
	of     *watchers
	source loop.Source
	reader func()
	writer func()
}

func (w *watcher) want() (e poll.Events) {
	if w.reader != nil {
		e |= poll.Readable
	}
	if w.writer != nil {
		e |= poll.Writable
	}
	return e
}

func (w *watcher) set(dir poll.Events, fn func()) {
	if dir == poll.Readable {
		w.reader = fn
	} else {
		w.writer = fn
	}
}

func (w *watcher) get(dir poll.Events) func() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	if dir == poll.Readable {
		return w.reader
	}
	return w.writer
}

// Ready calls the reader and then the writer, each looked up again: the first may remove the
// second.
func (w *watcher) Ready(e poll.Events) {
	if e&(poll.Readable|poll.ReadHangup|poll.Hangup|poll.Error) != 0 {
		if fn := w.get(poll.Readable); fn != nil {
			fn()
		}
	}
	if e&(poll.Writable|poll.Hangup|poll.Error) != 0 {
		if fn := w.get(poll.Writable); fn != nil {
			fn()
		}
	}
}

// Calls is part of loop.Calling.
func (w *watcher) Calls() (op string, fn any) {
	for _, dir := range []poll.Events{poll.Readable, poll.Writable} {
		if fn := w.get(dir); fn != nil {
			return "", fn
		}
	}
	return "", nil
}

// AddReader calls fn on the loop each time the loop has looked for events and found fd readable, at
// its end, or broken: level-triggered, as asyncio's add_reader. It replaces an earlier reader of
// fd, and keeps its writer. It returns ErrClosed on a loop that is closed or closing, or wraps the
// system call's error: EBADF for a closed descriptor, EPERM for a regular file.
func (l *Loop) AddReader(fd int, fn func()) error { return l.addWatch(fd, poll.Readable, fn) }

// AddWriter is AddReader for writing.
func (l *Loop) AddWriter(fd int, fn func()) error { return l.addWatch(fd, poll.Writable, fn) }

// RemoveReader ends AddReader and reports whether there was a reader. It comes before fd is closed.
// On the loop, the reader is not called any more; outside, a call may be under way.
func (l *Loop) RemoveReader(fd int) bool { return l.watchers.remove(fd, poll.Readable) }

// RemoveWriter ends AddWriter and reports whether there was a writer.
func (l *Loop) RemoveWriter(fd int) bool { return l.watchers.remove(fd, poll.Writable) }

func (l *Loop) addWatch(fd int, dir poll.Events, fn func()) error {
	if fn == nil {
		panic("reactor: AddReader and AddWriter need a function")
	}
	if l.core.Closing() {
		return ErrClosed
	}
	return l.watchers.add(&l.core, fd, dir, fn)
}

func (all *watchers) add(c *loop.Core, fd int, dir poll.Events, fn func()) error {
	all.mu.Lock()
	defer all.mu.Unlock()
	w := all.all[fd]
	if w == nil {
		return all.begin(c, fd, dir, fn)
	}
	reader, writer := w.reader, w.writer
	w.set(dir, fn)
	err := w.source.Change(w.want())
	// The number is another file's by now: the watched one was closed.
	if errors.Is(err, syscall.ENOENT) {
		delete(all.all, fd)
		w.source.Forget()
		return all.begin(c, fd, dir, fn)
	}
	if err != nil {
		w.reader, w.writer = reader, writer
		return fmt.Errorf("reactor: watch descriptor %d: %w", fd, err)
	}
	return nil
}

func (all *watchers) begin(c *loop.Core, fd int, dir poll.Events, fn func()) error {
	w := &watcher{of: all}
	w.set(dir, fn) // before the first event can come
	if err := w.source.Watch(c, fd, w, dir); err != nil {
		return err
	}
	if all.all == nil {
		all.all = map[int]*watcher{}
	}
	all.all[fd] = w
	return nil
}

func (all *watchers) remove(fd int, dir poll.Events) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	w := all.all[fd]
	if w == nil || w.want()&dir == 0 {
		return false
	}
	w.set(dir, nil)
	if w.want() == 0 {
		delete(all.all, fd)
		w.source.Detach() // the descriptor may be closed already: nothing is left to undo then
	} else {
		w.source.Change(w.want())
	}
	return true
}

// clear forgets all of them, when the loop has ended.
func (all *watchers) clear() {
	all.mu.Lock()
	defer all.mu.Unlock()
	clear(all.all)
}
