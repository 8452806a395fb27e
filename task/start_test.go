package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestStartReturnsWhatStartedWasGiven(t *testing.T) {
	for name, opts := range map[string][]task.Option{"": nil, "eager": {task.Eager()}} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
					ended := false
					v, err := task.Start(ctx, func(ctx context.Context, started func(int) bool) error {
						yields(ctx, 2)
						started(7)
						yields(ctx, 2)
						ended = true
						return nil
					}, opts...)
					if v != 7 || err != nil || ended {
						t.Errorf("Start = %d, %v, it has ended: %v; want 7, nil and false", v, err, ended)
					}
					if g.Wait(); !ended {
						t.Error("Wait has returned before the task had ended, want after")
					}
					return nil
				})
			})
		})
	}
}

func TestAnErrorBeforeStartedIsStartsAndNotTheGroups(t *testing.T) {
	for name, c := range map[string]struct {
		fn   func() error
		want error
	}{
		"an error":        {func() error { return errTest }, errTest},
		"neither":         {func() error { return nil }, task.ErrNotStarted},
		"a panic":         {func() error { panic(errTest) }, errTest},
		"runtime.Goexit":  {func() error { runtime.Goexit(); return nil }, task.ErrGoexit},
		"context's error": {func() error { return context.Canceled }, context.Canceled},
	} {
		for _, grouped := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				var x testkit.Exceptions
				loop := testkit.StartLoop(t, x.Option())
				_, err := task.Spawn(loop.Context(), func(ctx context.Context) error {
					start := func(ctx context.Context, _ *task.Group) error {
						_, err := task.Start(ctx, func(ctx context.Context, started func(int) bool) error {
							yields(ctx, 2)
							return c.fn()
						})
						if !errors.Is(err, c.want) {
							t.Errorf("Start: %v, want %v", err, c.want)
						}
						var p *task.PanicError
						if name == "a panic" && (!errors.As(err, &p) || !strings.Contains(string(p.Stack), "start_test.go")) {
							t.Errorf("Start = %v, want a PanicError with this file in its stack", err)
						}
						return ctx.Err()
					}
					if grouped {
						return task.Scope(ctx, start)
					}
					return start(ctx, nil)
				}).Await(context.Background())
				if err != nil {
					t.Errorf("the group: %v, want nil", err)
				}
				runtime.GC() // what is lost would be reported
				if loop.Close(); len(x.Take()) != 0 {
					t.Error("the error was reported too, want it returned only")
				}
			})
		}
	}
}

func TestAnErrorAfterStartedIsTheGroups(t *testing.T) {
	fails := func(ctx context.Context, started func(struct{}) bool) error {
		started(struct{}{})
		yields(ctx, 2)
		return errTest
	}
	var x testkit.Exceptions
	testkit.Run(t, func(ctx context.Context) error {
		err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			if _, err := task.Start(ctx, fails); err != nil {
				t.Errorf("Start = %v, want nil", err)
			}
			_, err := pending().Await(ctx) // until the group is cancelled
			return err
		})
		if err != errTest {
			t.Errorf("Scope = %v, want %v", err, errTest)
		}
		_, err = task.Start(ctx, fails) // without a group
		return err
	}, x.Option())
	if all := x.Take(); len(all) != 1 || !errors.Is(all[0].Err, errTest) {
		t.Errorf("reports %v, want one, of %v", all, errTest)
	}
}

func TestTheEndOfStartsContextBeforeStarted(t *testing.T) {
	other := errors.New("another error")
	for name, c := range map[string]struct {
		end  func(ctx context.Context, started func(int) bool) error // after the cancellation
		want error
	}{
		"it returns the cause":   {func(ctx context.Context, _ func(int) bool) error { return context.Cause(ctx) }, errTest},
		"it returns nil":         {func(context.Context, func(int) bool) error { return nil }, errTest},
		"it returns an error":    {func(context.Context, func(int) bool) error { return other }, other},
		"it calls started late":  {func(_ context.Context, started func(int) bool) error { started(1); return nil }, errTest},
		"it does both":           {func(_ context.Context, started func(int) bool) error { started(1); return other }, other},
		"it cleans up at length": {func(ctx context.Context, _ func(int) bool) error { yields(context.WithoutCancel(ctx), 9); return nil }, errTest},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
					short, cancel := context.WithCancelCause(ctx)
					ended := false
					loop, _ := reactor.FromContext(ctx)
					v, err := task.Start(short, func(ctx context.Context, started func(int) bool) error {
						defer func() { ended = true }()
						loop.CallSoon(func() { cancel(errTest) })
						_, err := pending().Await(ctx)
						testkit.ErrorIs(t, err, errTest, context.Canceled)
						return c.end(ctx, started)
					})
					if v != 0 || !errors.Is(err, c.want) || !ended {
						t.Errorf("Start: %d, %v, want %v; it has ended: %v", v, err, c.want, ended)
					}
					if ctx.Err() != nil || g.Errors() != nil {
						t.Errorf("the group has heard of it: %v, %v; want nil and nil", ctx.Err(), g.Errors())
					}
					if _, err := task.Start(short, func(context.Context, func(int) bool) error { t.Error("the function runs, want it not to"); return nil }); !errors.Is(err, errTest) {
						t.Errorf("Start with a context that is done: %v, want %v", err, errTest)
					}
					return nil
				})
			})
		})
	}
}

