package task_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Mistakes of asyncio's tasks that are known, each a test here. Those of futures are in package
// future, those of streams in package stream.

// A cancellation is raised once: who catches it, by mistake perhaps, goes on for ever. Here each
// operation fails from then on.
func TestAsyncioMistake1_ACancellationCanBeSwallowed(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		swallowed := 0
		swallows := task.Spawn(ctx, func(ctx context.Context) error {
			for {
				pending().Await(ctx) // forgets to look
				if swallowed++; swallowed == 3 {
					return task.Sleep(ctx, time.Hour)
				}
			}
		})
		yields(ctx, 2)
		swallows.Cancel(errTest)
		_, err := swallows.Await(ctx)
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		if swallowed != 3 {
			t.Errorf("%d awaits returned, want 3", swallowed)
		}
		return nil
	})
}

// A cancel that comes when the result is on its way takes the place of that, which is lost:
// gh-86296.
func TestAsyncioMistake2_ACancelOverwritesADeliveredResult(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		f, p := future.New[int]()
		var got int
		var next error
		waits := task.Go(ctx, func(ctx context.Context) (int, error) {
			v, err := f.Await(ctx)
			got = v
			next = task.Yield(ctx)
			return v, err
		})
		yields(ctx, 2)
		p.Resolve(7)
		waits.Cancel(errTest) // before the task has run with the result
		if v, err := waits.Await(ctx); v != 7 || err != nil || got != 7 {
			t.Errorf("the task got %d and returned %d, %v; want 7, 7 and nil", got, v, err)
		}
		testkit.ErrorIs(t, next, errTest)

		short, cancel := context.WithCancel(ctx)
		var v int
		var err error
		inner := task.Go(ctx, func(ctx context.Context) (int, error) { return 7, task.Yield(ctx) })
		outer := task.Spawn(ctx, func(context.Context) error { // wait_for
			v, err = inner.Await(short)
			return nil
		})
		for !inner.Completed() {
			task.Yield(ctx)
		}
		cancel()
		outer.Await(ctx)
		if v != 7 || err != nil {
			t.Errorf("the result of a task that was awaited with a timeout: %d, %v; want 7 and nil", v, err)
		}
		return nil
	})
}

// A task that is cancelled before its first step never runs, and so never cleans up what it was
// given.
func TestAsyncioMistake3_ATaskCancelledBeforeItsStartNeverCleansUp(t *testing.T) {
	for name, cancel := range map[string]func(ctx context.Context, g *task.Group, t *task.Task[struct{}]){
		"by its Cancel": func(_ context.Context, _ *task.Group, t *task.Task[struct{}]) { t.Cancel(errTest) },
		"by its group":  func(_ context.Context, g *task.Group, _ *task.Task[struct{}]) { g.Cancel(errTest) },
		"by the end of main": func(ctx context.Context, _ *task.Group, _ *task.Task[struct{}]) {
			loop, _ := reactor.FromContext(ctx)
			loop.Stop()
		},
	} {
		t.Run(name, func(t *testing.T) {
			cleaned := 0
			testkit.Run(t, func(ctx context.Context) error {
				g, gctx := task.NewGroup(ctx)
				cleans := task.Spawn(gctx, func(ctx context.Context) error {
					defer func() { cleaned++ }()
					return task.Yield(ctx)
				})
				member := gctx
				g.Go(func() error {
					defer func() { cleaned++ }()
					return task.Yield(member)
				})
				cancel(ctx, g, cleans)
				g.Wait()
				return nil
			})
			if cleaned != 2 {
				t.Errorf("%d of 2 tasks have cleaned up, want 2", cleaned)
			}
		})
	}
}

// A loop knows its tasks weakly: one that nobody else has vanishes in the middle: gh-91887.
func TestAsyncioMistake4_TasksVanish(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		const n = 20
		ended := 0
		task.Spawn(ctx, func(ctx context.Context) error {
			var promises []*future.Promise[int]
			for range n {
				f, p := future.New[int]()
				promises = append(promises, p)
				// nobody keeps it, or what it waits for
				task.Spawn(ctx, func(ctx context.Context) error {
					_, err := f.Await(ctx)
					ended++
					return err
				})
			}
			for range 3 {
				task.Yield(ctx)
				runtime.GC()
			}
			for _, p := range promises {
				p.Resolve(1)
			}
			return nil
		})
		testkit.Eventually(t, "the end of all", func() bool { return ended == n })
		return nil
	})
}

// gather returns with the first error, and the siblings run on without anybody: gh-75633. A group
// has cancelled and awaited them.
func TestAsyncioMistake6_SiblingsAreLeftRunning(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		running := 0
		g, gctx := task.NewGroup(ctx)
		for range 5 {
			g.Go(func() error {
				running++
				defer func() { running-- }()
				_, err := pending().Await(gctx)
				yields(context.WithoutCancel(gctx), 3)
				return err
			})
		}
		g.Go(func() error { task.Yield(gctx); return errTest })
		if err := g.Wait(); err != errTest || running != 0 {
			t.Errorf("Wait: %v, and %d members run; want %v and 0", err, running, errTest)
		}
		return nil
	})
}
