package future

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// PanicError carries a recovered panic and the stack it had.
type PanicError = coro.PanicError

var (
	ErrPending   = errors.New("future: result is not there yet") // TryResult, too early
	ErrCancelled = errors.New("future: cancelled")               // Cancel without a cause
	ErrNone      = errors.New("future: nothing to choose from")  // Race of nothing
	ErrGoexit    = coro.ErrGoexit                                // the producer called runtime.Goexit
)

// Future is the reading side of a result that will be there later. Its methods may be called from any goroutine. The
// zero Future is pending for ever: New makes one together with its Promise.
type Future[T any] struct {
	done atomic.Bool // val and err may be read
	seen atomic.Bool // err has been given to somebody

	mu    sync.Mutex
	val   T
	err   error
	first *coro.Waiter // most futures have one
	more  *crowd       // made on need
}

// crowd is what few futures have: several waiters, callbacks, a channel, a producer that can be told to stop.
type crowd struct {
	waiters   []*coro.Waiter
	callbacks []*callback
	done      chan struct{}
	cancel    func(cause error) // OnCancel
	cause     error             // of a Cancel that has been passed on
}

type callback struct {
	ex Executor
	fn func()
}

// Executor is where a callback runs; a *reactor.Loop is one.
type Executor interface{ CallSoon(fn func()) error }

// Inline is the Executor that runs a callback right away, in the goroutine that completes the future, with none of the
// future's locks held. Such a callback must be short and must not wait; if it panics, that reaches who completed the future.
var Inline Executor = inline{}

type inline struct{}

func (inline) CallSoon(fn func()) error { fn(); return nil }

// Awaitable is what combinators take: a *Future[T], or what has one, as a *task.Task[T].
type Awaitable[T any] interface{ AsFuture() *Future[T] }

// AsFuture returns f.
func (f *Future[T]) AsFuture() *Future[T] { return f }

// Await returns the result, for which it suspends the calling task or blocks the calling goroutine; ctx only bounds the
// wait. If ctx ends first the error is its cause, and matches ctx.Err() too; f is not cancelled by that, and loses nothing. A
// result that is there is returned even if ctx is done.
//
// In a callback of a loop it returns a result that is there, and otherwise panics, since to wait would stop the loop.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	if f.done.Load() {
		coro.Spend(ctx)
		return f.outcome()
	}
	var none T
	w, err := coro.Here(ctx, "future: Await")
	if err != nil {
		if f.done.Load() { // meanwhile: it may have come before the end of ctx
			return f.outcome()
		}
		return none, err
	}
	if f.enlist(w) {
		w.Begin(ctx).Suspend()
		if err := w.End(ctx); err != nil {
			f.delist(w)
			w.Release()
			return none, err
		}
	}
	w.Release()
	return f.outcome()
}

// outcome returns the result, which is there.
func (f *Future[T]) outcome() (T, error) {
	if f.err != nil {
		f.seen.Store(true)
	}
	return f.val, f.err
}

// enlist adds a waiter, unless the result is there.
func (f *Future[T]) enlist(w *coro.Waiter) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.done.Load():
		return false
	case f.first == nil:
		f.first = w
	default:
		c := f.crowd()
		c.waiters = append(c.waiters, w)
	}
	return true
}

func (f *Future[T]) delist(w *coro.Waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.first == w {
		f.first = nil
	} else if f.more != nil {
		f.more.waiters = slices.DeleteFunc(f.more.waiters, func(v *coro.Waiter) bool { return v == w })
	}
}

// crowd returns f.more, made if need be. It is called under the mutex.
func (f *Future[T]) crowd() *crowd {
	if f.more == nil {
		f.more = &crowd{}
	}
	return f.more
}

// complete sets the outcome, once, and lets everybody know.
func (f *Future[T]) complete(v T, err error) bool {
	f.mu.Lock()
	if f.done.Load() {
		f.mu.Unlock()
		return false
	}
	f.val, f.err = v, err
	f.done.Store(true)
	first, more := f.first, f.more
	f.first, f.more = nil, nil
	if first != nil && !first.Claim() { // under the mutex: see package coro
		first = nil
	}
	if more != nil {
		more.waiters = slices.DeleteFunc(more.waiters, func(w *coro.Waiter) bool { return !w.Claim() })
	}
	if err != nil && (first != nil || more != nil && len(more.waiters) > 0) {
		f.seen.Store(true) // a claimed waiter takes it
	}
	f.mu.Unlock()

	if first != nil {
		first.Wake()
	}
	if more != nil {
		more.tell()
	}
	return true
}

func (c *crowd) tell() {
	for _, w := range c.waiters {
		w.Wake()
	}
	if c.done != nil {
		close(c.done)
	}
	c.call()
}

// call queues the callbacks, all of them, even if one that runs Inline panics: that then goes on to who completed the future.
func (c *crowd) call() {
	defer func() {
		if len(c.callbacks) > 0 {
			c.call()
		}
	}()
	for len(c.callbacks) > 0 {
		cb := c.callbacks[0]
		c.callbacks = c.callbacks[1:]
		cb.ex.CallSoon(cb.fn) // a closed loop runs nothing any more
	}
}

// Done returns a channel that is closed at completion, for select in plain goroutines.
func (f *Future[T]) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done.Load() {
		return closed
	}
	c := f.crowd()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// TryResult returns the outcome, or ErrPending if there is none yet. It never waits.
func (f *Future[T]) TryResult() (T, error) {
	if f.done.Load() {
		return f.outcome()
	}
	var none T
	return none, ErrPending
}

// Completed reports whether there is an outcome.
func (f *Future[T]) Completed() bool { return f.done.Load() }

// OnDone queues fn on ex when f completes, or now if it has. Callbacks are queued in the order they were added.
// A callback for a loop that is closed by then is dropped. remove reports whether it prevented the call from being queued.
func (f *Future[T]) OnDone(ex Executor, fn func(T, error)) (remove func() bool) {
	cb := &callback{ex, func() { fn(f.outcome()) }}
	f.mu.Lock()
	if f.done.Load() {
		f.mu.Unlock()
		ex.CallSoon(cb.fn)
		return func() bool { return false }
	}
	c := f.crowd()
	c.callbacks = append(c.callbacks, cb)
	f.mu.Unlock()
	return func() bool { return f.removeCallback(cb) }
}

func (f *Future[T]) removeCallback(cb *callback) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.more == nil {
		return false
	}
	n := len(f.more.callbacks)
	f.more.callbacks = slices.DeleteFunc(f.more.callbacks, func(o *callback) bool { return o == cb })
	return len(f.more.callbacks) < n
}

// Cancel asks the producer to stop, for the reason cause (nil: ErrCancelled), and reports whether f was pending. If the producer
// has said by Promise.OnCancel how it stops, f completes when it does, perhaps with a result after all; only the first Cancel is
// passed on. Otherwise f completes with cause at once.
func (f *Future[T]) Cancel(cause error) bool {
	if cause == nil {
		cause = ErrCancelled
	}
	f.mu.Lock()
	if f.done.Load() {
		f.mu.Unlock()
		return false
	}
	if f.more == nil || f.more.cancel == nil {
		f.mu.Unlock()
		var none T
		return f.complete(none, cause)
	}
	stop := f.more.cancel
	if f.more.cause != nil {
		stop = nil
	} else {
		f.more.cause = cause
	}
	f.mu.Unlock()
	if stop != nil {
		stop(cause)
	}
	return true
}
