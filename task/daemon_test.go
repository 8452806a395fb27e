package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// untilCancelled waits for the end of ctx, and notes its cause.
func untilCancelled(cause *error) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := pending().Await(ctx)
		*cause = context.Cause(ctx)
		return err
	}
}

func TestADaemonIsCancelledAndAwaitedWhenTheOthersHaveEnded(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var got []string
		say := func(format string, a ...any) { got = append(got, fmt.Sprintf(format, a...)) }
		g, gctx := task.NewGroup(ctx)
		for _, name := range []string{"d1", "d2"} {
			task.Spawn(gctx, func(ctx context.Context) error {
				_, err := pending().Await(ctx)
				say("%s: %v", name, context.Cause(ctx) == task.ErrEnded)
				yields(context.WithoutCancel(ctx), 3) // to clean up
				say("%s has ended", name)
				return err
			}, task.Daemon())
		}
		g.Go(func() error {
			yields(ctx, 2)
			g.Go(func() error { yields(ctx, 2); say("the last member"); return nil })
			return nil
		})
		if err := g.Wait(); err != nil || g.Errors() != nil {
			t.Errorf("Wait: %v, Errors: %v; want nil and nil", err, g.Errors())
		}
		say("Wait")
		want := []string{"the last member", "d1: true", "d2: true", "d1 has ended", "d2 has ended", "Wait"}
		if !slices.Equal(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
		return nil
	})
}

func TestWhatADaemonDoesToItsGroup(t *testing.T) {
	later := func(ctx context.Context, err error) error { yields(context.WithoutCancel(ctx), 3); return err }
	for _, c := range []struct {
		name   string
		spawn  func(ctx context.Context, g *task.Group)
		err    error
		errors bool
	}{
		{"none but daemons", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, untilCancelled(new(error)), task.Daemon())
		}, nil, false},
		{"it fails while the others run", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, func(context.Context) error { return errTest }, task.Daemon())
			task.Spawn(ctx, untilCancelled(new(error)))
		}, errTest, true},
		{"it fails when it is cancelled", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, func(ctx context.Context) error { pending().Await(ctx); return errTest }, task.Daemon())
		}, errTest, true},
		{"it is isolated, and fails", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, func(context.Context) error { return errTest }, task.Daemon(), task.Isolated()).TryResult()
			g.Go(func() error { return later(ctx, nil) })
		}, nil, false},
		{"what it starts is a daemon", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, func(ctx context.Context) error {
				task.Spawn(ctx, untilCancelled(new(error)))
				return nil // and leaves it
			}, task.Daemon())
			g.Go(func() error { return later(ctx, nil) })
		}, nil, false},
		{"the members of a group that it makes are none", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, func(ctx context.Context) error {
				return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
					g.Go(func() error { return later(ctx, nil) })
					return nil
				})
			}, task.Daemon())
		}, nil, false},
		{"a member fails", func(ctx context.Context, g *task.Group) {
			task.Spawn(ctx, untilCancelled(new(error)), task.Daemon())
			g.Go(func() error { return errTest })
		}, errTest, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var x testkit.Exceptions
			testkit.Run(t, func(ctx context.Context) error {
				g, gctx := task.NewGroup(ctx)
				c.spawn(gctx, g)
				if err := g.Wait(); !errors.Is(err, c.err) || (c.err == nil) != (err == nil) {
					t.Errorf("Wait: %v, want %v", err, c.err)
				}
				if err := g.Errors(); (err != nil) != c.errors {
					t.Errorf("Errors = %v, want some: %v", err, c.errors)
				}
				return nil
			}, x.Option())
			if all := x.Take(); c.name != "it is isolated, and fails" && len(all) != 0 {
				t.Errorf("reports %v, want none", all)
			}
		})
	}
}

// The end of the others counts while somebody waits for it.
func TestADaemonGoesOnWhileNobodyWaits(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		var cause error
		task.Spawn(gctx, untilCancelled(&cause), task.Daemon())
		g.Go(func() error { return nil })
		if yields(ctx, 5); cause != nil {
			t.Fatalf("before Wait the daemon was cancelled with %v, want it to go on", cause)
		}
		release := make(chan struct{})
		g.Go(func() error {
			_, err := task.Blocking(ctx, func(context.Context) (int, error) { <-release; return 0, nil })
			return err
		})
		short, cancel := context.WithCancel(ctx)
		waiting := task.Spawn(ctx, func(context.Context) error { return task.Wait(short, g) })
		yields(ctx, 2)
		cancel()
		_, err := waiting.Await(ctx)
		testkit.ErrorIs(t, err, context.Canceled)
		close(release)
		if testkit.Eventually(t, "that one task is left in the group", func() bool { return g.String() == "group of 1 running tasks" }); cause != nil {
			t.Errorf("the daemon was cancelled with %v, want it to go on: that Wait has given up", cause)
		}
		if err := g.Wait(); err != nil || cause != task.ErrEnded {
			t.Errorf("Wait: %v; cause %v; want nil and %v", err, cause, task.ErrEnded)
		}
		return nil
	})
}

func TestADaemonThatIsStartedLate(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		var first, second error
		task.Spawn(gctx, func(ctx context.Context) error {
			pending().Await(ctx)
			task.Spawn(gctx, untilCancelled(&second), task.Daemon())
			return nil
		}, task.Daemon())
		task.Spawn(gctx, untilCancelled(&first), task.Daemon())
		if err := g.Wait(); err != nil || first != task.ErrEnded || second != task.ErrEnded {
			t.Errorf("Wait: %v; causes %v, %v; want nil, %v and %v", err, first, second, task.ErrEnded, task.ErrEnded)
		}
		return nil
	})
}

func TestADaemonOfAGroupThatIsNotAwaited(t *testing.T) {
	var x testkit.Exceptions
	var cause error
	testkit.Run(t, func(ctx context.Context) error {
		_, gctx := task.NewGroup(ctx)
		task.Spawn(gctx, untilCancelled(&cause), task.Daemon())
		return task.Yield(ctx)
	}, x.Option())
	if cause != task.ErrNotAwaited || len(x.Take()) != 1 {
		t.Errorf("the daemon was cancelled with %v, want %v and one report", cause, task.ErrNotAwaited)
	}
}

func TestADaemonWithoutAGroup(t *testing.T) {
	var cause error
	testkit.Run(t, func(ctx context.Context) error {
		task.Spawn(ctx, untilCancelled(&cause), task.Daemon())
		return task.Yield(ctx)
	})
	if cause == nil || errors.Is(cause, task.ErrEnded) {
		t.Errorf("cause %v, want %v", cause, reactor.ErrClosed)
	}
}

// The end of one daemon has nothing to do with the others: to dismiss many costs as much for each
// as to dismiss one.
func TestEachDaemonIsDismissedOnce(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		const n = 2000
		g, gctx := task.NewGroup(ctx)
		for range n {
			task.Spawn(gctx, func(ctx context.Context) error { _, err := pending().Await(ctx); return err }, task.Daemon())
		}
		task.Yield(ctx)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		if each := (after.Mallocs - before.Mallocs) / n; each > 200 {
			t.Errorf("%d allocations for each, want at most 200", each)
		}
		return nil
	})
}
