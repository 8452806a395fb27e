package future_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// long is the length of the chains.
func long() int {
	switch {
	case raceEnabled:
		return 20_000
	case testing.Short():
		return 100_000
	}
	return 1_000_000
}

// gauge measures how deep the stack gets. It is only touched where one thing runs at a time.
type gauge struct {
	calls, deepest int
	pcs            [2048]uintptr
}

// look is called by each callback.
func (g *gauge) look() {
	if g.calls++; g.calls%97 == 1 {
		g.deepest = max(g.deepest, runtime.Callers(0, g.pcs[:]))
	}
}

func (g *gauge) check(t *testing.T, calls int) {
	t.Helper()
	if g.calls != calls {
		t.Errorf("%d callbacks were called, want %d", g.calls, calls)
	}
	if g.deepest > 60 { // of a loop's, with the test below and the callbacks above it, 25
		t.Errorf("the stack was %d frames deep, want at most 60", g.deepest)
	}
}

// A chain of any length needs one stack, whatever it is made of, and wherever it is completed.
func TestChainsNeedNoStack(t *testing.T) {
	n := long()
	for name, c := range map[string]func(t *testing.T, ctx context.Context, g *gauge){
		"Thens, built first": func(t *testing.T, ctx context.Context, g *gauge) {
			f, p := future.New[int]()
			last := f
			for range n {
				last = future.Then(last, func(v int) *future.Future[int] { g.look(); return future.Resolved(v + 1) })
			}
			p.Resolve(0)
			if v, err := last.Await(ctx); v != n || err != nil {
				t.Errorf("got %d, %v; want %d and nil", v, err, n)
			}
		},
		"Thens, each made by the one before": func(t *testing.T, ctx context.Context, g *gauge) {
			var from func(i int) *future.Future[int]
			from = func(i int) *future.Future[int] {
				return future.Then(future.Resolved(i), func(i int) *future.Future[int] {
					if g.look(); i == n {
						return future.Resolved(i)
					}
					return from(i + 1)
				})
			}
			if v, err := from(1).Await(ctx); v != n || err != nil {
				t.Errorf("got %d, %v; want %d and nil", v, err, n)
			}
		},
		"callbacks that complete the next future": func(t *testing.T, ctx context.Context, g *gauge) {
			f, p := future.New[int]()
			last := f
			for range n {
				next, q := future.New[int]()
				last.OnDone(future.Inline, func(v int, err error) { g.look(); q.Complete(v+1, err) })
				last = next
			}
			p.Resolve(0)
			if v, err := last.Await(ctx); v != n || err != nil {
				t.Errorf("got %d, %v; want %d and nil", v, err, n)
			}
		},
		"callbacks that add callbacks to what is complete": func(t *testing.T, ctx context.Context, g *gauge) {
			f, p := future.New[int]()
			end, q := future.New[int]()
			var again func(v int, err error)
			again = func(v int, err error) {
				if g.look(); g.calls == n {
					q.Resolve(v)
					return
				}
				f.OnDone(future.Inline, again)
			}
			f.OnDone(future.Inline, again)
			p.Resolve(1)
			end.Await(ctx)
		},
		"an error through Maps": func(t *testing.T, ctx context.Context, g *gauge) {
			f, p := future.New[int]()
			last := f
			for range n - 1 {
				last = future.Map(last, func(v int) (int, error) { return v, nil })
			}
			last = future.Catch(last, func(err error) (int, error) { g.look(); g.calls = n; return 0, err })
			p.Fail(errTest)
			_, err := last.Await(ctx)
			testkit.ErrorIs(t, err, errTest)
		},
		"a cancellation of what was derived": func(t *testing.T, ctx context.Context, g *gauge) {
			f, p := future.New[int]()
			p.OnCancel(func(cause error) { g.look(); g.calls = n; p.Fail(cause) })
			last := f
			for range n {
				last = future.Map(last, func(v int) (int, error) { return v, nil })
			}
			last.Cancel(errTest)
			_, err := last.Await(ctx)
			testkit.ErrorIs(t, err, errTest)
		},
	} {
		t.Run(name, func(t *testing.T) {
			everywhere(t, func(t *testing.T, ctx context.Context) {
				var g gauge
				c(t, ctx, &g)
				g.check(t, n)
			})
		})
	}
}

