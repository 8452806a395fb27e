package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// steps is a task that says its name before and after it yields.
func steps(say func(string), name string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		say(name)
		task.Yield(ctx)
		say(name)
		return nil
	}
}

func TestAnEagerTaskMakesItsFirstStepWhereItIsStarted(t *testing.T) {
	for _, c := range []struct {
		name  string
		start func(ctx context.Context, say func(string))
		want  string
	}{
		{"not eager", func(ctx context.Context, say func(string)) {
			task.Spawn(ctx, steps(say, "a"))
			say("main")
		}, "main ready a a"},
		{"eager", func(ctx context.Context, say func(string)) {
			task.Spawn(ctx, steps(say, "a"), task.Eager())
			say("main")
		}, "a main ready a"},
		{"several", func(ctx context.Context, say func(string)) {
			task.Spawn(ctx, steps(say, "a"), task.Eager())
			task.Spawn(ctx, steps(say, "b"))
			task.Spawn(ctx, steps(say, "c"), task.Eager())
			say("main")
		}, "a c main ready a b c b"},
		{"nested", func(ctx context.Context, say func(string)) {
			task.Spawn(ctx, func(ctx context.Context) error {
				say("a")
				task.Spawn(ctx, steps(say, "b"), task.Eager())
				say("a")
				return nil
			}, task.Eager())
			say("main")
		}, "a b a main ready b"},
		{"in a group", func(ctx context.Context, say func(string)) {
			g, gctx := task.NewGroup(ctx)
			task.Spawn(gctx, steps(say, "a"), task.Eager())
			say("main")
			g.Wait()
			say("waited")
		}, "a main ready a waited"},
		{"one that waits for nothing has ended", func(ctx context.Context, say func(string)) {
			v := task.Go(ctx, func(context.Context) (string, error) { return "a", nil }, task.Eager())
			if !v.Completed() {
				say("not completed")
			}
			r, _ := v.Await(ctx)
			say(r)
		}, "a ready"},
		{"in an inline callback of a task", func(ctx context.Context, say func(string)) {
			f, p := future.New[int]()
			f.OnDone(future.Inline, func(int, error) {
				task.Spawn(ctx, steps(say, "a"), task.Eager())
				say("callback")
			})
			p.Resolve(1)
			say("main")
		}, "a callback main ready a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			say := func(s string) { got = append(got, s) }
			testkit.Run(t, func(ctx context.Context) error {
				loop, _ := reactor.FromContext(ctx)
				loop.CallSoon(func() { say("ready") })
				c.start(ctx, say)
				yields(ctx, 5)
				return nil
			})
			if want := strings.Fields(c.want); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

func TestAnEagerTaskStartedInACallback(t *testing.T) {
	loop := testkit.StartLoop(t)
	var got []string
	testkit.OnLoop(t, loop, func() {
		task.Spawn(loop.Context(), func(ctx context.Context) error {
			got = append(got, "step")
			return nil
		}, task.Eager())
		got = append(got, "callback")
	})
	if want := []string{"step", "callback"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Elsewhere it is an ordinary start: the step is made on the loop.
func TestAnEagerTaskStartedOutsideItsLoop(t *testing.T) {
	loop, other := testkit.StartLoop(t), testkit.StartLoop(t)
	inLoop := func(context.Context) (bool, error) { return loop.InLoop(), nil }
	if ok, err := task.Go(loop.Context(), inLoop, task.Eager()).Await(context.Background()); !ok || err != nil {
		t.Errorf("from a goroutine: on the loop: %v, %v; want true and nil", ok, err)
	}
	ok, err := task.Go(other.Context(), func(ctx context.Context) (bool, error) {
		return task.Go(loop.Context(), inLoop, task.Eager()).Await(ctx)
	}).Await(context.Background())
	if !ok || err != nil {
		t.Errorf("from another loop: on the loop: %v, %v; want true and nil", ok, err)
	}
}

func TestAPanicOrGoexitInAnEagerFirstStepIsTheTasks(t *testing.T) {
	loop := testkit.StartLoop(t)
	_, err := task.Spawn(loop.Context(), func(ctx context.Context) error {
		panics := task.Spawn(ctx, func(context.Context) error { panic(errTest) }, task.Eager())
		var p *task.PanicError
		if _, err := panics.TryResult(); !errors.As(err, &p) || !strings.Contains(string(p.Stack), "eager_test.go") {
			t.Errorf("a panic: TryResult's error = %v, want a PanicError with this file in its stack", err)
		}
		exits := task.Spawn(ctx, func(context.Context) error { runtime.Goexit(); return nil }, task.Eager())
		if _, err := exits.TryResult(); err != task.ErrGoexit {
			t.Errorf("a Goexit: %v, want %v", err, task.ErrGoexit)
		}
		return task.Yield(ctx)
	}).Await(context.Background())
	if err != nil {
		t.Error(err)
	}
}

// Their starts do not nest on the loop's stack: see package coro.
func TestEagerTasksThatStartEagerTasks(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		depth := 10_000
		if raceEnabled {
			depth = 1000
		}
		var down func(ctx context.Context, n int) (int, error)
		down = func(ctx context.Context, n int) (int, error) {
			if n == depth {
				return n, task.Yield(ctx) // so all are there at once
			}
			return task.Go(ctx, func(ctx context.Context) (int, error) { return down(ctx, n+1) }, task.Eager()).Await(ctx)
		}
		if n, err := down(ctx, 0); n != depth || err != nil {
			t.Errorf("%d, %v; want %d and nil", n, err, depth)
		}
		return nil
	})
}

func TestAnEagerTaskOfACancelledStarterRunsCancelled(t *testing.T) {
	loop := testkit.StartLoop(t)
	var first, second error
	started := make(chan struct{})
	task.Spawn(loop.Context(), func(ctx context.Context) error {
		close(started)
		<-ctxDone(ctx)
		step := func(into *error) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				*into = task.Sleep(ctx, 0)
				return *into
			}
		}
		task.Spawn(ctx, step(&first), task.Eager())
		// the loop's end reaches it all the same
		task.Spawn(context.WithoutCancel(ctx), step(&second), task.Eager())
		return ctx.Err()
	})
	<-started
	if err := loop.Close(); err != nil {
		t.Error(err)
	}
	testkit.ErrorIs(t, first, reactor.ErrClosed, context.Canceled)
	testkit.ErrorIs(t, second, reactor.ErrClosed, context.Canceled)
}

// ctxDone waits, in a task, for the end of its context.
func ctxDone(ctx context.Context) <-chan struct{} {
	pending().Await(ctx)
	return ctx.Done()
}

// A task that only starts eager ones, which need not wait, lets others have their turn.
func TestEagerTasksStarveNobody(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		other := false
		task.Spawn(ctx, func(context.Context) error { other = true; return nil })
		n := 0
		for ; !other && n < 10_000; n++ {
			task.Go(ctx, func(ctx context.Context) (int, error) { return 1, nil }, task.Eager()).Await(ctx)
		}
		if !other || n > 256 {
			t.Errorf("after %d eager tasks another had its turn: %v; want true after at most 256", n, other)
		}
		return nil
	})
}
