package task_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestAClosedLoopRefuses(t *testing.T) {
	loop := testkit.StartLoop(t)
	g, gctx := task.NewGroup(loop.Context())
	g.SetLimit(1)
	loop.Close()
	for _, ctx := range []context.Context{loop.Context(), reactor.WithLoop(context.Background(), loop), gctx} {
		_, err := task.Go(ctx, func(context.Context) (int, error) { t.Error("the task ran, want it refused"); return 0, nil }).Await(context.Background())
		testkit.ErrorIs(t, err, reactor.ErrClosed)
	}
	for range 3 {
		// It does not wait for a slot for ever.
		g.Go(func() error { t.Error("the member ran, want it refused"); return nil })
	}
	testkit.ErrorIs(t, g.Wait(), reactor.ErrClosed)
	testkit.ErrorIs(t, gctx.Err(), context.Canceled)
}

func TestMisusePanicsWithOneSentence(t *testing.T) {
	none := func(context.Context) error { return nil }
	for want, misuse := range map[string]func(){
		"task: the context given to Go carries no loop; use a task's context, loop.Context() or reactor.WithLoop":       func() { task.Spawn(context.Background(), none) },
		"task: the context given to NewGroup carries no loop; use a task's context, loop.Context() or reactor.WithLoop": func() { task.NewGroup(context.Background()) },
		"task: the zero Group was used outside a loop; make the group with task.NewGroup": func() {
			var g task.Group
			testkit.Panics(t, "task: …", func() { g.TryGo(func() error { return nil }) })
			g.SetLimit(1) // no slot was taken
			g.Go(func() error { return nil })
		},
		"future: OnDone with nil; give a loop, or Inline, and a function": func() {
			testkit.Panics(t, "future: OnDone with nil; …", func() { pending().OnDone(future.Inline, nil) })
			pending().OnDone(nil, func(int, error) {})
		},
		"future: Fail(nil); use Resolve for a success": func() { future.Failed[int](nil) },
	} {
		testkit.Panics(t, want, misuse)
	}
	testkit.Run(t, func(ctx context.Context) error {
		const want = "task: Run inside a loop; start a task with Go or Spawn"
		testkit.Panics(t, want, func() { task.Run(ctx, none) })
		return nil
	})
}
