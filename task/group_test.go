package task_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// group is errgroup's method set: a program changes only the constructor.
type group interface {
	Go(fn func() error)
	TryGo(fn func() error) bool
	SetLimit(n int)
	Wait() error
}

var (
	_, _ group = (*errgroup.Group)(nil), (*task.Group)(nil)
)

// What both groups do alike.
func TestGroupDoesWhatErrgroupDoes(t *testing.T) {
	constructors := map[string]func(ctx context.Context) (group, context.Context){
		"errgroup": func(ctx context.Context) (group, context.Context) { g, c := errgroup.WithContext(ctx); return g, c },
		"task":     func(ctx context.Context) (group, context.Context) { g, c := task.NewGroup(ctx); return g, c },
		"zero":     func(ctx context.Context) (group, context.Context) { return &task.Group{}, nil },
	}
	for name, construct := range constructors {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				wait := func(g group) error { return task.Wait(ctx, g) }

				g, gctx := construct(ctx)
				if err := wait(g); err != nil {
					t.Error("of none:", err)
				}
				if gctx != nil && gctx.Err() != context.Canceled {
					t.Error("Wait does not cancel the context:", gctx.Err())
				}

				g, gctx = construct(ctx)
				g.Go(func() error { return errTest })
				for range 3 {
					g.Go(func() error {
						if gctx == nil {
							return errors.New("a later error")
						}
						_, err := pending().Await(gctx)
						wantErr(t, err, errTest, context.Canceled)
						return err
					})
				}
				if err := wait(g); err != errTest {
					t.Error("Wait:", err)
				}
				if gctx != nil && context.Cause(gctx) != errTest {
					t.Error("cause:", context.Cause(gctx))
				}

				g, _ = construct(ctx)
				g.SetLimit(2)
				f, p := future.New[int]()
				var mu sync.Mutex
				running, most := 0, 0
				member := func() error {
					mu.Lock()
					running++
					most = max(most, running)
					mu.Unlock()
					_, err := f.Await(context.Background())
					mu.Lock()
					running--
					mu.Unlock()
					return err
				}
				if !g.TryGo(member) || !g.TryGo(member) || g.TryGo(member) {
					t.Error("TryGo does not keep the limit")
				}
				if v := mustPanic(t, func() { g.SetLimit(3) }); v == nil {
					t.Error("SetLimit while members run")
				}
				more := task.Spawn(ctx, func(ctx context.Context) error {
					_, err := task.Blocking(ctx, func(ctx context.Context) (int, error) {
						if name != "zero" {
							for range 10 {
								g.Go(member) // waits for a slot
							}
						}
						return 0, nil
					})
					return err
				})
				yields(ctx, 10)
				p.Resolve(1)
				if _, err := more.Await(ctx); err != nil {
					return err
				}
				if err := wait(g); err != nil || most > 2 {
					t.Errorf("Wait: %v; %d at once", err, most)
				}
				g.SetLimit(-1)
				for range 100 {
					g.Go(func() error { return nil })
				}
				return wait(g)
			})
		})
	}
}

func TestGroupGoSuspendsAtTheLimitInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		g.SetLimit(3)
		var order []int
		running, most := 0, 0
		var starters []*task.Task[struct{}]
		for i := range 20 {
			starters = append(starters, task.Spawn(ctx, func(context.Context) error {
				g.Go(func() error {
					order = append(order, i)
					running++
					most = max(most, running)
					err := task.Yield(gctx)
					running--
					return err
				})
				return nil
			}))
		}
		if _, err := future.All(ctx, starters...); err != nil {
			return err
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, v := range order {
			if i != v {
				t.Fatalf("order %v", order)
			}
		}
		if most != 3 {
			t.Errorf("%d at once", most)
		}
		return nil
	})
}

func TestGroupSlotsAreNeverLost(t *testing.T) {
	loop := background(t)
	for range rounds(100) {
		g, gctx := task.NewGroup(loop.Context())
		g.SetLimit(2)
		var joined sync.WaitGroup
		for i := range 8 { // goroutines and tasks
			start := func(context.Context) (int, error) {
				for range 5 {
					g.Go(func() error {
						switch i % 4 {
						case 0:
							panic("a member's")
						case 1:
							runtime.Goexit()
						}
						return task.Yield(gctx)
					})
				}
				return 0, nil
			}
			joined.Go(func() {
				if i < 4 {
					start(gctx)
				} else {
					task.Go(loop.Context(), start).Await(context.Background())
				}
			})
		}
		joined.Wait()
		if err := g.Wait(); err == nil {
			t.Error("no error")
		}
	}
}

