package coro

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/gid"
)

// The states of a wait. From waiting it is moved by one compare-and-swap, to woken by who completes, or to cancelled by who
// cancels: the two never both succeed.
const (
	idle uint32 = iota
	waiting
	woken
	cancelled
)

// Waiter is one wait of whoever called Here: a coroutine, or a plain goroutine.
type Waiter struct {
	state atomic.Uint32
	coro  *Coro         // nil for a plain goroutine
	wake  chan struct{} // a plain goroutine's; holds one
}

// goroutines holds the Waiters of plain goroutines for reuse. One is put back only when nobody can claim it any more.
var goroutines = sync.Pool{New: func() any { return &Waiter{wake: make(chan struct{}, 1)} }}

// Carrier is a context that knows the pool whose coroutine it was made for. It saves Here a look into the registry;
// it decides nothing, since contexts are passed to other goroutines.
type Carrier interface{ CoroPool() *Pool }

// Here returns a Waiter for the calling goroutine: the coroutine's that runs on it, whatever ctx says; otherwise one
// that blocks the goroutine. It fails with the cause if ctx is done. On a goroutine that runs a callback of a
// loop it panics, naming op, since to wait there would stop the loop.
//
// The caller ends each Waiter it was given with Release.
func Here(ctx context.Context, op string) (*Waiter, error) {
	c := currentBy(ctx)
	if c == nil {
		c = MustWait(op)
	}
	if ctx.Err() != nil {
		return nil, Cause(ctx)
	}
	if c != nil {
		c.waiter.state.Store(waiting)
		return &c.waiter, nil
	}
	w := goroutines.Get().(*Waiter)
	w.state.Store(waiting)
	return w, nil
}

// MustWait returns the coroutine that the caller runs in, nil in a plain goroutine. In a callback of a loop it panics, naming op.
func MustWait(op string) *Coro {
	p := lookup()
	if p == nil {
		return nil
	}
	if p.coro == nil {
		panic(op + " in a loop callback would stop the loop; use OnDone, or start a task with task.Go")
	}
	return p.coro
}

// currentBy is the fast answer to "who runs here": if the coroutine that ctx's loop resumed last is the calling
// goroutine, it is what runs, whatever task ctx belongs to. Otherwise nil, which decides nothing.
func currentBy(ctx context.Context) *Coro {
	if k, ok := ctx.(Carrier); ok {
		if p := k.CoroPool(); p != nil && p.current.Load() == uintptr(gid.Self()) {
			return p.running
		}
	}
	return nil
}

// Yield lets everything else that is ready run first, in a coroutine; in a plain goroutine it is runtime.Gosched. It fails,
// and does not yield, with the cause if ctx is done. In a loop's callback it panics, naming op.
//
// It does all of that in one frame: after a coroutine switch the processor mispredicts each return to a caller.
func Yield(ctx context.Context, op string) error {
	c := currentBy(ctx)
	if c == nil {
		w, err := Here(ctx, op)
		if err != nil {
			return err
		}
		c = w.coro
		w.Release()
		if c == nil {
			runtime.Gosched()
			return nil
		}
	} else if ctx.Err() != nil {
		return Cause(ctx)
	}
	c.mark()
	c.pool.ready(c)
	c.Suspend()
	return nil
}

// CurrentBy is Current with a context that may know the answer.
func CurrentBy(ctx context.Context) *Coro {
	if c := currentBy(ctx); c != nil {
		return c
	}
	return Current()
}

// Coro returns the coroutine that waits, nil for a plain goroutine.
func (w *Waiter) Coro() *Coro { return w.coro }

// Wait suspends until the wait has been claimed and woken (nil), or ctx is done and no claim came first (its cause).
//
// It is Begin, Suspend and End. A caller on a hot path writes those himself: after a coroutine switch each return to a caller is
// mispredicted, and finds a stack that is cold, so each frame between the caller's loop and the switch costs.
func (w *Waiter) Wait(ctx context.Context) error {
	w.Begin(ctx).Suspend()
	return w.End(ctx)
}

// Begin prepares the wait, and returns the coroutine that is to be suspended next; nil for a plain goroutine, which End blocks.
func (w *Waiter) Begin(ctx context.Context) *Coro {
	c := w.coro
	if c == nil {
		return nil
	}
	c.await = ctx
	c.mark()
	if c.covered != ctx { // what is covered is a pointer, so this compares at most pointers
		if c.job.Covers(ctx) {
			c.covered = ctx
		} else {
			c.watch(ctx)
		}
	}
	return c
}

// End returns what Wait does.
func (w *Waiter) End(ctx context.Context) error {
	c := w.coro
	if c == nil {
		return w.block(ctx)
	}
	c.await = nil
	if w.state.Load() == cancelled {
		return Cause(ctx)
	}
	return nil
}

// block is Wait for a plain goroutine.
func (w *Waiter) block(ctx context.Context) error {
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
	}
	if w.state.CompareAndSwap(waiting, cancelled) {
		return Cause(ctx)
	}
	<-w.wake // claimed already: the result came first, and its Wake is under way
	return nil
}

// Claim reports whether the caller is the one who ends the wait. It is called under the mutex of what is awaited,
// and followed by Wake after the unlock.
func (w *Waiter) Claim() bool { return w.state.CompareAndSwap(waiting, woken) }

// Wake lets a claimed waiter go on. Any goroutine may call it.
func (w *Waiter) Wake() {
	if w.coro != nil {
		w.coro.pool.post(w.coro)
		return
	}
	w.wake <- struct{}{}
}

// Release ends the use of w, which is on no list any more.
func (w *Waiter) Release() {
	if w.state.Load() == waiting { // it never waited; and a Load is much cheaper than a Store
		w.state.Store(idle)
	}
	if w.coro == nil {
		goroutines.Put(w)
	}
}

// Cause returns why ctx is done: an error that matches both context.Cause(ctx) and ctx.Err().
func Cause(ctx context.Context) error {
	err, cause := ctx.Err(), context.Cause(ctx)
	if cause == nil {
		return err
	}
	if errors.Is(cause, err) {
		return cause
	}
	return &cancelError{cause: cause, err: err}
}

// cancelError is a cancellation with a cause of its own.
type cancelError struct{ cause, err error }

func (e *cancelError) Error() string   { return e.cause.Error() }
func (e *cancelError) Unwrap() []error { return []error{e.cause, e.err} }
