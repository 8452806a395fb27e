package future

import (
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// Promise is the writing side of a Future. Its methods may be called from any goroutine; the first
// completion wins, and the others report false. The zero Promise is ready for use.
type Promise[T any] struct{ future Future[T] }

// New makes a future and the promise that completes it.
func New[T any]() (*Future[T], *Promise[T]) {
	p := &Promise[T]{Future[T]{seen: watched}}
	return &p.future, p
}

// Future returns the reading side.
func (p *Promise[T]) Future() *Future[T] { return &p.future }

// Resolve completes the future with a value.
func (p *Promise[T]) Resolve(v T) bool { return p.future.complete(v, nil) }

// Fail completes the future with an error. It panics if err is nil.
func (p *Promise[T]) Fail(err error) bool {
	if err == nil {
		panic("future: Fail(nil); use Resolve for a success")
	}
	var none T
	return p.future.complete(none, err)
}

// Complete completes the future with a value and an error, as a function returns them.
func (p *Promise[T]) Complete(v T, err error) bool { return p.future.complete(v, err) }

// CompleteOwed completes the future with v and the error that loss stands for. Unless somebody is
// given that error, loss is reported. It is for package task, which says what loss is.
func (p *Promise[T]) CompleteOwed(v T, loss *coro.Loss) bool {
	return p.future.completeFrom(v, loss.Err, nil, loss)
}

// Retrieved reports whether somebody has been given the outcome: by Await, TryResult or a
// callback. It tells only of errors; for a pending future, and for one with a value, it is false.
func (p *Promise[T]) Retrieved() bool { return atomic.LoadUint32(&p.future.seen) == given }

// OnCancel says how the producer is told to stop: stop is called at the first Cancel of the
// future, in the goroutine that cancels, and the producer completes the promise when it has
// stopped. It replaces an earlier one. After a Cancel that came before OnCancel, and in general if
// the future has failed already, stop is called at once with that error.
func (p *Promise[T]) OnCancel(stop func(cause error)) {
	f := &p.future
	f.mu.Lock()
	cause := f.err
	if !f.done.Load() {
		c := f.crowd()
		c.cancel, cause = stop, c.cause
	}
	f.mu.Unlock()
	if cause != nil {
		stop(cause)
	}
}

// Resolved returns a future that has the value v.
func Resolved[T any](v T) *Future[T] {
	f, p := New[T]()
	p.Resolve(v)
	return f
}

// Failed returns a future that has the error err, which must not be nil.
func Failed[T any](err error) *Future[T] {
	f, p := New[T]()
	p.Fail(err)
	return f
}

// CompleteBy runs fn and completes the future with what it returns. If fn panics that is a
// *PanicError, and if it calls runtime.Goexit, ErrGoexit.
func (p *Promise[T]) CompleteBy(fn func() (T, error)) {
	var v T
	var err error
	if p.guard(func() { v, err = fn() }) {
		p.Complete(v, err)
	}
}

// guard calls fn and reports whether it has returned. If not, the future fails.
func (p *Promise[T]) guard(fn func()) (returned bool) {
	defer func() {
		if !returned {
			p.Fail(coro.Unwound(recover()))
		}
	}()
	fn()
	return true
}
