package reactor

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Close ends the loop. It cancels the loop's context, every task, and what AtClose has registered, goes on running the
// loop until all of it has ended and every Hold is released, closes what is left open, and then refuses everything. Each
// second it logs whom it waits for. What is still queued for a later time is dropped.
//
// On the loop itself it only begins that and returns; Done tells the end. Anywhere else it returns when all
// is done. A second Close waits for the first. The error joins those of closing what was left open.
func (l *Loop) Close() error {
	alone := l.beginClosing()
	if l.InLoop() {
		return nil
	}
	switch {
	case alone && coro.CurrentPool() == nil:
		l.closeAlone()
	case alone:
		go l.closeAlone()
	}
	<-l.done
	return l.loc.err
}

// Done is closed when Close has finished.
func (l *Loop) Done() <-chan struct{} { return l.done }

// beginClosing makes the loop stop and close. It reports whether nobody runs the loop who would do that.
func (l *Loop) beginClosing() (alone bool) {
	l.life.Lock()
	first := l.closing.CompareAndSwap(false, true)
	alone = first && !l.running
	if alone {
		l.running = true
	}
	l.life.Unlock()
	l.Stop()
	return alone
}

// closeAlone closes a loop that nobody runs, on the goroutine that called Close unless that runs another loop.
func (l *Loop) closeAlone() {
	defer l.coros.Enter()()
	l.shutdown()
}

// shutdown unwinds everything and closes the loop. It is called by the goroutine that runs it.
func (l *Loop) shutdown() {
	if l.closed {
		return
	}
	l.beginClosing()
	l.root.cancel(ErrClosed)
	l.cancelAll()
	l.unwind()
	l.loc.closeAll()
	for !l.shut() {
		l.unwind()
	}
	l.coros.Drain()
	l.coros.WaitReaped()
	l.poller.Close()
	close(l.done)
}

func (l *Loop) cancelAll() {
	l.life.Lock()
	cancels := l.cancels
	l.cancels = nil
	l.life.Unlock()
	for _, h := range slices.Backward(cancels) {
		if !h.gone {
			l.runHook(h)
		}
	}
}

// unwind runs turns until nothing holds the loop and nothing is ready to run.
func (l *Loop) unwind() {
	const every = time.Second
	next := l.clock.Now() + every
	for {
		l.stop.Store(false)
		who := l.waitsFor()
		limit := every
		if who == "" {
			limit = 0
			if len(l.ready) == 0 && !l.door.mail.Load() && len(l.flushes) == 0 {
				return
			}
		}
		l.turn(limit)
		if now := l.clock.Now(); now >= next {
			next = now + every
			if who = l.waitsFor(); who != "" {
				l.logger.Warn("reactor: Close is waiting", "for", who)
			}
		}
	}
}

// shut refuses everything from now on, unless something has come in the meantime.
func (l *Loop) shut() bool {
	l.door.mu.Lock()
	defer l.door.mu.Unlock()
	if len(l.door.inbox) > 0 || len(l.ready) > 0 {
		return false
	}
	l.closed = true
	return true
}

// waitsFor names what Close has to wait for, "" for nothing.
func (l *Loop) waitsFor() string {
	l.life.Lock()
	defer l.life.Unlock()
	var who string
	if n := l.coros.Live(); n > 0 {
		who = fmt.Sprintf("%d tasks", n)
	}
	for h := range l.holds {
		if who != "" {
			who += ", "
		}
		who += h.name
	}
	return who
}

type hold struct{ name string }

// Hold keeps Close waiting until release is called, from any goroutine. name says in the log whom Close waits for. It returns
// ErrClosed on a closed loop.
func (l *Loop) Hold(name string) (release func(), err error) {
	l.life.Lock()
	defer l.life.Unlock()
	select {
	case <-l.done:
		return nil, ErrClosed
	default:
	}
	h := &hold{name}
	l.holds[h] = struct{}{}
	return func() {
		l.life.Lock()
		delete(l.holds, h)
		l.life.Unlock()
		l.Post(callback(func() {})) // so that a Close that waits looks again
	}, nil
}

// AtClose registers fn to be called on the loop when Close begins, to cancel what would keep it waiting. The latest
// registered is called first. remove undoes the registration.
func (l *Loop) AtClose(fn func()) (remove func()) {
	h := &hook{fn: fn}
	l.life.Lock()
	defer l.life.Unlock()
	l.cancels = append(l.cancels, h)
	return func() {
		l.life.Lock()
		defer l.life.Unlock()
		l.cancels = slices.DeleteFunc(l.cancels, func(k *hook) bool { return k == h })
	}
}

// locals are the values that packages keep for a loop.
type locals struct {
	mu     sync.Mutex
	values map[any]any
	order  []any
	err    error // of closing them; written before Done is closed
}

// Local returns the loop's value for key, which init makes at the first call. A value that is an io.Closer is closed, on
// the loop, by Close, after all tasks have ended and before the loop refuses everything; the latest made first. init must not call Local.
func (l *Loop) Local(key any, init func() any) any {
	l.loc.mu.Lock()
	defer l.loc.mu.Unlock()
	v, ok := l.loc.values[key]
	if !ok {
		v = init()
		if l.loc.values == nil {
			l.loc.values = map[any]any{}
		}
		l.loc.values[key] = v
		l.loc.order = append(l.loc.order, v)
	}
	return v
}

func (s *locals) closeAll() {
	s.mu.Lock()
	order := s.order
	s.order = nil
	s.mu.Unlock()
	for _, v := range slices.Backward(order) {
		if c, ok := v.(io.Closer); ok {
			s.err = errors.Join(s.err, c.Close())
		}
	}
}
