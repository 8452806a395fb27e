package task

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// SignalError is the cause that Run cancels main's context with when a signal comes.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return fmt.Sprintf("task: signal: %v", e.Signal) }

// RunOption configures Run.
type RunOption func(*runConfig)

type runConfig struct {
	loop    []reactor.Option
	signals []os.Signal
}

// WithLoopOptions sets the options of Run's loop.
func WithLoopOptions(opts ...reactor.Option) RunOption {
	return func(c *runConfig) { c.loop = append(c.loop, opts...) }
}

// WithSignals sets which signals cancel main's context, instead of SIGINT and SIGTERM; none for no
// handling. Run fails with an error matching syscall.EINVAL if one of them can't be caught.
func WithSignals(sig ...os.Signal) RunOption { return func(c *runConfig) { c.signals = sig } }

// Run makes a loop, runs main on it as the first task, on the calling goroutine, and returns main's
// error when main has returned and everything it left has been cancelled and has ended. ctx is
// main's parent; main, and what it starts, is no member of a Group that ctx carries.
//
// The first SIGINT or SIGTERM cancels main's context with a *SignalError; a second one ends the
// process as if Run did not handle it, also when a task stalls the loop. So does the first one when
// main has returned, and Run waits for what it has left: everything is cancelled by then, and a
// signal could only break that off.
//
// A task that calls runtime.Goexit, as testing's FailNow does, ends everything, and then Run calls
// runtime.Goexit.
// Run panics inside a loop.
func Run(ctx context.Context, main func(ctx context.Context) error, opts ...RunOption) error {
	if coro.CurrentPool() != nil {
		panic("task: Run inside a loop; start a task with Go or Spawn")
	}
	cfg := runConfig{signals: []os.Signal{os.Interrupt, syscall.SIGTERM}}
	for _, o := range opts {
		o(&cfg)
	}
	l, err := reactor.New(cfg.loop...)
	if err != nil {
		return err
	}
	var t *Task[struct{}]
	giveBack := func() bool { return false }
	if len(cfg.signals) > 0 {
		if giveBack, err = reactor.NextSignal(l, func(s os.Signal) { t.Cancel(&SignalError{s}) }, cfg.signals...); err != nil {
			return errors.Join(err, l.Close())
		}
	}
	t = Spawn(reactor.WithLoop(ctx, l), main, Name("main"), ofRoot)
	t.OnDone(future.Inline, func(struct{}, error) {
		giveBack() // there is nothing left that a signal could cancel
		l.Close()  // on the loop: begins that
	})
	returned := false
	defer func() {
		if !returned {
			t.body.tellNobody(t.TryResult())
		}
	}()
	// until closed, or somebody stops it
	l.Run(context.Background())
	returned = true
	closing := l.Close()
	if _, err := t.TryResult(); err != nil {
		return err
	}
	return closing
}

// tellNobody reports what main has ended with, when Run ends by a Goexit, and so can't return it.
// The loop has ended. A task that has called Goexit needs no report: the caller's end tells.
func (b *body[T]) tellNobody(_ T, err error) {
	if err == nil || errors.Is(err, ErrGoexit) || b.scope.explains(err) {
		return
	}
	b.home().core.Report(loop.Exception{Op: "task", Name: b.name(), Err: err, Site: b.site()})
}

// ofRoot makes a task one of its loop's root group. It is for one whose setting is its own, since
// its context is not a scope, and that was started by a call that returns its error.
func ofRoot(j *job) {
	j.scope.setting.group = nil
	j.scope.traits &^= daemon
}
