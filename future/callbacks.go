package future

import "github.com/corobridge/corobridge/internal/coro"

// Executor is where a callback runs; a *reactor.Loop is one.
type Executor interface{ CallSoon(fn func()) error }

// Inline is the Executor that runs a callback in the goroutine that completes the future, with
// none of the future's locks held: right away, or, when that goroutine is running such a callback
// already, after that one has returned. So callbacks that complete futures, whose callbacks
// complete more, need no stack.
//
// Such a callback must be short and must not wait. If it panics, that reaches who completed the
// future, after the other callbacks have run.
//
// On a loop, in a task too, at most 128 of them run in a row. The rest is run by the loop, in
// later turns, so that others have their turn.
var Inline Executor = inline{}

type inline struct{}

func (inline) CallSoon(fn func()) error { coro.Inline(runnable(fn)); return nil }

type runnable func()

func (f runnable) Run() { f() }

// callback is a call of OnDone.
type callback[T any] struct {
	f  *Future[T]
	ex Executor
	fn func(T, error)
}

// Run makes the call, or queues it.
func (c *callback[T]) Run() {
	if c.ex == Inline {
		c.call()
	} else {
		c.ex.CallSoon(c.call) // a closed loop runs nothing any more
	}
}

func (c *callback[T]) call() { c.fn(c.f.outcome()) }

// OnDone queues fn on ex when f completes, or now if it has. Callbacks are queued in the order
// they were added. A callback for a loop that is closed by then is dropped. remove reports whether
// it prevented the call from being queued. OnDone panics if ex or fn is nil.
func (f *Future[T]) OnDone(ex Executor, fn func(T, error)) (remove func() bool) {
	if ex == nil || fn == nil {
		panic("future: OnDone with nil; give a loop, or Inline, and a function")
	}
	c := &callback[T]{f, ex, fn}
	switch {
	case ex == Inline:
		f.inline(c)
	case !f.add(c, false):
		c.Run()
	}
	return func() bool { return f.remove(c) }
}

// inline has r run at completion, as a callback with Inline is.
func (f *Future[T]) inline(r coro.Runnable) {
	if !f.add(r, true) {
		coro.Inline(r)
	}
}

// add has r run at completion, unless f is complete. Whoever calls it with inline false knows that
// r completes nothing that matters to the depth of the stack.
func (f *Future[T]) add(r coro.Runnable, inline bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done.Load() {
		return false
	}
	c := f.crowd()
	c.callbacks.add(r)
	c.inline = c.inline || inline
	return true
}

func (f *Future[T]) remove(r coro.Runnable) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.more != nil && f.more.callbacks.remove(r)
}

// call runs the callbacks, all of them, even if an Executor panics: then the panic goes on to
// whoever completed the future.
func (c *crowd) call() {
	if rs := c.callbacks.compact(); c.inline {
		coro.Inline(rs...)
	} else {
		callAll(rs)
	}
}

func callAll(rs []coro.Runnable) {
	defer func() {
		if len(rs) > 0 {
			callAll(rs)
		}
	}()
	for len(rs) > 0 {
		r := rs[0]
		rs = rs[1:]
		r.Run()
	}
}
