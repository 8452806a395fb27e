package future

import (
	"context"

	"github.com/corobridge/corobridge/internal/coro"
)

// Promise is the writing side of a Future. Its methods may be called from any goroutine; the first completion
// wins, and the others report false. The zero Promise is ready for use.
type Promise[T any] struct{ future Future[T] }

// New makes a future and the promise that completes it.
func New[T any]() (*Future[T], *Promise[T]) {
	p := &Promise[T]{}
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

// Retrieved reports whether somebody has been given the outcome: by Await, TryResult or a callback. It tells only of errors;
// for a pending future, and for one with a value, it is false.
func (p *Promise[T]) Retrieved() bool { return p.future.seen.Load() }

// OnCancel says how the producer is told to stop: stop is called at the first Cancel of the future, in the goroutine that
// cancels, and the producer completes the promise when it has stopped. It replaces an earlier one. If
// the future has failed already, as by a Cancel that came before OnCancel, stop is called at once with that error.
func (p *Promise[T]) OnCancel(stop func(cause error)) {
	f := &p.future
	f.mu.Lock()
	if !f.done.Load() {
		f.crowd().cancel = stop
		f.mu.Unlock()
		return
	}
	f.mu.Unlock()
	if f.err != nil {
		stop(f.err)
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

// FromFunc runs fn on a new goroutine and returns the future of its result. Cancel of the future, and the end of
// ctx, cancel fn's context; the future completes when fn returns. A panic of fn is a *PanicError, runtime.Goexit is ErrGoexit.
//
// No loop waits for the goroutine: unless fn returns when its context ends, it outlives the loop that ctx carries, and task.Run.
func FromFunc[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *Future[T] {
	f, p := New[T]()
	ctx, cancel := context.WithCancelCause(ctx)
	p.OnCancel(cancel)
	go func() {
		defer cancel(nil)
		p.CompleteBy(func() (T, error) { return fn(ctx) })
	}()
	return f
}

// CompleteBy runs fn and completes the future with what it returns. If fn panics that is a *PanicError, and if it calls
// runtime.Goexit, ErrGoexit.
func (p *Promise[T]) CompleteBy(fn func() (T, error)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil {
			p.Fail(coro.Recovered(v))
		} else {
			p.Fail(ErrGoexit)
		}
	}()
	v, err := fn()
	returned = true
	p.Complete(v, err)
}

// FromCallback calls start at once and returns the future of what start passes to its callback: an API that
// calls back becomes awaitable in one word, future.FromCallback(client.GetAsync). The callback may come from any goroutine,
// also before start returns; a second one is ignored.
func FromCallback[T any](start func(done func(T, error))) *Future[T] {
	f, p := New[T]()
	start(func(v T, err error) { p.Complete(v, err) })
	return f
}

// FromCallbackStop is FromCallback for an API that returns how to make it stop. Cancel of the future calls stop, and
// completes the future: an API that was stopped need not call back.
func FromCallbackStop[T any](start func(done func(T, error)) (stop func())) *Future[T] {
	f, p := New[T]()
	stop := start(func(v T, err error) { p.Complete(v, err) })
	p.OnCancel(func(cause error) {
		if p.Fail(cause) {
			stop()
		}
	})
	return f
}
