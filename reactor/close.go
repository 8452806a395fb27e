package reactor

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Close ends the loop. It cancels the loop's context, every task, and what AtClose has registered, goes on running the
// loop until all of it has ended and every Hold is released, closes what is left open, and then refuses everything. Each
// second it logs how many tasks, and which Holds, it waits for. What is still queued for a later time is dropped.
//
// On the loop itself it only begins that and returns nil; Done tells the end. Anywhere else it returns when all
// is done, so work that was given to Offload, or that has a Hold, must not wait for it; a task of another loop calls it
// through task.Blocking. If nobody runs the loop, Close does so on the calling goroutine, as Run would. A second Close waits for
// the first. The error joins those of closing what was left open.
func (l *Loop) Close() error {
	alone := l.beginClosing()
	if l.InLoop() {
		return nil
	}
	switch {
	case alone && coro.CurrentPool() == nil:
		l.closeAlone()
	case alone:
		go l.closeAlone() // on a loop's goroutine no other loop can run
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

// closeAlone closes a loop that nobody runs.
func (l *Loop) closeAlone() { l.drive(l.shutdown) }

// shutdown unwinds everything, and refuses everything from then on. It is called by the goroutine that runs the loop. After a
// runtime.Goexit it is called again, and goes on.
func (l *Loop) shutdown() {
	if l.closed {
		return
	}
	l.ending = true
	l.beginClosing()
	l.root.cancel(ErrClosed)
	for {
		l.unwind()
		l.loc.closeAll(l)
		if l.shut() {
			return
		}
	}
}

// shutdownThroughout is shutdown that goes on when a callback calls runtime.Goexit.
func (l *Loop) shutdownThroughout() {
	returned := false
	defer func() {
		if !returned {
			throwOn(recover())
			l.shutdownThroughout()
		}
	}()
	l.shutdown()
	returned = true
}

// seal is the last thing that is done to a loop, when all of its coroutines have ended.
func (l *Loop) seal() {
	l.loc.err = errors.Join(l.loc.err, l.poller.Close())
	if l.watchdog != nil {
		l.watchdog.close()
	}
	close(l.done)
}

// unwind runs turns until nothing holds the loop and nothing is ready to run.
func (l *Loop) unwind() {
	const every = time.Second
	warn := l.clock.Now() + every
	for {
		l.cancelAll()
		l.stop.Store(false)
		limit := every
		if !l.held() {
			if l.idle() {
				return
			}
			limit = 0
		}
		l.turn(limit)
		if now := l.clock.Now(); now >= warn {
			warn = now + every
			if l.held() {
				l.logger.Warn("reactor: Close is waiting", "for", l.holders())
			}
		}
	}
}

// cancelAll calls what AtClose has registered, the latest first.
func (l *Loop) cancelAll() {
	for fn := l.takeCancel(); fn != nil; fn = l.takeCancel() {
		l.guarded("at close", *fn)
	}
}

func (l *Loop) takeCancel() *func() {
	l.life.Lock()
	defer l.life.Unlock()
	n := len(l.cancels)
	if n == 0 {
		return nil
	}
	fn := l.cancels[n-1]
	l.cancels = slices.Delete(l.cancels, n-1, n)
	return fn
}

// held reports whether Close has to wait for somebody.
func (l *Loop) held() bool {
	l.life.Lock()
	defer l.life.Unlock()
	return l.coros.Live() > 0 || len(l.holds) > 0
}

// holders names whom Close waits for.
func (l *Loop) holders() string {
	l.life.Lock()
	defer l.life.Unlock()
	count := map[string]int{}
	if n := l.coros.Live(); n > 0 {
		count["task"] = n
	}
	for h := range l.holds {
		count[h.name]++
	}
	var who []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		who = append(who, fmt.Sprintf("%d × %s", count[name], name))
	}
	return strings.Join(who, ", ")
}

// idle reports whether a turn would find nothing to do at once.
func (l *Loop) idle() bool {
	return l.ready.empty() && !l.door.mail.Load() && l.flushes.empty() && l.ends.empty() && l.foundAt == len(l.found)
}

// shut refuses everything from now on, unless something has come in the meantime.
func (l *Loop) shut() bool {
	l.life.Lock()
	defer l.life.Unlock()
	l.door.mu.Lock()
	defer l.door.mu.Unlock()
	if !l.idle() || l.coros.Live() > 0 || len(l.holds) > 0 || len(l.cancels) > 0 {
		return false
	}
	l.closed = true
	l.timers.drop()
	clear(l.watchers)
	return true
}

type hold struct{ name string }

// Hold keeps Close waiting until release is called, from any goroutine; a second release does nothing. name says in the log whom Close
// waits for. While the loop is closing it can still be held, by what unwinds; on a closed loop Hold returns ErrClosed.
func (l *Loop) Hold(name string) (release func(), err error) {
	l.life.Lock()
	defer l.life.Unlock()
	if l.closed {
		return nil, ErrClosed
	}
	h := &hold{name}
	l.holds[h] = struct{}{}
	return func() {
		l.life.Lock()
		delete(l.holds, h)
		l.life.Unlock()
		if l.closing.Load() {
			l.Post(callback(func() {})) // a Close that waits looks again
		}
	}, nil
}

// AtClose registers fn to be called on the loop when Close begins, to cancel what would keep it waiting; soon, if Close
// has begun; never, if the loop is closed. The latest registered is called first. remove, from any goroutine, undoes the registration.
func (l *Loop) AtClose(fn func()) (remove func()) {
	h := &fn
	l.life.Lock()
	l.cancels = append(l.cancels, h)
	l.life.Unlock()
	if l.closing.Load() {
		l.Post(callback(func() {})) // it is looked at again
	}
	return func() {
		l.life.Lock()
		defer l.life.Unlock()
		l.cancels = slices.DeleteFunc(l.cancels, func(k *func()) bool { return k == h })
	}
}

// locals are the values that packages keep for a loop.
type locals struct {
	mu     sync.Mutex
	values map[any]any
	open   []io.Closer
	err    error // of closing them; written before Done is closed
}

// Local returns the loop's value for key, which init makes at the first call. A value that is an io.Closer is closed, on
// the loop, by Close, after all tasks have ended and before the loop refuses everything; the latest made first. A value made on a
// closed loop is not closed. init must not call Local.
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
		if c, ok := v.(io.Closer); ok {
			l.loc.open = append(l.loc.open, c)
		}
	}
	return v
}

func (s *locals) closeAll(l *Loop) {
	for c := s.take(); c != nil; c = s.take() {
		l.guarded("close", func() {
			if err := c.Close(); err != nil {
				s.err = errors.Join(s.err, err)
			}
		})
	}
}

// take removes the latest that is open, nil if there is none.
func (s *locals) take() io.Closer {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.open)
	if n == 0 {
		return nil
	}
	c := s.open[n-1]
	s.open = slices.Delete(s.open, n-1, n)
	return c
}
