package task_test

import (
	"context"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestTheEndOfAGroupEndsWaitsWithItsContext(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for _, waitIn := range []string{"a task", "a goroutine"} {
			g, gctx := task.NewGroup(ctx)
			g.Go(func() error { yields(gctx, 2); return nil })
			sibling := task.Go(ctx, func(context.Context) (int, error) { return pending().Await(gctx) })
			if waitIn == "a task" {
				task.Spawn(ctx, func(context.Context) error { return g.Wait() })
			} else {
				go g.Wait()
			}
			_, err := pending().Await(gctx) // the maker's own wait
			testkit.ErrorIs(t, err, context.Canceled, task.ErrEnded)
			_, err = sibling.Await(ctx)
			testkit.ErrorIs(t, err, context.Canceled, task.ErrEnded)
		}
		return nil
	})
}

// A member of Group.Go has the context of its group, and what it derives from that is not below the
// member in the tree.
func TestTheLoopEndsAWaitWithATimeoutThatAMemberHasMadeOfItsGroupsContext(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		const members = 100
		g, gctx := task.NewGroup(ctx)
		var order, want []int
		var cancels []func()
		for i := range members {
			want = append(want, i)
			g.Go(func() error {
				own, cancel := task.WithTimeout(gctx, time.Hour)
				cancels = append(cancels, cancel)
				pending().Await(own)
				order = append(order, i)
				return nil
			})
		}
		yields(ctx, 2)
		for _, cancel := range cancels {
			cancel()
		}
		task.Yield(ctx) // nothing but the loop has a part in it
		if !slices.Equal(order, want) {
			t.Errorf("they end in the order %v, want %v", order, want)
		}
		return g.Wait()
	})
}

// The word of a cancellation comes to the loop through the door, and the end of what was cancelled
// may overtake it.
func TestACancellationIsNotOvertakenByTheEndOfItsScope(t *testing.T) {
	loop := testkit.StartLoop(t)
	for range rounds(1000) {
		foreign, cancel := context.WithCancelCause(context.Background())
		children := make(chan *task.Task[int], 2)
		child := func(ctx context.Context) (int, error) { return pending().Await(ctx) }
		task.Spawn(reactor.WithLoop(foreign, loop), func(ctx context.Context) error {
			scope, end := task.WithTimeout(ctx, time.Hour)
			children <- task.Go(scope, child)
			children <- task.Go(ctx, child)
			context.AfterFunc(scope, end)
			for ctx.Err() == nil {
				task.Yield(context.WithoutCancel(ctx))
			}
			return nil // at once, and perhaps before the loop has been told
		})
		a, b := <-children, <-children
		cancel(errTest)
		for _, tk := range []*task.Task[int]{a, b} {
			_, err := tk.Await(context.Background())
			testkit.ErrorIs(t, err, errTest)
		}
	}
}

// A task that a goroutine starts may come to the loop when the scope it was started in is cancelled
// and gone.
func TestATaskStartedBesideTheEndOfItsScopeIsCancelled(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for range rounds(2000) {
			scope, end := task.WithTimeout(ctx, time.Hour)
			started := make(chan *task.Task[int])
			go func() {
				tk := task.Go(scope, func(ctx context.Context) (int, error) { return pending().Await(ctx) })
				started <- tk
			}()
			runtime.Gosched()
			end()
			tk, err := task.Blocking(ctx, func(context.Context) (*task.Task[int], error) { return <-started, nil })
			if err != nil {
				return err
			}
			_, err = tk.Await(ctx)
			testkit.ErrorIs(t, err, context.Canceled)
		}
		return nil
	})
}

