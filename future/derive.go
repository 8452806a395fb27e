package future

import (
	"errors"

	"github.com/corobridge/corobridge/internal/coro"
)

// Map returns the future of fn of f's value. An error of f is its error, and fn is not called.
//
// fn is called as a callback with Inline is, and must not wait; what waits is for Then, or for a
// task. A panic of fn is a *PanicError of the future. If fn calls runtime.Goexit, that is
// ErrGoexit, and goes on in the goroutine that completed f. Cancel of the future is passed on to
// f, and the future ends when f has; what f was cancelled with comes back as its error, unless f
// succeeds after all.
func Map[T, U any](f Awaitable[T], fn func(T) (U, error)) *Future[U] {
	return derive(f.AsFuture(), func(p *Promise[U], f *Future[T]) {
		if f.err != nil {
			var none U
			inherit(p, none, f)
			return
		}
		p.CompleteBy(func() (U, error) { return fn(f.val) })
	})
}

// Then returns a future with the outcome of the future that fn returns, which is given f's value.
// An error of f is its error, and fn is not called. Cancel reaches f, and from when fn was called,
// the future that fn has returned. The rest is as with Map.
func Then[T, U any](f Awaitable[T], fn func(T) *Future[U]) *Future[U] {
	return derive(f.AsFuture(), func(p *Promise[U], f *Future[T]) {
		if f.err != nil {
			var none U
			inherit(p, none, f)
			return
		}
		var next *Future[U]
		if p.guard(func() { next = leader(p, fn(f.val)) }) {
			follow(p, next)
		}
	})
}

// leader returns next, which p's future is to follow.
func leader[T any](p *Promise[T], next *Future[T]) *Future[T] {
	switch next {
	case nil:
		panic("future: the function given to Then returned nil; return a future, as Resolved or Failed make one")
	case p.Future():
		panic("future: the function given to Then returned the future that waits for it")
	}
	return next
}

// Catch returns a future with f's value, or, if f fails, with what fn makes of its error, be that
// a cancellation. The rest is as with Map.
func Catch[T any](f Awaitable[T], fn func(error) (T, error)) *Future[T] {
	return derive(f.AsFuture(), func(p *Promise[T], f *Future[T]) {
		if f.err == nil {
			p.Resolve(f.val)
			return
		}
		f.retrieved()
		p.CompleteBy(func() (T, error) { return fn(f.err) })
	})
}

// Finally calls fn when f has completed, in whatever way, and returns a future with f's outcome.
// If fn panics, its error is a *PanicError, joined to that of f if there is one. The rest is as
// with Map.
func Finally[T any](f Awaitable[T], fn func()) *Future[T] {
	return derive(f.AsFuture(), func(p *Promise[T], f *Future[T]) {
		var call Promise[T]
		defer func() { // also in a Goexit
			switch failure := call.future.err; {
			case failure == nil:
				inherit(p, f.val, f)
			case f.err == nil:
				p.Fail(failure)
			default:
				f.retrieved()
				p.Fail(errors.Join(f.err, failure))
			}
		}()
		call.guard(fn)
	})
}

// Shield returns a future with f's outcome whose Cancel does not reach f, but completes it at
// once. An error that f has afterwards is f's matter again, as if nobody had asked for it.
func Shield[T any](f Awaitable[T]) *Future[T] {
	source := f.AsFuture()
	if source.Completed() {
		return source
	}
	d, p := New[T]()
	h := &heir[T]{source, p}
	source.inline(h)
	p.OnCancel(func(cause error) {
		if p.Fail(cause) {
			source.remove(h)
		}
	})
	return d
}

// Keep returns the Shield of each of fs, for what cancels its arguments: after Race(ctx, Keep(a,
// b)...) the loser goes on.
func Keep[T any, A Awaitable[T]](fs ...A) []*Future[T] {
	kept := make([]*Future[T], len(fs))
	for i, f := range fs {
		kept[i] = Shield(f)
	}
	return kept
}

// heir gives p the outcome of source.
type heir[T any] struct {
	source *Future[T]
	p      *Promise[T]
}

func (h *heir[T]) Run() { inherit(h.p, h.source.val, h.source) }

// link is a future that settle completes when source is complete.
type link[T, U any] struct {
	promise Promise[U]
	source  *Future[T]
	settle  func(p *Promise[U], source *Future[T])
}

func (l *link[T, U]) Run() { l.settle(&l.promise, l.source) }

// derive returns a future that settle completes, Inline, when f is complete. Cancel of it is
// passed on to f.
func derive[T, U any](f *Future[T], settle func(p *Promise[U], source *Future[T])) *Future[U] {
	l := &link[T, U]{Promise[U]{Future[U]{seen: watched}}, f, settle}
	passOn(&l.promise, f)
	f.inline(l)
	return &l.promise.future
}

// follow gives p the outcome of f.
func follow[T any](p *Promise[T], f *Future[T]) {
	passOn(p, f)
	f.inline(&heir[T]{f, p})
}

// passOn has a cancellation of p's future passed on to f; Inline, since f may pass it on as well.
func passOn[T, U any](p *Promise[U], f *Future[T]) {
	p.OnCancel(func(cause error) { coro.Inline(runnable(func() { f.Cancel(cause) })) })
}
