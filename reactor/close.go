package reactor

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Close ends the loop. It cancels the loop's context, every task, and what AtClose has registered, goes on running the
// loop until all of it has ended, every Hold is released and nothing is ready to run, closes what is left open, and then refuses
// everything. Each second it logs how many tasks, and which Holds, it waits for, or which callback queues itself again and again by
// Post, which works until the end. What is still queued for a later time is dropped.
//
// On the loop itself, and in an Observer's Stalled, it only begins that and returns nil; Done tells the end. Anywhere else it returns
// when all is done, so work that was given to Offload, or that has a Hold, must not wait for it; a task of another loop calls it
// through task.Blocking. If nobody runs the loop, Close does so on the calling goroutine, as Run would. A second Close waits for
// the first. The error joins those of closing what was left open.
func (l *Loop) Close() error {
	alone, within := l.beginClosing(), l.within()
	switch {
	case alone && (within || coro.CurrentPool() != nil):
		l.world.Go(l.closeAlone) // on a loop's goroutine no other loop can run
	case alone:
		l.closeAlone()
	}
	if within {
		return nil
	}
	<-l.done
	return l.loc.err
}

// within reports whether the end of the loop waits for its caller.
func (l *Loop) within() bool { return l.InLoop() || l.watchdog.tells() }

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
	l.root.cancel(l.cause)
	for {
		l.unwind()
		l.loc.closeAll(l)
		l.coros.ReportLosses()
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
		cancelled := l.cancelAll()
		l.stop.Store(false)
		limit := every
		if !l.held() {
			if cancelled && l.idle() {
				return
			}
			limit = 0
		}
		l.turn(limit)
		if now := l.clock.Now(); now >= warn {
			warn = now + every
			if who := l.holders(); who != "" {
				l.logger.Warn("reactor: Close is waiting", "for", who)
			}
		}
	}
}

// cancelAll calls what AtClose has registered, the latest first, and reports whether that is all. It is not when something registers
// itself again and again.
func (l *Loop) cancelAll() bool {
	const atOnce = 1 << 10
	for range atOnce {
		fn := l.takeCancel()
		if fn == nil {
			return true
		}
		l.guarded("at close", *fn)
	}
	return false
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

// holders names whom Close waits for, "" if that is nobody.
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
	if len(count) == 0 {
		return l.restless()
	}
	var who []string
	for _, name := range slices.Sorted(maps.Keys(count)) {
		who = append(who, fmt.Sprintf("%d × %s", count[name], name))
	}
	return strings.Join(who, ", ")
}

// restless names what keeps a loop that nobody holds from coming to rest, "" if nothing does. It is called with life locked.
func (l *Loop) restless() string {
	switch {
	case len(l.cancels) > 0:
		return "AtClose, registered again and again"
	case l.idle():
		return ""
	case l.ready.empty() || l.scheduler != nil:
		return "callbacks, queued again and again"
	}
	r := l.ready.first()
	return describe("callback", nameOf(r), r) + ", queued again and again"
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
	if !l.closed {
		l.cancels = append(l.cancels, h)
	}
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
