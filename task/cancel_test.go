package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

func TestEveryOperationThatBeginsWithADoneContextFailsEachTime(t *testing.T) {
	operations := map[string]func(ctx context.Context) error{
		"Await": func(ctx context.Context) error { _, err := pending().Await(ctx); return err },
		"Sleep": func(ctx context.Context) error { return task.Sleep(ctx, time.Hour) },
		"Yield": task.Yield,
		"Blocking": func(ctx context.Context) error {
			_, err := task.Blocking(ctx, func(context.Context) (int, error) { t.Error("Blocking's function ran, want it not to"); return 0, nil })
			return err
		},
		"Wait": func(ctx context.Context) error {
			return task.Wait(ctx, waitFunc(func() error { t.Error("Wait called its waiter, want it not to"); return nil }))
		},
		"All":  func(ctx context.Context) error { _, err := future.All(ctx, pending()); return err },
		"Race": func(ctx context.Context) error { _, err := future.Race(ctx, pending()); return err },
	}
	testkit.Run(t, func(ctx context.Context) error {
		own, cancel := context.WithCancelCause(ctx)
		cancel(errTest)
		expired, stop := task.WithTimeout(ctx, -1)
		defer stop()
		var cancelled *task.Task[struct{}]
		cancelled = task.Spawn(ctx, func(ctx context.Context) error {
			cancelled.Cancel(errTest)
			for name, op := range operations {
				for i := range 3 {
					if err := op(ctx); !errors.Is(err, errTest) || !errors.Is(err, context.Canceled) {
						t.Errorf("%s, call %d = %v, want %v and %v", name, i, err, errTest, context.Canceled)
					}
				}
			}
			return nil
		})
		for name, op := range operations {
			testkit.ErrorIs(t, op(own), errTest, context.Canceled)
			testkit.ErrorIs(t, op(expired), context.DeadlineExceeded)
			goroutine := make(chan error, 1)
			go func() { goroutine <- op(own) }()
			if err := <-goroutine; !errors.Is(err, errTest) && name != "Blocking" {
				t.Errorf("%s in a goroutine = %v, want %v", name, err, errTest)
			}
		}
		_, err := cancelled.Await(ctx)
		return err
	})
}

type waitFunc func() error

func (f waitFunc) Wait() error { return f() }

func TestCancellationErrorsMatchCauseAndErr(t *testing.T) {
	type scene struct {
		ctx  context.Context
		stop func()
		want []error
	}
	scenes := map[string]func(ctx context.Context) scene{
		"std WithCancelCause": func(ctx context.Context) scene {
			c, cancel := context.WithCancelCause(ctx)
			return scene{c, func() { cancel(errTest) }, []error{errTest, context.Canceled}}
		},
		"std WithCancel": func(ctx context.Context) scene {
			c, cancel := context.WithCancel(ctx)
			return scene{c, cancel, []error{context.Canceled}}
		},
		"std WithTimeout": func(ctx context.Context) scene {
			c, cancel := context.WithTimeout(ctx, time.Millisecond)
			return scene{c, func() { context.AfterFunc(c, cancel) }, []error{context.DeadlineExceeded}}
		},
		"std WithTimeoutCause": func(ctx context.Context) scene {
			c, cancel := context.WithTimeoutCause(ctx, time.Millisecond, errTest)
			return scene{c, func() { context.AfterFunc(c, cancel) }, []error{context.DeadlineExceeded, errTest}}
		},
		"task.WithTimeout": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Millisecond)
			return scene{c, func() { context.AfterFunc(c, cancel) }, []error{context.DeadlineExceeded}}
		},
		"task.WithTimeout, cancelled": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Hour)
			return scene{c, cancel, []error{context.Canceled}}
		},
		"std WithTimeout, in task.WithTimeout": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Millisecond)
			d, stop := context.WithTimeout(context.WithValue(c, anyKey{}, 1), time.Hour)
			return scene{d, func() { context.AfterFunc(d, func() { cancel(); stop() }) }, []error{context.DeadlineExceeded}}
		},
		"task.WithTimeout, in std WithTimeoutCause": func(ctx context.Context) scene {
			c, cancel := context.WithTimeoutCause(ctx, time.Millisecond, errTest)
			d, stop := task.WithTimeout(c, time.Hour)
			return scene{d, func() { context.AfterFunc(d, func() { cancel(); stop() }) }, []error{context.DeadlineExceeded, errTest}}
		},
		"nested task.WithTimeout, the outer first": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Millisecond)
			d, stop := task.WithTimeout(c, time.Hour)
			return scene{d, func() { context.AfterFunc(d, func() { cancel(); stop() }) }, []error{context.DeadlineExceeded}}
		},
		"group": func(ctx context.Context) scene {
			g, c := task.NewGroup(ctx)
			return scene{c, func() { g.Go(func() error { return errTest }); g.Wait() }, []error{errTest, context.Canceled}}
		},
		"group, cancelled": func(ctx context.Context) scene {
			g, c := task.NewGroup(ctx)
			return scene{c, func() { g.Cancel(nil); g.Wait() }, []error{future.ErrCancelled, context.Canceled}}
		},
	}
	for name, make := range scenes {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				s := make(ctx)
				values := context.WithValue(context.WithValue(s.ctx, anyKey{}, 1), anyKey{}, 2)
				var waits []*task.Task[int]
				// with a context of its own
				child := task.Go(s.ctx, func(ctx context.Context) (int, error) {
					_, err := pending().Await(ctx)
					if ctx.Err() != s.ctx.Err() || context.Cause(ctx) != context.Cause(s.ctx) {
						t.Errorf("the child has Err %v, Cause %v; want %v, %v", ctx.Err(), context.Cause(ctx), s.ctx.Err(), context.Cause(s.ctx))
					}
					return 0, err
				})
				waits = append(waits, child)
				for _, c := range []context.Context{s.ctx, values} {
					waits = append(waits, task.Go(ctx, func(context.Context) (int, error) { return pending().Await(c) }))
				}
				var joined errgroup.Group
				joined.Go(func() error { _, err := pending().Await(values); return err })
				yields(ctx, 3)
				s.stop()
				for _, w := range waits {
					_, err := w.Await(ctx)
					testkit.ErrorIs(t, err, s.want...)
					testkit.ErrorIs(t, err, s.ctx.Err(), context.Cause(s.ctx))
				}
				testkit.ErrorIs(t, task.Wait(ctx, &joined), s.want...)
				if context.Cause(values) != context.Cause(s.ctx) {
					t.Errorf("through values the cause is %v, want %v", context.Cause(values), context.Cause(s.ctx))
				}
				return nil
			})
		})
	}
}