type valueKey struct{}

// Otherwise a timeout for the start would end the server.
func TestTheContextOfStartBoundsTheStartOnly(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		ctx, cancel := task.WithTimeout(ctx, time.Hour)
		defer cancel()
		far, _ := ctx.Deadline()
		err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			var inside context.Context
			release, released := future.New[int]()
			for _, bound := range []func(ctx context.Context) (context.Context, context.CancelFunc){
				func(ctx context.Context) (context.Context, context.CancelFunc) {
					return task.WithTimeout(ctx, time.Minute)
				},
				func(ctx context.Context) (context.Context, context.CancelFunc) {
					return context.WithTimeout(ctx, time.Minute)
				},
			} {
				short, cancel := bound(context.WithValue(ctx, valueKey{}, "value"))
				_, err := task.Start(short, func(ctx context.Context, started func(int) bool) error {
					inside = ctx
					started(1)
					_, err := release.Await(ctx)
					return err
				})
				if err != nil {
					t.Error(err)
				}
				cancel()
				if yields(ctx, 2); inside.Err() != nil || inside.Value(valueKey{}) != "value" {
					t.Errorf("%v, with the value %v; want nil and %v", inside.Err(), inside.Value(valueKey{}), "value")
				}
				if at, ok := inside.Deadline(); !ok || !at.Equal(far) {
					t.Errorf("the deadline is in %v, want %v", time.Until(at), time.Until(far))
				}
			}
			if !task.Reschedule(inside, far.Add(time.Hour)) {
				t.Error("Reschedule of the group's deadline = false, want true")
			}
			if at, _ := inside.Deadline(); !at.Equal(far.Add(time.Hour)) {
				t.Errorf("the deadline is %v, want %v", at, far.Add(time.Hour))
			}
			g.Cancel(errTest)
			if context.Cause(inside) != errTest {
				t.Errorf("the cause is %v, want %v, by the group", context.Cause(inside), errTest)
			}
			released.Resolve(1)
			return nil
		})
		testkit.ErrorIs(t, err, errTest)
		return nil
	})
}

func TestStartFromAPlainGoroutine(t *testing.T) {
	loop := testkit.StartLoop(t)
	v, err := task.Start(loop.Context(), func(ctx context.Context, started func(address string) bool) error {
		go started("from another goroutine")
		_, err := pending().Await(ctx)
		return err
	})
	if v != "from another goroutine" || err != nil {
		t.Errorf("%q, %v; want %q and nil", v, err, "from another goroutine")
	}
	loop.Close()
	if _, err := task.Start(loop.Context(), func(context.Context, func(int) bool) error { return nil }); !errors.Is(err, reactor.ErrClosed) {
		t.Errorf("on a closed loop: %v, want %v", err, reactor.ErrClosed)
	}
}

func TestStartIsMisused(t *testing.T) {
	loop := testkit.StartLoop(t)
	noStart := func(context.Context, func(int) bool) error { return nil }
	testkit.Panics(t, "task: the context given to Start carries no loop; …", func() { task.Start(context.Background(), noStart) })
	testkit.OnLoop(t, loop, func() {
		testkit.Panics(t, "task: Start in a loop callback…", func() { task.Start(loop.Context(), noStart) })
	})
	_, err := task.Start(loop.Context(), func(_ context.Context, started func(int) bool) error {
		started(1)
		testkit.Panics(t, "task: started was called twice; …", func() { started(2) })
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A chain of tasks that each start the next one keeps none of those that have ended.
func TestAChainOfStartedTasksDoesNotGrow(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var chains []string // of contexts, as they describe themselves
		done, finish := future.New[int]()
		var link func(ctx context.Context, started func(int) bool) error
		link = func(ctx context.Context, started func(int) bool) error {
			started(1)
			if chains = append(chains, fmt.Sprint(task.Values(ctx))); len(chains) == 10 {
				finish.Resolve(1)
				return nil
			}
			short, cancel := task.WithTimeout(ctx, time.Hour)
			defer cancel()
			_, err := task.Start(short, link)
			return err
		}
		if _, err := task.Start(ctx, link); err != nil {
			return err
		}
		done.Await(ctx)
		if len(chains[9]) > len(chains[1]) {
			t.Errorf("the first: %s\nthe last: %s\nwant it no longer", chains[1], chains[9])
		}
		return nil
	})
}
