package task_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestTheRootGroupCancelsNobody(t *testing.T) {
	var x testkit.Exceptions
	testkit.Run(t, func(ctx context.Context) error {
		bad := task.Spawn(ctx, func(context.Context) error { return errTest })
		good := task.Go(ctx, func(ctx context.Context) (int, error) { return 1, task.Sleep(ctx, time.Millisecond) })
		if v, err := good.Await(ctx); v != 1 || err != nil {
			t.Errorf("got %v, %v; want 1 and nil", v, err)
		}
		_, err := bad.Await(ctx)
		testkit.ErrorIs(t, err, errTest)
		return nil
	}, x.Option())
	if all := x.Take(); len(all) > 0 {
		t.Errorf("reports %v, want none", all)
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
			var x testkit.Exceptions
			testkit.Run(t, c.main, x.Option())
			all := x.Take()
			if len(all) != c.reported {
				t.Fatalf("%d reports: %v, want %d", len(all), all, c.reported)
			}
			if c.reported == 1 && (all[0].Op != "task" || !strings.HasPrefix(all[0].Err.Error(), "never retrieved: ")) {
				t.Errorf("report %v, want one of a task, of an error never retrieved", all[0])
			}
			if name == "kept and forgotten" && (all[0].Name != "kept" || !errors.Is(all[0].Err, errTest)) {
				t.Errorf("report %v, want one of the task named kept, of %v", all[0], errTest)
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
			var x testkit.Exceptions
			testkit.Run(t, func(ctx context.Context) error {
				loop, _ := reactor.FromContext(ctx)
				for range 10 {
					task.Spawn(derive(ctx, loop), func(ctx context.Context) error { yields(ctx, 2); return errTest }, task.Name("lost"))
				}
				reports := 0
				testkit.Eventually(t, "ten reports", func() bool { runtime.GC(); reports += len(x.Take()); return reports == 10 })
				return nil
			}, x.Option())
			if all := x.Take(); len(all) > 0 {
				t.Errorf("reports at the end: %v, want none", all)
			}
		})
	}
}

var kept *task.Task[struct{}]

func TestACallbackThatPanicsAtATasksEnd(t *testing.T) {
	var x testkit.Exceptions
	testkit.Run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		tk := task.Go(gctx, func(ctx context.Context) (int, error) { return 1, task.Yield(ctx) })
		called := false
		tk.OnDone(future.Inline, func(int, error) { panic("callback") })
		tk.OnDone(future.Inline, func(int, error) { called = true })
		if err := g.Wait(); err != nil || !called {
			t.Errorf("Wait = %v, the other callback ran: %v; want nil and true", err, called)
		}
		if v, err := tk.Await(ctx); v != 1 || err != nil {
			t.Errorf("got %v, %v; want 1 and nil", v, err)
		}
		return nil
	}, x.Option())
	if all := x.Take(); len(all) != 1 || all[0].Op != "callback" {
		t.Errorf("reports %v, want one of callback", all)
	}
}
