package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// from runs fn in each kind of place that OnEach is called from.
func from(t *testing.T, fn func(t *testing.T, ctx context.Context, g *reactor.LoopGroup)) {
	in := func(t *testing.T, l *reactor.Loop, g *reactor.LoopGroup) {
		_, err := task.Spawn(l.Context(), func(ctx context.Context) error { fn(t, ctx, g); return nil }).Await(context.Background())
		testkit.ErrorIs(t, err, nil)
	}
	t.Run("a goroutine", func(t *testing.T) { fn(t, context.Background(), testkit.StartGroup(t, 3)) })
	t.Run("a goroutine with a loop's context", func(t *testing.T) {
		g := testkit.StartGroup(t, 3)
		fn(t, g.Loops()[1].Context(), g)
	})
	t.Run("a task of the group", func(t *testing.T) {
		g := testkit.StartGroup(t, 3)
		in(t, g.Loops()[1], g)
	})
	t.Run("a task of another loop", func(t *testing.T) { in(t, testkit.StartLoop(t), testkit.StartGroup(t, 3)) })
}

func TestOnEachGathersInTheOrderOfTheLoops(t *testing.T) {
	from(t, func(t *testing.T, ctx context.Context, g *reactor.LoopGroup) {
		loops := g.Loops()
		got, err := task.OnEach(ctx, g, func(ctx context.Context, l *reactor.Loop) (int, error) {
			i := slices.Index(loops, l)
			if own, _ := reactor.FromContext(ctx); own != l || !l.InLoop() {
				t.Errorf("loop %d: the function is not on its loop, want it there", i)
			}
			for range 3 - i { // the last is the first to end
				task.Yield(ctx)
			}
			return i * i, nil
		})
		if !slices.Equal(got, []int{0, 1, 4}) || err != nil {
			t.Errorf("%v, %v; want %v and nil", got, err, []int{0, 1, 4})
		}
	})
}

func TestTheFirstErrorOfOnEachCancelsTheOthers(t *testing.T) {
	from(t, func(t *testing.T, ctx context.Context, g *reactor.LoopGroup) {
		for _, fail := range []func() error{
			func() error { return errTest },
			func() error { panic(errTest) },
		} {
			cancelled := make([]bool, 3)
			got, err := task.OnEach(ctx, g, func(ctx context.Context, l *reactor.Loop) (int, error) {
				i := slices.Index(g.Loops(), l)
				if i == 1 {
					return 1, fail()
				}
				_, err := pending().Await(ctx)
				cancelled[i] = errors.Is(err, context.Canceled)
				return i, err
			})
			testkit.ErrorIs(t, err, errTest)
			if got != nil || !cancelled[0] || !cancelled[2] {
				t.Errorf("got %v, cancelled: %v; want nil, and the first and last cancelled", got, cancelled)
			}
		}
	})
}

func TestAFailingOnEachDoesNotFailTheCallersGroup(t *testing.T) {
	g := testkit.StartGroup(t, 2)
	testkit.Run(t, func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context, _ *task.Group) error {
			_, err := task.OnEach(ctx, g, func(context.Context, *reactor.Loop) (int, error) { return 0, errTest })
			testkit.ErrorIs(t, err, errTest)
			return ctx.Err()
		})
	})
}

func TestTheEndOfItsContextEndsOnEach(t *testing.T) {
	from(t, func(t *testing.T, ctx context.Context, g *reactor.LoopGroup) {
		ctx, cancel := context.WithCancelCause(ctx)
		begun := make(chan struct{}, 3)
		ended := make([]bool, 3)
		go func() {
			for range 3 {
				<-begun
			}
			cancel(errTest)
		}()
		_, err := task.OnEach(ctx, g, func(ctx context.Context, l *reactor.Loop) (int, error) {
			begun <- struct{}{}
			_, err := pending().Await(ctx)
			task.Yield(context.WithoutCancel(ctx)) // it is awaited all the same
			ended[slices.Index(g.Loops(), l)] = true
			return 0, err
		})
		testkit.ErrorIs(t, err, errTest)
		if slices.Contains(ended, false) {
			t.Errorf("ended: %v, want true of all", ended)
		}
		ran := false
		_, err = task.OnEach(ctx, g, func(context.Context, *reactor.Loop) (int, error) { ran = true; return 0, nil })
		testkit.ErrorIs(t, err, errTest)
		if ran {
			t.Error("the function ran, want it not to: the context is done")
		}
	})
}

func TestOnEachWithALoopThatIsClosed(t *testing.T) {
	for gone := range 3 {
		g := testkit.StartGroup(t, 3)
		if err := g.Loops()[gone].Close(); err != nil {
			t.Error(err)
		}
		_, err := task.OnEach(context.Background(), g, func(ctx context.Context, l *reactor.Loop) (int, error) {
			return 0, task.Yield(ctx)
		})
		testkit.ErrorIs(t, err, reactor.ErrClosed)
	}
}

func TestOnEachWithAGoexit(t *testing.T) {
	g := testkit.StartGroup(t, 3)
	_, err := task.OnEach(context.Background(), g, func(ctx context.Context, l *reactor.Loop) (int, error) {
		if l == g.Loops()[2] {
			runtime.Goexit()
		}
		_, err := pending().Await(ctx)
		return 0, err
	})
	testkit.ErrorIs(t, err, task.ErrGoexit)
}

func TestOnEachInACallbackPanics(t *testing.T) {
	g := testkit.StartGroup(t, 2)
	testkit.OnLoop(t, g.Loops()[0], func() {
		testkit.Panics(t, "task: OnEach in a loop callback…", func() {
			task.OnEach(context.Background(), g, func(context.Context, *reactor.Loop) (int, error) { return 0, nil })
		})
	})
}

func TestOnEachOfNoLoopsPanics(t *testing.T) {
	for _, g := range []*reactor.LoopGroup{nil, {}} {
		from(t, func(t *testing.T, ctx context.Context, _ *reactor.LoopGroup) {
			testkit.Panics(t, "task: the group given to OnEach has no loops; make it with reactor.NewGroup", func() {
				task.OnEach(ctx, g, func(context.Context, *reactor.Loop) (int, error) { return 0, nil })
			})
		})
	}
}