// Callbacks that a loop runs complete futures whose callbacks the loop runs.
func TestAChainOfALoopsCallbacksNeedsNoStack(t *testing.T) {
	testkit.Watch(t)
	n := long()
	g := &gauge{}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		f, p := future.New[int]()
		last := f
		for i := range n {
			next, q := future.New[int]()
			ex := future.Executor(loop)
			if i%3 == 1 {
				ex = future.Inline
			}
			last.OnDone(ex, func(v int, err error) { g.look(); q.Resolve(v + 1) })
			last = next
		}
		p.Resolve(0)
		v, err := last.Await(ctx)
		if v != n {
			t.Errorf("got %d, want %d", v, n)
		}
		return err
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
	g.check(t, n)
}

// A long chain on a loop, and awaits of what is ready, leave others their turn: once in 128 links
// or awaits.
func TestChainsLeaveOthersTheirTurn(t *testing.T) {
	testkit.Watch(t)
	const n, links = 20_000, 128
	for name, chain := range map[string]func(ctx context.Context) error{
		"awaits of what is ready": func(ctx context.Context) error {
			for i := range n {
				if _, err := future.Resolved(i).Await(ctx); err != nil {
					return err
				}
			}
			return nil
		},
		"All of what is ready": func(ctx context.Context) error {
			for i := range n {
				if _, err := future.All(ctx, future.Resolved(i), future.Resolved(i)); err != nil {
					return err
				}
			}
			return nil
		},
		"Thens": func(ctx context.Context) error {
			f, p := future.New[int]()
			last := f
			for range n {
				last = future.Then(last, future.Resolved[int])
			}
			p.Resolve(0)
			_, err := last.Await(ctx)
			return err
		},
		"callbacks of one future": func(ctx context.Context) error {
			f, p := future.New[int]()
			end, q := future.New[int]()
			for range n {
				f.OnDone(future.Inline, func(int, error) {})
			}
			f.OnDone(future.Inline, func(int, error) { q.Resolve(1) })
			p.Resolve(0)
			_, err := end.Await(ctx)
			return err
		},
	} {
		turns := 0
		err := task.Run(context.Background(), func(ctx context.Context) error {
			stop := false
			other := task.Spawn(ctx, func(ctx context.Context) error {
				for !stop {
					turns++
					task.Yield(ctx)
				}
				return nil
			})
			err := chain(ctx)
			stop = true
			other.Await(ctx)
			return err
		}, task.WithSignals())
		if err != nil || turns < n/(links+2) {
			t.Errorf("%s: %v; the other task had %d turns; want nil and at least %d", name, err, turns, n/(links+2))
		}
	}
}

// What the loop runs in later turns keeps the order of the callbacks.
func TestCallbacksKeepTheirOrderOverTurns(t *testing.T) {
	testkit.Watch(t)
	const n = 1000
	var order []int
	err := task.Run(context.Background(), func(ctx context.Context) error {
		f, p := future.New[int]()
		for i := range n {
			f.OnDone(future.Inline, func(int, error) { order = append(order, i) })
		}
		p.Resolve(1)
		end, q := future.New[int]()
		f.OnDone(future.Inline, func(int, error) { order = append(order, n); q.Resolve(1) })
		if len(order) == 0 || len(order) >= n {
			t.Errorf("%d callbacks were run at once, want more than 0 and fewer than %d", len(order), n)
		}
		_, err := end.Await(ctx)
		return err
	}, task.WithSignals())
	for i, v := range order {
		if i != v {
			t.Fatalf("callback %d was called in place %d, want each in its own place", v, i)
		}
	}
	if err != nil || len(order) != n+1 {
		t.Errorf("%v; %d calls; want nil and %d", err, len(order), n+1)
	}
}
