package coro

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/corobridge/corobridge/internal/gid"
)

// The states of a wait.
//
//	from                      to         by
//	idle, woken, cancelled    waiting    the waiter, when it begins: it is in no line then
//	waiting                   woken      a giver that claims it, under the mutex; compare-and-swap
//	waiting                   cancelled  the end of its context; compare-and-swap
//	waiting                   idle       the waiter, when it leaves without having waited
//
// So a wait is ended once, by a giver or by its context, and never by both. A waiter that is not
// waiting can't be claimed.
const (
	idle uint32 = iota
	waiting
	woken
	cancelled
)

// Waiter is one wait of whoever called: a coroutine, or a plain goroutine. A coroutine has one
// Waiter for its life, a goroutine one for each wait.
type Waiter struct {
	state uint32 // atomic, except for the first store: nobody else knows the wait yet
	asked bool   // the coroutine is resumed to tell its stack; touched on the loop
	jobs  uint16 // that the coroutine has ended, modulo 65536: see Tenant
	coro  *Coro  // nil for a plain goroutine, whose Waiter is part of a blocker

	next, prev *Waiter // in a Line, guarded by its mutex; prev is nil in a Claimed
}

// Terms is what is waited for, or was given, as the owner of a Line understands it. It is guarded
// by the mutex of the line until the waiter is woken, and then the waiter's. The next wait finds
// what this one has left.
type Terms struct {
	Count  int64
	Parcel any
}

// blocker is the Waiter of a plain goroutine.
type blocker struct {
	Waiter
	wake  chan struct{} // holds one
	terms Terms
}

// Terms returns those of the wait. They lie apart from the rest of w, since few waits have any.
func (w *Waiter) Terms() *Terms {
	if w.coro != nil {
		return &w.coro.terms
	}
	return &w.blocker().terms
}

func (w *Waiter) blocker() *blocker { return (*blocker)(unsafe.Pointer(w)) }

// blockers are kept for reuse. One is put back only when nobody can claim it any more.
var blockers = sync.Pool{New: func() any { return &blocker{wake: make(chan struct{}, 1)} }}

// Carrier is a context that knows the pool whose coroutine it was made for. It saves Here a look
// into the registry; it decides nothing, since contexts are passed to other goroutines.
type Carrier interface{ CoroPool() *Pool }

// Here returns a Waiter for the calling goroutine: the coroutine's that runs on it, whatever ctx
// says; otherwise one that blocks the goroutine. It fails with the cause if ctx is done. In a
// callback of a loop it panics, naming op, since to wait there would stop the loop.
//
// It is for a wait that only one thing can end, such as a timer, and that needs no Line. The caller
// ends each Waiter it was given with Release.
func Here(ctx context.Context, op string) (*Waiter, error) {
	c := Who(ctx, op)
	if ctx.Err() != nil {
		return nil, Cause(ctx)
	}
	return waiterOf(c), nil
}

// Who, asked by an operation that may wait, returns its caller: the coroutine, or nil for a plain
// goroutine. In a callback of a loop it panics, naming op. ctx may know the answer, and does not
// decide it.
func Who(ctx context.Context, op string) *Coro {
	if c := currentBy(ctx); c != nil {
		return c
	}
	c, callback := caller()
	if callback {
		refuse(op)
	}
	return c
}

// caller returns the coroutine that calls, nil in a callback of a loop and in a plain goroutine.
func caller() (c *Coro, callback bool) {
	if p := lookup(); p != nil {
		return p.coro, p.coro == nil
	}
	return nil, false
}

func refuse(op string) {
	panic(op + " in a loop callback would stop the loop; use OnDone, or start a task with task.Go")
}

// waiterOf returns the Waiter of c, or if that is nil one for the calling goroutine, ready to wait.
func waiterOf(c *Coro) *Waiter {
	if c == nil {
		return newBlocker()
	}
	c.waiter.state = waiting // the mutex that guards the line shows it to others
	return &c.waiter
}