func TestTheCauseOfACancelledTaskIsSeenThroughEveryLayer(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for _, asked := range []bool{false, true} {
			tk := task.Spawn(ctx, func(ctx context.Context) error {
				if asked {
					ctx.Done()
				}
				layered := context.WithValue(context.WithValue(ctx, anyKey{}, 1), anyKey{}, 2)
				derived, cancel := context.WithCancel(layered)
				defer cancel()
				shielded := context.WithoutCancel(layered)
				_, err := pending().Await(ctx)
				testkit.ErrorIs(t, err, errTest, context.Canceled)
				for _, c := range []context.Context{ctx, layered, derived} {
					if c.Err() != context.Canceled || context.Cause(c) != errTest {
						t.Errorf("Err %v, Cause %v; want %v and %v", c.Err(), context.Cause(c), context.Canceled, errTest)
					}
				}
				if err := task.Sleep(shielded, time.Microsecond); err != nil {
					t.Errorf("Sleep in the shield = %v, want nil", err)
				}
				return nil
			})
			task.Yield(ctx)
			tk.Cancel(errTest)
			tk.Await(ctx)
		}
		return nil
	})
}

func TestCancellingWakesTasksInTheOrderOfTheTree(t *testing.T) {
	order := func() (woken []string) {
		testkit.Run(t, func(ctx context.Context) error {
			scope, cancel := task.WithTimeout(ctx, time.Hour)
			var tasks []*task.Task[struct{}]
			var start func(ctx context.Context, name string, deep int)
			start = func(ctx context.Context, name string, deep int) {
				tasks = append(tasks, task.Spawn(ctx, func(ctx context.Context) error {
					if deep > 0 {
						start(ctx, name+"a", deep-1)
						inner, stop := task.WithTimeout(context.WithValue(ctx, anyKey{}, 1), time.Hour)
						defer stop()
						start(inner, name+"b", deep-1)
					}
					_, err := pending().Await(ctx)
					woken = append(woken, name)
					return err
				}))
			}
			for i := range 4 {
				start(scope, fmt.Sprint(i), 2)
			}
			yields(ctx, 10)
			cancel()
			if len(woken) != 0 {
				t.Errorf("%v ran inside cancel, want none", woken)
			}
			for _, tk := range tasks {
				tk.Await(ctx)
			}
			return nil
		})
		return woken
	}
	want := []string{}
	for i := range 4 {
		for _, s := range []string{"", "a", "aa", "ab", "b", "ba", "bb"} {
			want = append(want, fmt.Sprint(i, s))
		}
	}
	for range rounds(200) {
		if got := order(); !slices.Equal(got, want) {
			t.Fatalf("order %v, want %v", got, want)
		}
	}
}

