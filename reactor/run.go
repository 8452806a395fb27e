package reactor

import (
	"context"
	"runtime"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Run runs the loop on the calling goroutine until Stop (it returns nil), Close (ErrClosed), or the end of ctx (its
// cause). What is queued then stays queued for the next Run. On a loop that is closed, or closing, it returns ErrClosed at once. If the
// loop closes by itself, its poller having failed for a second, the error matches ErrClosed and wraps the poller's, which Close returns
// too.
//
// A task or a callback that calls runtime.Goexit, as testing's FailNow does, ends the loop: every task is cancelled and awaited,
// the loop is closed, and Run itself calls runtime.Goexit.
//
// It panics when the loop is running already, or when the caller runs on a loop itself.
func (l *Loop) Run(ctx context.Context) error {
	coro.MustNotNest()
	if err := l.begin(); err != nil {
		return err
	}
	unwatch := l.stopWith(ctx)
	l.drive(func() {
		defer unwatch() // before somebody else can run the loop
		l.serve()
	})
	switch {
	case l.isClosed():
		return l.cause
	case ctx.Err() != nil:
		return coro.Cause(ctx)
	default:
		return nil
	}
}

// stopWith makes the end of ctx stop the loop. unwatch undoes that, so that an end that comes late stops no later run.
func (l *Loop) stopWith(ctx context.Context) (unwatch func()) {
	if ctx.Err() != nil {
		l.Stop()
	}
	stopped := make(chan struct{})
	stop := l.world.AfterFunc(ctx, func() {
		defer close(stopped)
		l.Stop()
	})
	return func() {
		if !stop() {
			<-stopped
			l.stop.Store(false)
		}
	}
}

// drive runs the loop on its caller's goroutine, which turns does. A runtime.Goexit that comes through it, or that a
// task has called, goes on in the caller when the loop has been closed.
//
// Each of the deferred calls may meet another Goexit; the next one runs all the same.
func (l *Loop) drive(turns func()) {
	returned := false
	defer l.finish()
	defer l.coros.Enter()()
	if l.meter != nil {
		l.meter.resume(l)
	}
	defer l.coros.Bury()
	defer l.coros.Drain()
	defer func() {
		if !returned {
			throwOn(recover())
			l.shutdownThroughout()
		}
	}()
	turns()
	if l.goexit {
		runtime.Goexit()
	}
	returned = true
}

// throwOn goes on with a panic that has left the loop's frame. Those of callbacks have been caught: it is a bug of the loop's
// own.
func throwOn(v any) {
	if v != nil {
		panic(v)
	}
}

// serve runs turns until somebody wants the loop to stop, and closes it if that was why. After a runtime.Goexit it is called
// again, and goes on.
func (l *Loop) serve() {
	for !l.ending {
		l.turn(-1)
		if l.goexit {
			return
		}
		if l.stop.Load() {
			break
		}
	}
	l.rest()
}

// rest is the end of a run: what was written is flushed, and a loop that is closing is closed.
func (l *Loop) rest() {
	l.flushes.run(l, "flush")
	l.stop.Store(false)
	if l.closing.Load() {
		l.shutdown()
	}
}

// Start runs the loop on a goroutine of its own, until Stop or Close. That goroutine is replaced when a callback
// calls runtime.Goexit. It returns ErrClosed on a closed loop, and panics when the loop is running already.
func (l *Loop) Start() error { return l.start(func() {}) }

// start is Start that calls then when the run has ended.
func (l *Loop) start(then func()) error {
	if err := l.begin(); err != nil {
		return err
	}
	l.world.Go(func() { l.background(then) })
	return nil
}

func (l *Loop) background(then func()) {
	over := false
	defer func() {
		if over {
			defer then()
			l.finish()
			return
		}
		throwOn(recover())
		l.world.Go(func() { l.background(then) }) // the Goexit took this goroutine only
	}()
	defer l.coros.Enter()()
	if l.meter != nil {
		l.meter.resume(l)
	}
	for l.serve(); l.goexit; l.serve() {
		l.goexit = false // a task's Goexit ends the task
		l.coros.Reap()
	}
	l.coros.Drain()
	l.coros.WaitReaped()
	over = true
}

// Turn runs exactly one turn on the calling goroutine. If nothing is there to be done at once it waits, at most timeout
// (negative: no bound), for something to do; what a call from another goroutine brings then runs in the next turn.
// It panics as Run does, returns its error on a closed loop, and treats runtime.Goexit as Run does.
func (l *Loop) Turn(timeout time.Duration) error {
	coro.MustNotNest()
	if err := l.begin(); err != nil {
		return err
	}
	l.drive(func() {
		l.pace.items = 0
		done := l.stats.Callbacks + l.stats.Timers
		l.oneTurn = true
		l.work()
		l.oneTurn = false
		if done != l.stats.Callbacks+l.stats.Timers {
			timeout = 0
		}
		l.visit(timeout)
		l.endTurn()
		l.rest()
	})
	if l.isClosed() {
		return l.cause
	}
	return nil
}

func (l *Loop) isClosed() bool {
	l.life.Lock()
	defer l.life.Unlock()
	return l.closed
}

// Stop makes Run, or the goroutine of Start, return after the current turn. If the loop does not run, the next Run
// makes one turn that does not wait.
func (l *Loop) Stop() {
	l.stop.Store(true)
	l.nudge()
}

// begin claims the loop for a goroutine that will run it.
func (l *Loop) begin() error {
	l.life.Lock()
	defer l.life.Unlock()
	if l.closing.Load() {
		return ErrClosed
	}
	if l.running {
		panic("reactor: the loop is running already; give it work by CallSoon or task.Go, or end that run with Stop first")
	}
	l.running = true
	return nil
}

// finish gives the loop up. A Close that came after the last turn, and so relied on the loop, is carried out now: here, since
// coroutines are bound to a thread if this goroutine is.
func (l *Loop) finish() {
	l.life.Lock()
	if l.meter != nil {
		l.meter.pause(l)
	}
	l.answerAll()
	closed := l.closed
	late := l.closing.Load() && !closed
	l.running = late
	l.life.Unlock() // from here on another goroutine may run the loop, unless it is late or closed
	switch {
	case late:
		l.closeAlone()
	case closed:
		l.seal()
	}
}