func newBlocker() *Waiter {
	b := blockers.Get().(*blocker)
	b.state = waiting
	return &b.Waiter
}

// currentBy is the fast answer to "who runs here": if the coroutine that ctx's loop resumed last
// is the calling goroutine, it is what runs, whatever task ctx belongs to. Otherwise nil, which
// decides nothing.
func currentBy(ctx context.Context) *Coro {
	if k, ok := ctx.(Carrier); ok {
		if p := k.CoroPool(); p != nil && p.current.Load() == uintptr(gid.Self()) {
			return p.running
		}
	}
	return nil
}

// Yield lets everything else that is ready run first, in a coroutine; in a plain goroutine it is
// runtime.Gosched. It fails, and does not yield, with the cause if ctx is done. In a loop's
// callback it panics, naming op.
//
// It does all of that in one frame: after a coroutine switch the processor mispredicts each return
// to a caller.
func Yield(ctx context.Context, op string) error {
	c := currentBy(ctx)
	if c == nil {
		c = Who(ctx, op)
	}
	if ctx.Err() != nil {
		return Cause(ctx)
	}
	if c == nil {
		runtime.Gosched()
		return nil
	}
	c.mark()
	c.pool.queue.Push(c)
	c.Suspend()
	if c.waiter.asked {
		c.resumed()
	}
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

// Wait suspends until the wait has been claimed and woken (nil), or ctx is done and no claim came
// first (its cause). on is what is waited for, to those who look inside: its String may be called
// at any time, on any goroutine.
//
// It is Begin, Suspend and End. A hot path calls those itself: after a coroutine
// switch each return to a caller is mispredicted, and finds a stack that is cold, so each frame
// between the caller's loop and the switch costs.
func (w *Waiter) Wait(ctx context.Context, on fmt.Stringer) error {
	w.Begin(ctx, on).Suspend()
	return w.End(ctx)
}

// Begin prepares the wait, and returns the coroutine that is to be suspended next; nil for a plain
// goroutine, which End blocks.
func (w *Waiter) Begin(ctx context.Context, on fmt.Stringer) *Coro {
	c := w.coro
	if c == nil {
		return nil
	}
	c.await, c.on = ctx, on
	c.mark()
	if ctx != c.covered { // which is a pointer: to compare it with a context of any type is safe
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
	if w.asked {
		c.resumed()
	}
	c.await = nil
	if atomic.LoadUint32(&w.state) == cancelled {
		return Cause(ctx)
	}
	return nil
}

// block is Wait for a plain goroutine.
func (w *Waiter) block(ctx context.Context) error {
	wake := w.blocker().wake
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
	}
	if atomic.CompareAndSwapUint32(&w.state, waiting, cancelled) {
		return Cause(ctx)
	}
	<-wake // claimed already: the result came first, and its Wake is under way
	return nil
}

// Claim reports whether the caller is the one who ends the wait. It is called under the mutex of
// what is awaited, and followed by Wake after the unlock.
func (w *Waiter) Claim() bool { return atomic.CompareAndSwapUint32(&w.state, waiting, woken) }

// Wake lets a claimed waiter go on. Any goroutine may call it.
func (w *Waiter) Wake() {
	if w.coro != nil {
		w.coro.pool.queue.Post(w.coro)
		return
	}
	w.blocker().wake <- struct{}{}
}

// Release ends the use of w, which is on no list any more.
func (w *Waiter) Release() {
	if atomic.LoadUint32(&w.state) == waiting { // it never waited
		atomic.StoreUint32(&w.state, idle)
	}
	if w.coro == nil {
		blockers.Put(w.blocker())
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

// cancelError is a cancellation with a cause of its own. It is one error and joins none: the
// cause, which is an err as well.
type cancelError struct{ cause, err error }

func (e *cancelError) Error() string        { return e.cause.Error() }
func (e *cancelError) Unwrap() error        { return e.cause }
func (e *cancelError) Is(target error) bool { return errors.Is(e.err, target) }
func (e *cancelError) As(target any) bool   { return errors.As(e.err, target) }
