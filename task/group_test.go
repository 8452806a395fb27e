package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/inspect"
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
			testkit.Run(t, func(ctx context.Context) error {
				wait := func(g group) error { return task.Wait(ctx, g) }

				g, gctx := construct(ctx)
				if err := wait(g); err != nil {
					t.Errorf("Wait of none = %v, want nil", err)
				}
				if gctx != nil && gctx.Err() != context.Canceled {
					t.Errorf("after Wait the context's Err = %v, want %v", gctx.Err(), context.Canceled)
				}

				g, gctx = construct(ctx)
				g.Go(func() error { return errTest })
				for range 3 {
					g.Go(func() error {
						if gctx == nil {
							return errors.New("a later error")
						}
						_, err := pending().Await(gctx)
						testkit.ErrorIs(t, err, errTest, context.Canceled)
						return err
					})
				}
				if err := wait(g); err != errTest {
					t.Errorf("Wait = %v, want %v", err, errTest)
				}
				if gctx != nil && context.Cause(gctx) != errTest {
					t.Errorf("the cause is %v, want %v", context.Cause(gctx), errTest)
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
				if started := []bool{g.TryGo(member), g.TryGo(member), g.TryGo(member)}; !slices.Equal(started, []bool{true, true, false}) {
					t.Errorf("TryGo with a limit of 2 has started %v, want the first two", started)
				}
				// errgroup says it in its own words.
				if v := testkit.PanicOf(func() { g.SetLimit(3) }); v == nil {
					t.Error("SetLimit while members run does not panic, want that it does")
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
					t.Errorf("Wait: %v; %d at once; want nil and at most 2", err, most)
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
	testkit.Run(t, func(ctx context.Context) error {
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
				t.Fatalf("order %v, want %d in place %d", order, i, i)
			}
		}
		if most != 3 {
			t.Errorf("%d at once, want 3", most)
		}
		return nil
	})
}

func TestGroupSlotsAreNeverLost(t *testing.T) {
	loop := testkit.StartLoop(t)
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
			t.Error("Wait = nil, want an error")
		}
	}
}

func TestGroupMembersThatPanicOrExit(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		g.Go(func() error { panicsHere(); return nil })
		g.Go(func() error { _, err := pending().Await(gctx); return err })
		var p *task.PanicError
		if err := g.Wait(); !errors.As(err, &p) || p.Value != "here" || !strings.Contains(string(p.Stack), "panicsHere") {
			t.Errorf("Wait = %v, want a PanicError of here, with panicsHere in its stack", err)
		}
		g, _ = task.NewGroup(ctx)
		g.Go(func() error { panic(errTest) })
		testkit.ErrorIs(t, g.Wait(), errTest)
		return nil
	})
	loop := testkit.StartLoop(t) // goes on after a Goexit
	g, _ := task.NewGroup(loop.Context())
	g.Go(func() error { runtime.Goexit(); return nil })
	testkit.ErrorIs(t, g.Wait(), task.ErrGoexit)
	if v, err := task.Go(loop.Context(), func(context.Context) (int, error) { return 1, nil }).Await(context.Background()); v != 1 || err != nil {
		t.Errorf("the loop does not go on: %v, %v; want 1 and nil", v, err)
	}
}

func panicsHere() { panic("here") }

func TestTypedMembersOfAGroup(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		typed := task.Go(gctx, func(ctx context.Context) (string, error) {
			// a member too
			inner := task.Go(context.WithValue(ctx, anyKey{}, 1), func(ctx context.Context) (string, error) {
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
			t.Errorf("got %q, %v; want %q and nil", v, err, "typed")
		}
		g, gctx = task.NewGroup(ctx)
		failing := task.Go(gctx, func(ctx context.Context) (int, error) { return 0, errTest })
		if err := g.Wait(); err != errTest {
			t.Error(err)
		}
		_, err := failing.TryResult()
		testkit.ErrorIs(t, err, errTest)
		return nil
	})
}

func TestNestedGroups(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
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
			t.Errorf("Wait: %v, %d have ended; want %v and 9", err, ended, errTest)
		}
		return nil
	})
}

