package reactor

import (
	"context"
	"runtime"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Run runs the loop on the calling goroutine until Stop (it returns nil), Close (ErrClosed), or the end of ctx (its
// cause). What is queued then stays queued for the next Run.
//
// A task that calls runtime.Goexit, as testing's FailNow does, ends the run: every task is cancelled and awaited, the
// loop is closed, and Run itself calls runtime.Goexit.
//
// It panics when the loop is running already, or when the caller runs on a loop itself.
func (l *Loop) Run(ctx context.Context) error {
	if err := l.begin(); err != nil {
		return err
	}
	leave := l.coros.Enter()
	unwatch := context.AfterFunc(ctx, l.Stop)
	defer unwatch()

	returned := false
	defer func() { // runs also when a callback has called runtime.Goexit
		if !returned {
			if v := recover(); v != nil {
				panic(v) // a bug of the loop's own: callbacks' panics have been caught
			}
			l.shutdown()
		}
		l.coros.Drain()
		leave()
		l.finish()
	}()
	l.serve()
	if l.goexit {
		l.beginClosing()
		l.shutdown()
		returned = true
		runtime.Goexit()
	}
	returned = true
	switch {
	case l.closed:
		return ErrClosed
	case ctx.Err() != nil:
		return coro.Cause(ctx)
	default:
		return nil
	}
}

// serve runs turns until somebody wants the loop to stop.
func (l *Loop) serve() {
	for {
		l.turn(-1)
		if l.goexit {
			return
		}
		if l.stop.Load() {
			break
		}
	}
	l.stop.Store(false)
	if l.closing.Load() {
		l.shutdown()
	}
}

// Start runs the loop on a goroutine of its own, until Stop or Close. That goroutine is replaced when a callback
// calls runtime.Goexit. It returns ErrClosed on a closed loop, and panics when the loop is running already.
func (l *Loop) Start() error {
	if err := l.begin(); err != nil {
		return err
	}
	go l.background()
	return nil
}

func (l *Loop) background() {
	returned := false
	defer func() {
		if returned {
			l.finish()
			return
		}
		if v := recover(); v != nil {
			panic(v) // a bug of the loop's own: callbacks' panics have been caught
		}
		go l.background() // the Goexit took this goroutine only
	}()
	defer l.coros.Enter()()
	l.deliver() // what a Goexit left undelivered
	for {
		l.serve()
		if !l.goexit {
			break
		}
		l.goexit = false // a task's Goexit ends the task
	}
	l.coros.Drain()
	returned = true
}

// Turn runs exactly one turn on the calling goroutine, waiting at most timeout (negative: no bound) for something to do.
// It panics as Run does, and returns ErrClosed on a closed loop.
func (l *Loop) Turn(timeout time.Duration) error {
	if err := l.begin(); err != nil {
		return err
	}
	leave := l.coros.Enter()
	defer func() {
		leave()
		l.finish()
	}()
	l.pace.items = 0
	l.turn(timeout)
	l.stop.Store(false)
	if l.closing.Load() {
		l.shutdown()
		return ErrClosed
	}
	return nil
}

// Stop makes Run, or the goroutine of Start, return after the current turn. If the loop does not run, the next Run
// makes one turn.
func (l *Loop) Stop() {
	l.stop.Store(true)
	l.nudge()
}

// begin claims the loop for a goroutine that will run it.
func (l *Loop) begin() error {
	l.life.Lock()
	defer l.life.Unlock()
	if l.running {
		panic("reactor: the loop is running already")
	}
	if l.closing.Load() {
		return ErrClosed
	}
	l.running = true
	return nil
}

// finish gives the loop up. A Close that came after the last turn, and so relied on the loop, is carried out now.
func (l *Loop) finish() {
	l.life.Lock()
	l.running = false
	late := l.closing.Load() && !l.closed
	l.running = late
	l.life.Unlock()
	if late {
		go l.closeAlone()
	}
}
