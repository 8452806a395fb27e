package reactor

import (
	"fmt"

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

// AddReader calls fn on the loop in every turn in which fd is readable, at its end, or broken: level-triggered, as asyncio's
// add_reader. It replaces an earlier reader of fd, and keeps its writer.
func (l *Loop) AddReader(fd int, fn func()) error { return l.addWatch(fd, Readable, fn) }

// AddWriter is AddReader for writing.
func (l *Loop) AddWriter(fd int, fn func()) error { return l.addWatch(fd, Writable, fn) }

// RemoveReader ends AddReader and reports whether there was a reader.
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
	fresh := w == nil
	if fresh {
		w = &watcher{}
	}
	before := *w
	if dir == Readable {
		w.reader = fn
	} else {
		w.writer = fn
	}
	if fresh {
		w.source = &Source{loop: l, fd: fd, handler: w} // before the first event can come
		if err := w.source.register(w.want(), poll.Level); err != nil {
			return err
		}
		l.watchers[fd] = w
		return nil
	}
	if w.want() == before.want() {
		return nil
	}
	if err := l.poller.Modify(fd, w.source.tag, w.want(), poll.Level); err != nil {
		*w = before
		return fmt.Errorf("reactor: watch descriptor %d: %w", fd, err)
	}
	return nil
}

func (l *Loop) removeWatch(fd int, dir Events) bool {
	l.life.Lock()
	defer l.life.Unlock()
	w := l.watchers[fd]
	if w == nil || w.want()&dir == 0 {
		return false
	}
	if dir == Readable {
		w.reader = nil
	} else {
		w.writer = nil
	}
	if w.want() == 0 {
		delete(l.watchers, fd)
		w.source.Detach() // the descriptor may be closed already: nothing is left to undo then
		return true
	}
	l.poller.Modify(fd, w.source.tag, w.want(), poll.Level)
	return true
}
