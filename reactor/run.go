package reactor

import (
	"context"
	"runtime"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Run runs the loop on the calling goroutine until Stop (it returns nil), Close (ErrClosed), or the
// end of ctx (its cause). What is queued then stays queued for the next Run. On a loop that is
// closed, or closing, it returns ErrClosed at once. If the loop closes by itself, its poller having
// failed for a second, the error matches ErrClosed and wraps the poller's, which Close returns too.
//
// A task or a callback that calls runtime.Goexit, as testing's FailNow does, ends the loop: every
// task is cancelled and awaited, the loop is closed, and Run itself calls runtime.Goexit.
//
// It panics when the loop is running already, or when the caller runs on a loop itself.
func (l *Loop) Run(ctx context.Context) error {
	coro.MustNotNest()
	if err := l.core.Claim(); err != nil {
		return err
	}
	unwatch := l.stopWith(ctx)
	l.drive(func() {
		defer unwatch() // before somebody else can run the loop
		l.serve()
	})
	switch {
	case l.core.Closed():
		return l.cause
	case ctx.Err() != nil:
		return coro.Cause(ctx)
	default:
		return nil
	}
}

// stopWith makes the end of ctx stop the loop. unwatch undoes that, so that an end that comes late
// stops no later run.
func (l *Loop) stopWith(ctx context.Context) (unwatch func()) {
	if ctx.Err() != nil {
		l.Stop()
	}
	stopped := make(chan struct{})
	stop := l.core.World().AfterFunc(ctx, func() {
		defer close(stopped)
		l.Stop()
	})
	return func() {
		if !stop() {
			<-stopped
			l.core.GoOn()
		}
	}
}

// drive runs the loop, by calling turns, on its caller's goroutine. A runtime.Goexit that comes
// through turns, or that a task has called, goes on in the caller when the loop has been closed.
//
// Each of the deferred calls may meet another Goexit; the next one runs all the same.
func (l *Loop) drive(turns func()) {
	returned := false
	pool := l.core.Coroutines()
	defer l.finish()
	defer l.core.Enter()()
	defer pool.Bury()
	defer pool.Drain()
	defer func() {
		if !returned {
			throwOn(recover())
			l.shutdownThroughout()
		}
	}()
	turns()
	if l.core.Exited() {
		runtime.Goexit()
	}
	returned = true
}

// throwOn goes on with a panic that has left the loop's frame. Those of callbacks have been caught:
// it is a bug of the loop's own.
func throwOn(v any) {
	if v != nil {
		panic(v)
	}
}

// serve runs turns until somebody wants the loop to stop, and closes it if that was why. After a
// runtime.Goexit it is called again, and goes on.
func (l *Loop) serve() {
	for !l.core.Unwinding() {
		l.core.Turn(-1)
		if l.core.Exited() {
			return
		}
		if l.core.Stopping() {
			break
		}
	}
	l.rest()
}

// rest is the end of a run: what was written is flushed, and a loop that is closing is closed.
func (l *Loop) rest() {
	l.core.Flush()
	l.core.GoOn()
	if l.core.Closing() {
		l.shutdown()
	}
}

// Start runs the loop on a goroutine of its own, until Stop or Close. That goroutine is replaced
// when a callback calls runtime.Goexit. It returns ErrClosed on a closed loop, and panics when the
// loop is running already.
func (l *Loop) Start() error { return l.start(func() {}) }

// start is Start that calls then when the run has ended.
func (l *Loop) start(then func()) error {
	if err := l.core.Claim(); err != nil {
		return err
	}
	l.core.World().Go(func() { l.background(then) })
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
		l.core.World().Go(func() { l.background(then) }) // the Goexit took this goroutine only
	}()
	defer l.core.Enter()()
	pool := l.core.Coroutines()
	for l.serve(); l.core.Exited(); l.serve() {
		l.core.ForgetExit() // a task's Goexit ends the task
		pool.Reap()
	}
	pool.Drain()
	pool.WaitReaped()
	over = true
}

// Turn runs exactly one turn on the calling goroutine. If there is nothing to be done at once it
// waits for something, at most timeout (negative: no bound); what a call from another goroutine
// brings then runs in the next turn. It panics as Run does, returns Run's error on a closed loop,
// and treats runtime.Goexit as Run does.
func (l *Loop) Turn(timeout time.Duration) error {
	return l.stepped(func() { l.core.Step(timeout) })
}

// stepped runs the loop for as long as turns does.
func (l *Loop) stepped(turns func()) error {
	coro.MustNotNest()
	if err := l.core.Claim(); err != nil {
		return err
	}
	l.drive(func() {
		turns()
		l.rest()
	})
	if l.core.Closed() {
		return l.cause
	}
	return nil
}

// Stop makes Run, or the goroutine of Start, return after the current turn. If the loop does not
// run, the next Run makes one turn that does not wait.
func (l *Loop) Stop() { l.core.Stop() }

// finish gives the loop up. A Close that came after the last turn, and so relied on the loop, is
// carried out now: here, since coroutines are bound to a thread if this goroutine is.
func (l *Loop) finish() {
	switch closed, late := l.core.Release(); {
	case late:
		l.closeAlone()
	case closed:
		l.seal()
	}
}