func TestAGroupInACallbackDoesNotWait(t *testing.T) {
	loop := testkit.StartLoop(t)
	var g *task.Group
	testkit.OnLoop(t, loop, func() {
		var gctx context.Context
		g, gctx = task.NewGroup(loop.Context())
		g.SetLimit(1)
		member := func() error { _, err := pending().Await(gctx); return err }
		g.Go(member)
		for want, wait := range map[string]func(){
			"task: Group.Wait": func() { g.Wait() }, "task: Group.Go at the group's limit": func() { g.Go(member) },
		} {
			testkit.Panics(t, want+" in a loop callback would stop the loop…", wait)
		}
		if g.TryGo(member) {
			t.Error("TryGo at the limit = true, want false")
		}
	})
	g.Cancel(errTest)
	testkit.ErrorIs(t, g.Wait(), errTest)
}

func TestMembersOnAnotherLoop(t *testing.T) {
	other := testkit.StartLoop(t)
	testkit.Run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		where := task.Go(reactor.WithLoop(gctx, other), func(ctx context.Context) (bool, error) {
			yields(ctx, 100)
			return other.InLoop(), nil
		})
		if err := g.Wait(); err != nil {
			return err
		}
		if there, err := where.TryResult(); !there || err != nil {
			t.Errorf("on the other loop: %v, %v; want true and nil", there, err)
		}
		g, gctx = task.NewGroup(ctx)
		task.Spawn(reactor.WithLoop(gctx, other), func(ctx context.Context) error { return errTest })
		g.Go(func() error { _, err := pending().Await(gctx); return err })
		testkit.ErrorIs(t, g.Wait(), errTest)
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
			var x testkit.Exceptions
			testkit.Run(t, func(ctx context.Context) error {
				tk := task.Spawn(ctx, c.maker)
				tk.Await(ctx)
				all := x.Take()
				if c.want == nil && len(all) > 0 || c.want != nil && len(all) != 1 {
					t.Fatalf("reports %v, want one of %v (none if nil)", all, c.want)
				}
				if c.want != nil {
					testkit.ErrorIs(t, all[0].Err, c.want...)
				}
				return nil
			}, x.Option())
		})
	}
}

// A member that calls Go on its own full group waits for itself. That is told in debug mode, and
// the end of the loop ends it.
func TestAMemberThatWaitsForASlotOfItsOwnFullGroup(t *testing.T) {
	for _, end := range []string{"the loop is closed", "the group is cancelled"} {
		t.Run(end, func(t *testing.T) {
			var x testkit.Exceptions
			ran := false
			told := false
			err := task.Run(context.Background(), func(ctx context.Context) error {
				g, _ := task.NewGroup(ctx)
				g.SetLimit(1)
				g.Go(func() error {
					g.Go(func() error { ran = true; return nil })
					return nil
				})
				task.Sleep(ctx, time.Millisecond)
				for _, e := range x.Take() {
					told = told || errors.Is(e.Err, inspect.ErrDeadlock)
				}
				if ran {
					t.Error("the second member runs beside the first, want one at a time")
				}
				if end == "the group is cancelled" {
					g.Cancel(errTest)
					return g.Wait()
				}
				return nil // and the group is cancelled, since nobody waits for it
			}, task.WithSignals(), task.WithLoopOptions(x.Option(), debugMode(0)))
			if err != nil {
				t.Error(err)
			}
			if !told || !ran {
				t.Errorf("the deadlock was told: %v; the second member ran: %v; want both", told, ran)
			}
		})
	}
}

// Those that give up waiting for a group leave in a few steps each, however many there are: with
// steps that grew with their number the watchdog would come.
func TestManyGiveUpWaitingForAGroup(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		many := rounds(40_000)
		g, gctx := task.NewGroup(ctx)
		task.Spawn(gctx, sleeps)
		waiting, wctx := task.NewGroup(context.WithoutCancel(ctx))
		scope, cancel := task.WithTimeout(wctx, time.Hour)
		defer cancel()
		for range many {
			task.Spawn(scope, func(ctx context.Context) error { task.Wait(ctx, g); return nil })
		}
		yields(ctx, 3)
		cancel()
		waiting.Wait()
		g.Cancel(nil)
		g.Wait()
		return nil
	})
}
