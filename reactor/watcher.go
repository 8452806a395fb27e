package reactor

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/corobridge/corobridge/internal/poll"
)

// watcher is the level-triggered registration behind AddReader and AddWriter.
type watcher struct {
	source *Source
	reader func()
	writer func()
}

func (w *watcher) want() (e Events) {
	if w.reader != nil {
		e |= Readable
	}
	if w.writer != nil {
		e |= Writable
	}
	return e
}

func (w *watcher) set(dir Events, fn func()) {
	if dir == Readable {
		w.reader = fn
	} else {
		w.writer = fn
	}
}

// Ready calls the reader and then the writer, each looked up again: the first may remove the second.
func (w *watcher) Ready(e Events) {
	l := w.source.loop
	if e&(Readable|ReadHangup|Hangup|Error) != 0 {
		if fn := l.watched(w, Readable); fn != nil {
			fn()
		}
	}
	if e&(Writable|Hangup|Error) != 0 {
		if fn := l.watched(w, Writable); fn != nil {
			fn()
		}
	}
}

func (l *Loop) watched(w *watcher, dir Events) func() {
	l.life.Lock()
	defer l.life.Unlock()
	if dir == Readable {
		return w.reader
	}
	return w.writer
}

// AddReader calls fn on the loop each time the loop has looked for events and found fd readable, at its end, or broken:
// level-triggered, as asyncio's add_reader. It replaces an earlier reader of fd, and keeps its writer. It returns ErrClosed on a loop
// that is closed or closing, or wraps the system call's error: EBADF for a closed descriptor, EPERM for a regular file.
func (l *Loop) AddReader(fd int, fn func()) error { return l.addWatch(fd, Readable, fn) }

// AddWriter is AddReader for writing.
func (l *Loop) AddWriter(fd int, fn func()) error { return l.addWatch(fd, Writable, fn) }

// RemoveReader ends AddReader and reports whether there was a reader. It comes before fd is closed. On the loop, the reader
// is not called any more; outside, a call may be under way.
func (l *Loop) RemoveReader(fd int) bool { return l.removeWatch(fd, Readable) }

// RemoveWriter ends AddWriter and reports whether there was a writer.
func (l *Loop) RemoveWriter(fd int) bool { return l.removeWatch(fd, Writable) }

func (l *Loop) addWatch(fd int, dir Events, fn func()) error {
	if fn == nil {
		panic("reactor: AddReader and AddWriter need a function")
	}
	l.life.Lock()
	defer l.life.Unlock()
	if l.closing.Load() {
		return ErrClosed
	}
	w := l.watchers[fd]
	if w == nil {
		return l.newWatch(fd, dir, fn)
	}
	before := *w
	w.set(dir, fn)
	err := l.poller.Modify(fd, w.source.tag, w.want(), poll.Level)
	if errors.Is(err, syscall.ENOENT) { // the number is another file's by now: the watched one was closed
		delete(l.watchers, fd)
		w.source.leave()
		return l.newWatch(fd, dir, fn)
	}
	if err != nil {
		*w = before
		return fmt.Errorf("reactor: watch descriptor %d: %w", fd, err)
	}
	w.source.want = w.want()
	return nil
}

func (l *Loop) newWatch(fd int, dir Events, fn func()) error {
	w := &watcher{}
	w.set(dir, fn)
	w.source = &Source{loop: l, fd: fd, handler: w} // before the first event can come
	if err := w.source.register(dir, poll.Level); err != nil {
		return err
	}
	l.watchers[fd] = w
	return nil
}

func (l *Loop) removeWatch(fd int, dir Events) bool {
	l.life.Lock()
	defer l.life.Unlock()
	w := l.watchers[fd]
	if w == nil || w.want()&dir == 0 {
		return false
	}
	w.set(dir, nil)
	if w.want() == 0 {
		delete(l.watchers, fd)
		w.source.Detach() // the descriptor may be closed already: nothing is left to undo then
		return true
	}
	w.source.want = w.want()
	l.poller.Modify(fd, w.source.tag, w.want(), poll.Level)
	return true
}