func TestGroupMembersThatPanicOrExit(t *testing.T) {
	run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		g.Go(func() error { panicsHere(); return nil })
		g.Go(func() error { _, err := pending().Await(gctx); return err })
		var p *task.PanicError
		if err := g.Wait(); !errors.As(err, &p) || p.Value != "here" || !strings.Contains(string(p.Stack), "panicsHere") {
			t.Errorf("Wait: %v", err)
		}
		g, _ = task.NewGroup(ctx)
		g.Go(func() error { panic(errTest) })
		wantErr(t, g.Wait(), errTest)
		return nil
	})
	loop := background(t) // goes on after a Goexit
	g, _ := task.NewGroup(loop.Context())
	g.Go(func() error { runtime.Goexit(); return nil })
	wantErr(t, g.Wait(), task.ErrGoexit)
	if v, err := task.Go(loop.Context(), func(context.Context) (int, error) { return 1, nil }).Await(context.Background()); v != 1 || err != nil {
		t.Errorf("the loop does not go on: %v, %v", v, err)
	}
}

func panicsHere() { panic("here") }

func TestTypedMembersOfAGroup(t *testing.T) {
	run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		typed := task.Go(gctx, func(ctx context.Context) (string, error) {
			inner := task.Go(context.WithValue(ctx, anyKey{}, 1), func(ctx context.Context) (string, error) { // a member too
				yields(ctx, 20)
				return "inner", nil
			})
			yields(ctx, 10)
			inner.AsFuture()
			return "typed", nil
		})
		if err := g.Wait(); err != nil {
			return err
		}
		if v, err := typed.TryResult(); v != "typed" || err != nil {
			t.Errorf("got %q, %v", v, err)
		}
		g, gctx = task.NewGroup(ctx)
		failing := task.Go(gctx, func(ctx context.Context) (int, error) { return 0, errTest })
		if err := g.Wait(); err != errTest {
			t.Error(err)
		}
		_, err := failing.TryResult()
		wantErr(t, err, errTest)
		return nil
	})
}

func TestNestedGroups(t *testing.T) {
	run(t, func(ctx context.Context) error {
		outer, octx := task.NewGroup(ctx)
		ended := 0
		for range 3 {
			outer.Go(func() error {
				inner, ictx := task.NewGroup(octx)
				for range 3 {
					inner.Go(func() error {
						defer func() { ended++ }()
						_, err := pending().Await(ictx)
						return err
					})
				}
				return inner.Wait()
			})
		}
		outer.Go(func() error { yields(octx, 5); return errTest })
		if err := outer.Wait(); err != errTest || ended != 9 {
			t.Errorf("Wait: %v, %d have ended", err, ended)
		}
		return nil
	})
}

func TestMembersOnAnotherLoop(t *testing.T) {
	other := background(t)
	run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		where := task.Go(reactor.WithLoop(gctx, other), func(ctx context.Context) (bool, error) {
			yields(ctx, 100)
			return other.InLoop(), nil
		})
		if err := g.Wait(); err != nil {
			return err
		}
		if there, err := where.TryResult(); !there || err != nil {
			t.Errorf("got %v, %v", there, err)
		}
		g, gctx = task.NewGroup(ctx)
		task.Spawn(reactor.WithLoop(gctx, other), func(ctx context.Context) error { return errTest })
		g.Go(func() error { _, err := pending().Await(gctx); return err })
		wantErr(t, g.Wait(), errTest)
		return nil
	})
}

func TestGroupsThatAreNotAwaited(t *testing.T) {
	forever := func(ctx context.Context) func() error {
		return func() error { _, err := pending().Await(ctx); return err }
	}
	cases := map[string]struct {
		maker func(ctx context.Context) error
		want  []error // of the report; nil for none
	}{
		"with running members": {func(ctx context.Context) error {
			g, gctx := task.NewGroup(ctx)
			g.Go(forever(gctx))
			return nil
		}, []error{task.ErrNotAwaited}},
		"with members that swallow the cancellation": {func(ctx context.Context) error {
			g, gctx := task.NewGroup(ctx)
			g.Go(func() error { forever(gctx)(); return nil })
			return nil
		}, []error{task.ErrNotAwaited}},
		"with a member that had failed": {func(ctx context.Context) error {
			g, _ := task.NewGroup(ctx)
			g.Go(func() error { return errTest })
			yields(ctx, 3)
			return nil
		}, []error{task.ErrNotAwaited, errTest}},
		"by a maker that panics": {func(ctx context.Context) error {
			g, gctx := task.NewGroup(ctx)
			g.Go(forever(gctx))
			panic("maker")
		}, []error{task.ErrNotAwaited}},
		"without members": {func(ctx context.Context) error {
			task.NewGroup(ctx)
			return nil
		}, nil},
		"with members that had ended well": {func(ctx context.Context) error {
			g, _ := task.NewGroup(ctx)
			g.Go(func() error { return nil })
			yields(ctx, 3)
			return nil
		}, nil},
		"but by another task": {func(ctx context.Context) error {
			g, gctx := task.NewGroup(ctx)
			g.Go(func() error { return task.Sleep(gctx, time.Millisecond) })
			task.Spawn(ctx, func(context.Context) error { return g.Wait() })
			yields(ctx, 2)
			return nil
		}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var x exceptions
			run(t, func(ctx context.Context) error {
				tk := task.Spawn(ctx, c.maker)
				tk.Await(ctx)
				all := x.take()
				if c.want == nil && len(all) > 0 || c.want != nil && len(all) != 1 {
					t.Fatalf("reports: %v", all)
				}
				if c.want != nil {
					wantErr(t, all[0].Err, c.want...)
				}
				return nil
			}, x.option())
		})
	}
}

