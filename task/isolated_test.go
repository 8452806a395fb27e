package task_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestTheFailureOfAnIsolatedMemberIsItsOwn(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errTest },
		"panic":  func() error { panic(errTest) },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			told := make(chan error, 10)
			loop := testkit.StartLoop(t, reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) { told <- e.Err }))
			g, gctx := task.NewGroup(loop.Context())
			task.Spawn(gctx, func(context.Context) error { return fail() }, task.Isolated())
			asked := task.Spawn(gctx, func(context.Context) error { return fail() }, task.Isolated())
			if _, err := asked.Await(context.Background()); err == nil {
				t.Error("Await's error = nil, want the task's")
			}
			sibling := task.Spawn(gctx, func(ctx context.Context) error { return task.Yield(ctx) })
			if _, err := sibling.Await(context.Background()); err != nil {
				t.Errorf("a sibling: %v, want nil", err)
			}
			testkit.ErrorIs(t, g.Wait(), nil)
			loop.Close()
			if len(told) != 1 { // of the one that nobody has asked
				t.Errorf("%d errors were reported, want 1", len(told))
			}
		})
	}
}

func TestAGroupWaitsForAndCancelsItsIsolatedMembers(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		g, gctx := task.NewGroup(ctx)
		ended := false
		task.Spawn(gctx, func(ctx context.Context) error {
			_, err := pending().Await(ctx)
			ended = errors.Is(err, errTest)
			return err
		}, task.Isolated())
		g.Cancel(errTest)
		testkit.ErrorIs(t, g.Wait(), nil)
		if !ended {
			t.Errorf("ended by the group's cancel: %v, want true before Wait returns", ended)
		}
		return nil
	})
}