func TestAValueIsDeliveredOrItStays(t *testing.T) {
	steps := map[string]struct {
		step      func(tk *task.Task[int], p *future.Promise[int])
		delivered bool
	}{
		"cancel before the result":    {func(tk *task.Task[int], p *future.Promise[int]) { tk.Cancel(errTest); p.Resolve(5) }, false},
		"cancel after the result":     {func(tk *task.Task[int], p *future.Promise[int]) { p.Resolve(5); tk.Cancel(errTest) }, true},
		"cancel twice, then a result": {func(tk *task.Task[int], p *future.Promise[int]) { tk.Cancel(errTest); tk.Cancel(nil); p.Resolve(5) }, false},
	}
	for name, s := range steps {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				f, p := future.New[int]()
				var next error
				tk := task.Go(ctx, func(ctx context.Context) (int, error) {
					v, err := f.Await(ctx)
					_, next = pending().Await(ctx) // nothing of the first wait may hit this one
					return v, err
				})
				yields(ctx, 2)
				s.step(tk, p)
				v, err := tk.Await(ctx)
				if s.delivered && (v != 5 || err != nil) {
					t.Errorf("got %v, %v; want 5 and nil", v, err)
				}
				if !s.delivered {
					testkit.ErrorIs(t, err, errTest)
				}
				testkit.ErrorIs(t, next, errTest)
				if v, err := f.TryResult(); v != 5 || err != nil {
					t.Errorf("the future has %v, %v; want 5 and nil", v, err)
				}
				return nil
			})
		})
	}
}

// A cancellation and a result that race are both right, but only as a whole.
func TestACancellationRacesWithAResult(t *testing.T) {
	loop := testkit.StartLoop(t)
	for range rounds(3000) {
		f, p := future.New[int]()
		g, h := future.New[int]()
		tk := task.Go(loop.Context(), func(ctx context.Context) (int, error) {
			v, err := f.Await(ctx)
			w, err2 := g.Await(context.WithoutCancel(ctx))
			if w != 2 || err2 != nil {
				t.Errorf("the wait after gave %v, %v; want 2 and nil", w, err2)
			}
			return v, err
		})
		var both sync.WaitGroup
		both.Go(func() { p.Resolve(1) })
		both.Go(func() { tk.Cancel(errTest) })
		both.Wait()
		h.Resolve(2)
		v, err := tk.Await(context.Background())
		if (v != 1 || err != nil) && (v != 0 || !errors.Is(err, errTest)) {
			t.Fatalf("got %v, %v; want 1 and nil, or 0 and %v", v, err, errTest)
		}
	}
}

func TestCancelFromManyGoroutinesAtOnce(t *testing.T) {
	loop := testkit.StartLoop(t)
	for range rounds(500) {
		var seen sync.Map
		tk := task.Spawn(loop.Context(), func(ctx context.Context) error {
			c, stop := task.WithTimeout(ctx, time.Hour)
			defer stop()
			child := task.Spawn(c, func(ctx context.Context) error {
				_, err := pending().Await(ctx)
				seen.Store("child", context.Cause(ctx))
				return err
			})
			_, err := pending().Await(ctx)
			child.Await(context.WithoutCancel(ctx))
			seen.Store("task", context.Cause(ctx))
			<-ctx.Done()
			if ctx.Err() != context.Canceled {
				t.Errorf("done, and Err is %v; want %v", ctx.Err(), context.Canceled)
			}
			return err
		})
		causes := []error{errors.New("a"), errors.New("b"), errors.New("c")}
		var joined sync.WaitGroup
		for _, c := range causes {
			joined.Go(func() { tk.Cancel(c) })
		}
		joined.Wait()
		_, err := tk.Await(context.Background())
		own, _ := seen.Load("task")
		child, _ := seen.Load("child")
		if !errors.Is(err, own.(error)) || !slices.Contains(causes, own.(error)) || child != own {
			t.Fatalf("error %v, cause %v, the child's %v; want the same one of all, of %v", err, own, child, causes)
		}
	}
}

// Whoever sees Done closed sees Err and Cause set.
func TestDoneErrAndCauseAgree(t *testing.T) {
	loop := testkit.StartLoop(t)
	for range rounds(2000) {
		contexts := make(chan context.Context, 1)
		tk := task.Spawn(loop.Context(), func(ctx context.Context) error {
			contexts <- ctx
			_, err := pending().Await(ctx)
			return err
		})
		ctx := <-contexts
		var joined sync.WaitGroup
		for range 3 {
			joined.Go(func() {
				<-ctx.Done()
				if ctx.Err() != context.Canceled || context.Cause(ctx) != errTest {
					t.Errorf("Err %v, Cause %v; want %v and %v", ctx.Err(), context.Cause(ctx), context.Canceled, errTest)
				}
			})
			joined.Go(func() {
				for ctx.Err() == nil {
					runtime.Gosched()
				}
				if context.Cause(ctx) != errTest {
					t.Errorf("Cause %v, want %v", context.Cause(ctx), errTest)
				}
			})
		}
		tk.Cancel(errTest)
		joined.Wait()
		tk.Await(context.Background())
	}
}
