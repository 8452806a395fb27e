package reactor

import (
	"errors"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Close ends the loop. It cancels the loop's context, every task, and what AtClose has registered.
// Then it goes on running the loop until all of that has ended, offloaded work has too, and nothing
// is ready to run; closes what is left open; and refuses everything from then on. Each second it
// logs how many tasks, and what else, it waits for. What is still queued for a later time is
// dropped.
//
// On the loop itself, and in an Observer's Stalled, it only begins that and returns nil; Done tells
// the end. Anywhere else it returns when all is done, so work that was given to Offload must not
// wait for it; a task of another loop calls it through task.Blocking. If nobody runs the loop,
// Close does so on the calling goroutine, as Run would. A second Close waits for the first. The
// error joins those of closing what was left open.
func (l *Loop) Close() error {
	alone, within := l.core.BeginClosing(), l.within()
	switch {
	case alone && (within || coro.CurrentPool() != nil):
		l.core.World().Go(l.closeAlone) // on a loop's goroutine no other loop can run
	case alone:
		l.closeAlone()
	}
	if within {
		return nil
	}
	<-l.done
	return l.failed
}

// within reports whether the end of the loop waits for its caller.
func (l *Loop) within() bool { return l.InLoop() || l.watchdog.tells() }

// Done is closed when Close has finished.
func (l *Loop) Done() <-chan struct{} { return l.done }

// closeAlone closes a loop that nobody runs.
func (l *Loop) closeAlone() { l.drive(l.shutdown) }

// shutdown unwinds everything, and refuses everything from then on. It is called by the goroutine
// that runs the loop. After a runtime.Goexit it is called again, and goes on.
func (l *Loop) shutdown() {
	if l.core.Closed() {
		return
	}
	l.core.Unwind()
	l.core.BeginClosing()
	if deaf := l.core.Deaf(); deaf != nil && l.cause == ErrClosed {
		l.cause = fmt.Errorf("%w: %w", ErrClosed, deaf)
		l.fail(deaf)
	}
	l.core.Cancel(l.cause)
	for {
		l.unwind()
		l.core.CloseLocals(l.fail)
		l.core.Coroutines().ReportLosses()
		if l.core.Shut() {
			l.watchers.clear()
			return
		}
	}
}

// fail notes an error for Close to return.
func (l *Loop) fail(err error) { l.failed = errors.Join(l.failed, err) }

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
	l.fail(l.core.ClosePoller())
	if l.watchdog != nil {
		l.watchdog.close()
	}
	close(l.done)
}

// unwind runs turns until nothing holds the loop and nothing is ready to run.
func (l *Loop) unwind() {
	const every = time.Second
	clock := l.core.World()
	warn := clock.Now() + every
	for {
		cancelled := l.core.RunClosing()
		l.core.GoOn()
		limit := every
		if !l.core.Held() {
			if cancelled && l.core.Idle() {
				return
			}
			limit = 0
		}
		l.core.Turn(limit)
		if now := clock.Now(); now >= warn {
			warn = now + every
			if who := l.core.Holders(); who != "" {
				l.core.Logger().Warn("reactor: Close is waiting", "for", who)
			}
		}
	}
}