func TestScope(t *testing.T) {
	run(t, func(ctx context.Context) error {
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
			t.Errorf("an error: %v, %d have ended", err, ended)
		}
		if v := mustPanic(t, func() { leave(panicsHere) }); v != "here" || ended != 6 {
			t.Errorf("a panic: %v, %d have ended", v, ended)
		}
		err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			g.Go(func() error { return task.Sleep(ctx, time.Millisecond) })
			return nil
		})
		return err
	})
	loop := background(t)
	ended := 0
	_, err := task.Go(loop.Context(), func(ctx context.Context) (int, error) {
		return 0, task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			g.Go(func() error { defer func() { ended++ }(); _, err := pending().Await(ctx); return err })
			yields(ctx, 2)
			runtime.Goexit()
			return nil
		})
	}).Await(context.Background())
	wantErr(t, err, task.ErrGoexit)
	onLoop(t, loop, func() {
		if ended != 1 {
			t.Error("Goexit: the member goes on")
		}
	})
	err = task.Scope(loop.Context(), func(ctx context.Context, g *task.Group) error { // in a goroutine
		g.Go(func() error { return errTest })
		return nil
	})
	wantErr(t, err, errTest)
}

func TestTheRootGroupCancelsNobody(t *testing.T) {
	var x exceptions
	run(t, func(ctx context.Context) error {
		bad := task.Spawn(ctx, func(context.Context) error { return errTest })
		good := task.Go(ctx, func(ctx context.Context) (int, error) { return 1, task.Sleep(ctx, time.Millisecond) })
		if v, err := good.Await(ctx); v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		_, err := bad.Await(ctx)
		wantErr(t, err, errTest)
		return nil
	}, x.option())
	if all := x.take(); len(all) > 0 {
		t.Errorf("reports: %v", all)
	}
}

func TestErrorsThatNobodyRetrievesAreReported(t *testing.T) {
	fail := func(context.Context) error { return errTest }
	cases := map[string]struct {
		main     func(ctx context.Context) error
		reported int
	}{
		"kept and forgotten": {func(ctx context.Context) error { kept = task.Spawn(ctx, fail, task.Name("kept")); return nil }, 1},
		"dropped, collected or not": {func(ctx context.Context) error {
			for range 10 {
				task.Spawn(ctx, fail)
			}
			yields(ctx, 3)
			runtime.GC()
			return nil
		}, 10},
		"awaited": {func(ctx context.Context) error { task.Spawn(ctx, fail).Await(ctx); return nil }, 0},
		"asked for by TryResult": {func(ctx context.Context) error {
			tk := task.Spawn(ctx, fail)
			yields(ctx, 2)
			tk.TryResult()
			return nil
		}, 0},
		"given to a callback": {func(ctx context.Context) error {
			loop, _ := reactor.FromContext(ctx)
			task.Spawn(ctx, fail).OnDone(loop, func(struct{}, error) {})
			return task.Yield(ctx)
		}, 0},
		"a panic": {func(ctx context.Context) error {
			task.Spawn(ctx, func(context.Context) error { panic("x") })
			return nil
		}, 1},
		"a member": {func(ctx context.Context) error {
			task.Scope(ctx, func(ctx context.Context, _ *task.Group) error { task.Spawn(ctx, fail); return nil })
			return nil
		}, 0},
		"cancelled at the end": {func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error { _, err := pending().Await(ctx); return err })
			task.Spawn(ctx, func(ctx context.Context) error { pending().Await(ctx); return ctx.Err() })
			return task.Yield(ctx)
		}, 0},
		"an error of its own at the end": {func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error { pending().Await(ctx); return errTest })
			return task.Yield(ctx)
		}, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var x exceptions
			run(t, c.main, x.option())
			all := x.take()
			if len(all) != c.reported {
				t.Fatalf("%d reports: %v", len(all), all)
			}
			if c.reported == 1 && (all[0].Op != "task" || !strings.HasPrefix(all[0].Err.Error(), "never retrieved: ")) {
				t.Errorf("report: %v", all[0])
			}
			if name == "kept and forgotten" && (all[0].Name != "kept" || !errors.Is(all[0].Err, errTest)) {
				t.Errorf("report: %v", all[0])
			}
		})
	}
}

