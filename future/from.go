package future

import (
	"context"
	"io"

	"github.com/corobridge/corobridge/internal/coro"
)

// FromFunc runs fn on a new goroutine and returns the future of its result. Cancel of the future,
// and the end of ctx, cancel fn's context; the future completes when fn returns. A panic of fn is
// a *PanicError, runtime.Goexit is ErrGoexit.
//
// No loop waits for the goroutine: unless fn returns when its context ends, it outlives the loop
// that ctx carries, and task.Run.
func FromFunc[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *Future[T] {
	f, p := New[T]()
	ctx, cancel := context.WithCancelCause(ctx)
	p.OnCancel(cancel)
	f.belong(ctx)
	coro.Go(func() {
		defer cancel(nil)
		p.CompleteBy(func() (T, error) { return fn(ctx) })
	})
	return f
}

// FromCallback calls start at once and returns the future of what start passes to its callback: an
// API that calls back becomes awaitable in one word, future.FromCallback(client.GetAsync). The
// callback may come from any goroutine, also before start returns; a second one is ignored.
func FromCallback[T any](start func(done func(T, error))) *Future[T] {
	f, p := New[T]()
	start(func(v T, err error) { p.Complete(v, err) })
	return f
}

// FromCallbackStop is FromCallback for an API that returns how to make it stop. Cancel of the
// future calls stop, and completes the future: an API that was stopped need not call back.
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

// FromChan returns the future of one value of ch, or of io.EOF if ch is closed. What ch has ready
// is taken at once; else a goroutine waits for it, until Cancel.
//
// No value is lost to Cancel: one that is taken is the result, also when Cancel has come
// meanwhile, and one that is not stays in ch. A future that is dropped without Cancel still takes
// its value.
func FromChan[T any](ch <-chan T) *Future[T] {
	f, p := New[T]()
	take := func(v T, ok bool) {
		if ok {
			p.Resolve(v)
		} else {
			p.Fail(io.EOF)
		}
	}
	select {
	case v, ok := <-ch:
		take(v, ok)
		return f
	default:
	}
	cancelled := make(chan error, 1)
	p.OnCancel(func(cause error) { cancelled <- cause })
	coro.Go(func() {
		select {
		case v, ok := <-ch:
			take(v, ok)
		case cause := <-cancelled:
			p.Fail(cause)
		}
	})
	return f
}

// FromContext returns a future that fails when ctx is done, with an error that matches both
// context.Cause(ctx) and ctx.Err(). It has no other outcome, unless it is cancelled.
func FromContext(ctx context.Context) *Future[struct{}] {
	f, p := New[struct{}]()
	stop := coro.AfterFunc(ctx, func() { p.Fail(coro.Cause(ctx)) })
	p.OnCancel(func(cause error) {
		if p.Fail(cause) {
			stop()
		}
	})
	return f
}
