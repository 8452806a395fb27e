package coro_test

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
)

// call is a call that Inline makes.
type call func()

func (c call) Run() { c() }

// inEveryPlace runs fn in a plain goroutine, in a loop's callback and in a coroutine. settle runs
// what a loop has left.
func inEveryPlace(t *testing.T, fn func(t *testing.T, settle func())) {
	t.Run("goroutine", func(t *testing.T) {
		testkit.Watch(t)
		fn(t, func() {})
		if n := coro.Registered(); n != 0 {
			t.Errorf("%d goroutines are left in the registry, want 0", n)
		}
	})
	t.Run("callback", func(t *testing.T) {
		l := newLoop(t)
		fn(t, l.settle)
		l.settle()
	})
	t.Run("coroutine", func(t *testing.T) {
		l := newLoop(t)
		j := l.start(func() { fn(t, func() { l.pool.Running().Yield() }) })
		l.settle()
		if !j.ended || j.failed != nil {
			t.Errorf("the coroutine: ended %v, %v; want true, nil", j.ended, j.failed)
		}
	})
}

func TestCallsAreMadeOneAfterAnother(t *testing.T) {
	inEveryPlace(t, func(t *testing.T, settle func()) {
		var order []int
		note := func(i int) call { return func() { order = append(order, i) } }
		coro.Inline(
			call(func() {
				coro.Inline(note(2), call(func() { coro.Inline(note(4)); order = append(order, 3) }))
				order = append(order, 0)
			}),
			note(1),
		)
		if !slices.Equal(order, []int{0, 1, 2, 3, 4}) {
			t.Errorf("order %v, want %v", order, []int{0, 1, 2, 3, 4})
		}
		coro.Inline()
		if coro.Inline(note(5)); len(order) != 6 {
			t.Errorf("afterwards Inline made %d calls in all, want 6: one more at once", len(order))
		}
	})
}

func TestCallsAreMadeWhenOneOfThemPanics(t *testing.T) {
	inEveryPlace(t, func(t *testing.T, settle func()) {
		calls := 0
		count := call(func() { calls++ })
		bad := func(v any) call { return func() { calls++; coro.Inline(count); panic(v) } }
		testkit.Panics(t, "second", func() { coro.Inline(count, bad("first"), count, bad("second"), count) })
		if calls != 7 {
			t.Errorf("%d calls, want 7", calls)
		}
		if coro.Inline(count); calls != 8 {
			t.Errorf("afterwards Inline made %d calls in all, want 8: one more at once", calls)
		}
	})
}

func TestCallsAreMadeWhenOneOfThemExits(t *testing.T) {
	testkit.Watch(t)
	calls := 0
	count := call(func() { calls++ })
	var gone sync.WaitGroup
	gone.Go(func() {
		coro.Inline(count, call(func() { coro.Inline(count); runtime.Goexit() }), count)
		calls = -1
	})
	gone.Wait()
	if calls != 3 || coro.Registered() != 0 {
		t.Errorf("%d calls; %d goroutines in the registry; want 3 and 0", calls, coro.Registered())
	}
}

func TestCallsOfACoroutineThatExits(t *testing.T) {
	l := newLoop(t)
	calls := 0
	count := call(func() { calls++ })
	j := l.start(func() { coro.Inline(count, call(runtime.Goexit), count) })
	if l.settle(); calls != 2 || !errors.Is(j.failed, coro.ErrGoexit) {
		t.Errorf("%d calls, %v; want 2 and %v", calls, j.failed, coro.ErrGoexit)
	}
}

// On a loop others have their turn once in 128 calls; what comes meanwhile, from wherever on that
// loop, is behind what is left.
func TestALoopMakesBoundedlyManyCallsInARow(t *testing.T) {
	const n, bound = 1000, 128
	for _, where := range []string{"callback", "coroutine"} {
		t.Run(where, func(t *testing.T) {
			l := newLoop(t)
			var order []int
			var many []coro.Runnable
			for i := range n {
				many = append(many, call(func() { order = append(order, i) }))
			}
			body := func() {
				coro.Inline(many...)
				if len(order) != bound {
					t.Errorf("%d calls at once, want %d", len(order), bound)
				}
				coro.Inline(call(func() { order = append(order, n) }))
			}
			if where == "callback" {
				body()
			} else {
				l.start(body)
			}
			l.start(func() { coro.Inline(call(func() { order = append(order, n+1) })) })
			turns := 0
			for r := l.take(); r != nil; r = l.take() {
				before := len(order)
				r.Run()
				if turns++; len(order)-before > bound {
					t.Errorf("%d calls in a row, want at most %d", len(order)-before, bound)
				}
			}
			if len(order) != n+2 || !slices.IsSorted(order) || turns != (n+2-1)/bound {
				t.Errorf("%d calls in %d turns, sorted %v; want %d, %d, true", len(order), turns, slices.IsSorted(order), n+2, (n+2-1)/bound)
			}
			done := false
			if coro.Inline(call(func() { done = true })); !done {
				t.Error("afterwards a call is put off, want it made at once")
			}
		})
	}
}

// A coroutine that waits in a call, which it should not, keeps nobody else from making calls.
func TestACallThatWaits(t *testing.T) {
	l := newLoop(t)
	ended := false
	l.start(func() {
		coro.Inline(call(func() { l.pool.Running().Suspend() }), call(func() { ended = true }))
	})
	waiting := l.pool.Running()
	calls := 0
	coro.Inline(call(func() { calls++ }))
	l.start(func() { coro.Inline(call(func() { calls++ })) })
	if calls != 2 || ended {
		t.Errorf("%d calls of others; the one behind the wait was made: %v; want 2, false", calls, ended)
	}
	l.Post(waiting)
	if l.settle(); !ended {
		t.Error("the wait is over, and the call behind it was not made; want it made")
	}
}