func TestErrorsAreReportedWhenTheirTasksAreCollected(t *testing.T) {
	foreign, cancel := context.WithCancel(context.Background())
	defer cancel()
	contexts := map[string]func(ctx context.Context, loop *reactor.Loop) context.Context{
		"own":     func(ctx context.Context, loop *reactor.Loop) context.Context { return ctx },
		"foreign": func(_ context.Context, loop *reactor.Loop) context.Context { return reactor.WithLoop(foreign, loop) },
	}
	for name, derive := range contexts {
		t.Run(name, func(t *testing.T) {
			var x exceptions
			run(t, func(ctx context.Context) error {
				loop, _ := reactor.FromContext(ctx)
				for range 10 {
					task.Spawn(derive(ctx, loop), func(ctx context.Context) error { yields(ctx, 2); return errTest }, task.Name("lost"))
				}
				reports := 0
				eventually(ctx, func() bool { runtime.GC(); reports += len(x.take()); return reports == 10 })
				return nil
			}, x.option())
			if all := x.take(); len(all) > 0 {
				t.Errorf("reports at the end: %v", all)
			}
		})
	}
}

var kept *task.Task[struct{}]

func TestACallbackThatPanicsAtATasksEnd(t *testing.T) {
	var x exceptions
	run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		tk := task.Go(gctx, func(ctx context.Context) (int, error) { return 1, task.Yield(ctx) })
		called := false
		tk.OnDone(future.Inline, func(int, error) { panic("callback") })
		tk.OnDone(future.Inline, func(int, error) { called = true })
		if err := g.Wait(); err != nil || !called {
			t.Errorf("Wait: %v; the other callback ran: %v", err, called)
		}
		if v, err := tk.Await(ctx); v != 1 || err != nil {
			t.Errorf("got %v, %v", v, err)
		}
		return nil
	}, x.option())
	if all := x.take(); len(all) != 1 || all[0].Op != "callback" {
		t.Errorf("reports: %v", all)
	}
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
			run(t, func(ctx context.Context) error {
				ran := false
				tk := cancel(ctx, func(ctx context.Context) error {
					ran = true
					if ctx.Err() != context.Canceled || context.Cause(ctx) != errTest {
						t.Errorf("Err %v, Cause %v", ctx.Err(), context.Cause(ctx))
					}
					return task.Sleep(ctx, time.Hour)
				})
				_, err := tk.Await(ctx)
				wantErr(t, err, errTest)
				if !ran || tk.Cancel(nil) {
					t.Errorf("it ran: %v", ran)
				}
				return nil
			})
		})
	}
}

func TestAClosedLoopRefuses(t *testing.T) {
	loop := background(t)
	g, gctx := task.NewGroup(loop.Context())
	g.SetLimit(1)
	loop.Close()
	for _, ctx := range []context.Context{loop.Context(), reactor.WithLoop(context.Background(), loop), gctx} {
		_, err := task.Go(ctx, func(context.Context) (int, error) { t.Error("it ran"); return 0, nil }).Await(context.Background())
		wantErr(t, err, reactor.ErrClosed)
	}
	for range 3 {
		g.Go(func() error { t.Error("it ran"); return nil }) // does not wait for a slot for ever
	}
	wantErr(t, g.Wait(), reactor.ErrClosed)
	wantErr(t, gctx.Err(), context.Canceled)
}

func TestMisusePanicsWithOneSentence(t *testing.T) {
	none := func(context.Context) error { return nil }
	for want, misuse := range map[string]func(){
		"task: the context given to Go carries no loop; use a task's context, loop.Context() or reactor.WithLoop":       func() { task.Spawn(context.Background(), none) },
		"task: the context given to NewGroup carries no loop; use a task's context, loop.Context() or reactor.WithLoop": func() { task.NewGroup(context.Background()) },
		"task: the zero Group was used outside a loop; make the group with task.NewGroup": func() {
			var g task.Group
			mustPanic(t, func() { g.TryGo(func() error { return nil }) })
			g.SetLimit(1) // no slot was taken
			g.Go(func() error { return nil })
		},
		"future: Fail(nil); use Resolve for a success": func() { future.Failed[int](nil) },
	} {
		if v := mustPanic(t, misuse); v != want {
			t.Errorf("panic %v, want %s", v, want)
		}
	}
	run(t, func(ctx context.Context) error {
		const want = "task: Run inside a loop; start a task with Go or Spawn"
		if v := mustPanic(t, func() { task.Run(ctx, none) }); v != want {
			t.Errorf("panic %v", v)
		}
		return nil
	})
}
