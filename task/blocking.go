package task

import (
	"context"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// Blocking runs fn on the loop's bounded pool of goroutines and suspends the calling task until it
// has returned, so that what blocks a goroutine, a database call, a file, a channel, does not block
// the loop.
//
// If ctx ends first, Blocking returns its cause at once. If fn has not begun, since all goroutines
// of the pool are busy, it never runs. If it has, its context is cancelled with ctx; fn goes on
// until it returns, and closing the loop waits for that, so fn should not touch variables that the
// task uses after a cancellation. A panic of fn is a *PanicError, and runtime.Goexit in it
// ErrGoexit. What fn returns after a cancellation nobody is told; a panic goes to the loop's
// exception handler.
//
// In a plain goroutine it just calls fn, unless ctx is done: it returns when fn does, and a panic
// of fn is the caller's. In a callback of a loop it panics.
func Blocking[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	var none T
	w, err := coro.Here(ctx, "task: Blocking")
	if err != nil {
		return none, err
	}
	c := w.Coro()
	w.Release()
	if c == nil {
		return fn(ctx)
	}
	f, p := future.New[T]()
	inner, cancel := context.WithCancelCause(ctx)
	withdraw, err := loopOf(c).Owner().(*reactor.Loop).Offload(func() {
		defer cancel(nil)
		p.CompleteBy(func() (T, error) { return fn(inner) })
	}, nil)
	if err != nil {
		cancel(err)
		return none, err
	}
	v, err := f.Await(ctx)
	if withdraw() {
		cancel(nil)
	} else if err != nil && ctx.Err() != nil {
		reportLate(loopOf(c), f, err)
	}
	return v, err
}

// reportLate sees to it that a panic that f has is reported, unless that is err, which its only
// waiter was told.
func reportLate[T any](l *loop.Core, f *future.Future[T], err error) {
	f.OnDone(future.Inline, func(_ T, late error) {
		if p, ok := late.(*PanicError); ok && err != late {
			l.Post(posted(func() { l.Report(loop.Exception{Op: "blocking", Err: p}) }))
		}
	})
}

// Wait awaits anything that has Wait() error, an errgroup.Group or an exec.Cmd, in a goroutine of
// its own, so that the loop goes on. If ctx ends first it returns the cause; that goroutine then
// goes on until w's Wait returns. If a task has called Wait, closing its loop waits for that
// goroutine; if a plain goroutine has, nobody does. In a callback of a loop it panics.
//
// For a *Group no goroutine is needed, and none is left.
func Wait(ctx context.Context, w interface{ Wait() error }) error {
	if g, ok := w.(*Group); ok {
		return g.wait(ctx)
	}
	here, err := coro.Here(ctx, "task: Wait")
	if err != nil {
		return err
	}
	c := here.Coro()
	here.Release()
	release := func() {}
	if c != nil {
		if release, err = loopOf(c).Hold("task.Wait"); err != nil {
			return err
		}
	}
	f, p := future.New[struct{}]()
	coro.Go(func() {
		defer release()
		p.CompleteBy(func() (struct{}, error) { return struct{}{}, w.Wait() })
	})
	if _, err = f.Await(ctx); err != nil && c != nil && ctx.Err() != nil {
		reportLate(loopOf(c), f, err)
	}
	return err
}