func TestScope(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		ended := 0
		leave := func(fn func()) error {
			return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
				for range 3 {
					g.Go(func() error {
						defer func() { ended++ }()
						_, err := pending().Await(ctx)
						yields(context.WithoutCancel(ctx), 3)
						return err
					})
				}
				yields(ctx, 2)
				fn()
				return errTest
			})
		}
		if err := leave(func() {}); err != errTest || ended != 3 {
			t.Errorf("an error: %v, %d have ended; want %v and 3", err, ended, errTest)
		}
		if v := testkit.PanicOf(func() { leave(panicsHere) }); v != "here" || ended != 6 {
			t.Errorf("a panic: %v, %d have ended; want %v and 6", v, ended, "here")
		}
		err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			g.Go(func() error { return task.Sleep(ctx, time.Millisecond) })
			return nil
		})
		return err
	})
	loop := testkit.StartLoop(t)
	ended := 0
	_, err := task.Go(loop.Context(), func(ctx context.Context) (int, error) {
		return 0, task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			g.Go(func() error { defer func() { ended++ }(); _, err := pending().Await(ctx); return err })
			yields(ctx, 2)
			runtime.Goexit()
			return nil
		})
	}).Await(context.Background())
	testkit.ErrorIs(t, err, task.ErrGoexit)
	testkit.OnLoop(t, loop, func() {
		if ended != 1 {
			t.Errorf("Goexit: %d members have ended, want 1", ended)
		}
	})
	// in a goroutine
	err = task.Scope(loop.Context(), func(ctx context.Context, g *task.Group) error {
		g.Go(func() error { return errTest })
		return nil
	})
	testkit.ErrorIs(t, err, errTest)
}

func TestATaskCancelledBeforeItsFirstStepRuns(t *testing.T) {
	cancels := map[string]func(ctx context.Context, fn func(ctx context.Context) error) *task.Task[struct{}]{
		"itself": func(ctx context.Context, fn func(ctx context.Context) error) *task.Task[struct{}] {
			tk := task.Spawn(ctx, fn)
			tk.Cancel(errTest)
			return tk
		},
		"as a future": func(ctx context.Context, fn func(ctx context.Context) error) *task.Task[struct{}] {
			tk := task.Spawn(ctx, fn)
			tk.AsFuture().Cancel(errTest)
			return tk
		},
		"through its context": func(ctx context.Context, fn func(ctx context.Context) error) *task.Task[struct{}] {
			c, cancel := context.WithCancelCause(ctx)
			cancel(errTest)
			return task.Spawn(c, fn)
		},
		"through its group": func(ctx context.Context, fn func(ctx context.Context) error) *task.Task[struct{}] {
			g, gctx := task.NewGroup(ctx)
			tk := task.Spawn(gctx, fn)
			g.Cancel(errTest)
			g.Wait()
			return tk
		},
		"from a goroutine": func(ctx context.Context, fn func(ctx context.Context) error) *task.Task[struct{}] {
			tk := make(chan *task.Task[struct{}])
			go func() {
				x := task.Spawn(ctx, fn)
				x.Cancel(errTest)
				tk <- x
			}()
			return <-tk
		},
	}
	for name, cancel := range cancels {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				ran := false
				tk := cancel(ctx, func(ctx context.Context) error {
					ran = true
					if ctx.Err() != context.Canceled || context.Cause(ctx) != errTest {
						t.Errorf("Err %v, Cause %v; want %v and %v", ctx.Err(), context.Cause(ctx), context.Canceled, errTest)
					}
					return task.Sleep(ctx, time.Hour)
				})
				_, err := tk.Await(ctx)
				testkit.ErrorIs(t, err, errTest)
				if !ran || tk.Cancel(nil) {
					t.Errorf("it ran: %v, want true, and Cancel to return false afterwards", ran)
				}
				return nil
			})
		})
	}
}

// A callback can't wait for what a Scope would start, so nothing is.
func TestAScopeInACallbackStartsNothing(t *testing.T) {
	loop := testkit.StartLoop(t)
	testkit.OnLoop(t, loop, func() {
		const want = "task: Scope in a loop callback would stop the loop; use OnDone, or start a task with task.Go"
		testkit.Panics(t, want, func() {
			task.Scope(loop.Context(), func(context.Context, *task.Group) error { t.Error("the function ran, want it not to"); return nil })
		})
	})
}
