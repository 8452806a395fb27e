package task_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestATaskHasTheOutcomeOfItsFunction(t *testing.T) {
	loop := testkit.StartLoop(t)
	for name, c := range map[string]struct {
		fn   func(ctx context.Context) (int, error)
		v    int
		want error
	}{
		"a value":       {func(context.Context) (int, error) { return 1, nil }, 1, nil},
		"an error":      {func(context.Context) (int, error) { return 0, errTest }, 0, errTest},
		"both":          {func(context.Context) (int, error) { return 1, errTest }, 1, errTest},
		"a panic":       {func(context.Context) (int, error) { panic(errTest) }, 0, errTest},
		"a Goexit":      {func(context.Context) (int, error) { runtime.Goexit(); return 1, nil }, 0, task.ErrGoexit},
		"after a while": {func(ctx context.Context) (int, error) { return 1, task.Yield(ctx) }, 1, nil},
	} {
		tk := task.Go(loop.Context(), c.fn)
		for range 2 {
			if v, err := tk.Await(context.Background()); v != c.v || !errors.Is(err, c.want) {
				t.Errorf("%s: %d, %v; want %d and %v", name, v, err, c.v, c.want)
			}
		}
		if v, err := tk.TryResult(); v != c.v || !errors.Is(err, c.want) || !tk.Completed() {
			t.Errorf("%s: TryResult = %d, %v, completed: %v; want %d, %v and true", name, v, err, tk.Completed(), c.v, c.want)
		}
	}
}

func TestWhatATaskDoesWithItsCancellationIsItsOutcome(t *testing.T) {
	for name, c := range map[string]struct {
		fn   func(ctx context.Context) (int, error)
		v    int
		want error
	}{
		"returns the error": {func(ctx context.Context) (int, error) { return pending().Await(ctx) }, 0, errTest},
		"returns a value":   {func(ctx context.Context) (int, error) { pending().Await(ctx); return 7, nil }, 7, nil},
		"returns an error": {func(ctx context.Context) (int, error) {
			pending().Await(ctx)
			return 0, context.DeadlineExceeded
		}, 0, context.DeadlineExceeded},
		"goes on for a while": {func(ctx context.Context) (int, error) {
			pending().Await(ctx)
			yields(context.WithoutCancel(ctx), 5)
			return 7, nil
		}, 7, nil},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				tk := task.Go(ctx, c.fn)
				yields(ctx, 2)
				if !tk.Cancel(errTest) || !tk.Cancel(errors.New("another cause")) || tk.Completed() {
					t.Errorf("Cancel of a task that runs, completed: %v; want true twice, and a task that goes on", tk.Completed())
				}
				if v, err := tk.Await(ctx); v != c.v || !errors.Is(err, c.want) {
					t.Errorf("%d, %v; want %d and %v", v, err, c.v, c.want)
				}
				if tk.Cancel(errTest) {
					t.Error("Cancel of a task that has ended = true, want false")
				}
				return nil
			})
		})
	}
}

func TestATaskThatCancelsItself(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var tk *task.Task[int]
		var next error
		for name, v := range map[string]int{"and waits": 0, "and returns": 7} {
			tk = task.Go(ctx, func(ctx context.Context) (int, error) {
				tk.Cancel(errTest)
				if v == 0 {
					next = task.Yield(ctx)
				}
				return v, next
			})
			got, err := tk.Await(ctx)
			if testkit.ErrorIs(t, err, next); got != v {
				t.Errorf("%s: %d, %v; want %d", name, got, err, v)
			}
			next = nil
		}
		return nil
	})
}

// A task that awaits another is not cancelled with it, and does not cancel it.
func TestACancellationDoesNotPassThroughAnAwait(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		inner := task.Go(ctx, func(ctx context.Context) (int, error) { return pending().Await(ctx) })
		outer := task.Spawn(ctx, func(ctx context.Context) error {
			_, err := inner.Await(ctx)
			testkit.ErrorIs(t, err, errTest)
			return task.Yield(ctx)
		})
		yields(ctx, 2)
		inner.Cancel(errTest)
		if _, err := outer.Await(ctx); err != nil {
			t.Errorf("who awaited a cancelled task = %v, want nil", err)
		}
		f, p := future.New[int]()
		outer = task.Spawn(ctx, func(ctx context.Context) error { _, err := f.Await(ctx); return err })
		yields(ctx, 2)
		outer.Cancel(errTest)
		_, err := outer.Await(ctx)
		testkit.ErrorIs(t, err, errTest)
		if !p.Resolve(1) {
			t.Error("Resolve = false, want true: only the task was cancelled, not its future")
		}
		return nil
	})
}

func TestATimeoutEndsWhatItBounds(t *testing.T) {
	const d = time.Minute
	onWork(t, func(ctx context.Context, clock *workClock, pass func(time.Duration)) {
		loop, _ := reactor.FromContext(ctx)
		begin := func(d time.Duration, body func(ctx context.Context) error) (t *task.Task[error]) {
			t = task.Go(ctx, func(ctx context.Context) (error, error) {
				ctx, cancel := task.WithTimeout(ctx, d)
				defer cancel()
				err := body(ctx)
				return err, ctx.Err()
			})
			yields(ctx, 3)
			return t
		}
		forever := func(ctx context.Context) error { _, err := pending().Await(ctx); return err }

		over := begin(d, forever)
		pass(d)
		err, expired := over.TryResult()
		if testkit.ErrorIs(t, err, context.DeadlineExceeded); expired != context.DeadlineExceeded {
			t.Errorf("it took too long: %v, want %v", expired, context.DeadlineExceeded)
		}
		begin(d, func(ctx context.Context) error { return task.Yield(ctx) })
		if err, expired := begin(d, func(context.Context) error { return nil }).TryResult(); err != nil || expired != nil || pendingTimers(loop) != 0 {
			t.Errorf("it took no time: %v, %v; %d timers; want nil, nil and 0", err, expired, pendingTimers(loop))
		}
		for _, none := range []time.Duration{0, -d} {
			_, expired := begin(none, func(ctx context.Context) error { return task.Sleep(ctx, 0) }).TryResult()
			testkit.ErrorIs(t, expired, context.DeadlineExceeded)
		}
		other := begin(d, func(ctx context.Context) error { forever(ctx); return errTest })
		pass(d)
		err, _ = other.TryResult()
		testkit.ErrorIs(t, err, errTest)

		cancelled := begin(d, forever)
		cancelled.Cancel(errTest)
		yields(ctx, 3)
		err, expired = cancelled.TryResult()
		if testkit.ErrorIs(t, err, errTest, context.Canceled); errors.Is(err, context.DeadlineExceeded) || expired != context.Canceled {
			t.Errorf("cancelled by someone else: %v, then %v; want no %v, and %v", err, expired, context.DeadlineExceeded, context.Canceled)
		}

		var inner error
		nested := begin(2*d, func(ctx context.Context) error {
			ictx, cancel := task.WithTimeout(ctx, d)
			defer cancel()
			inner = forever(ictx)
			if ctx.Err() != nil {
				t.Errorf("the outer context's Err = %v after the inner timeout, want nil", ctx.Err())
			}
			return forever(ctx)
		})
		if pass(d); !errors.Is(inner, context.DeadlineExceeded) || nested.Completed() {
			t.Errorf("the inner timeout: %v, all ended: %v; want %v and false", inner, nested.Completed(), context.DeadlineExceeded)
		}
		pass(d)
		err, _ = nested.TryResult()
		testkit.ErrorIs(t, err, context.DeadlineExceeded)
		if err := task.Yield(ctx); err != nil { // after all of these
			t.Errorf("the task around them: Yield = %v, want nil", err)
		}
	})
}

func TestTheParentOfAGroupIsCancelled(t *testing.T) {
	for name, c := range map[string]struct {
		member func() error // after the cancellation
		errs   bool
	}{
		"nobody fails":  {func() error { return nil }, false},
		"a member does": {func() error { return errTest }, true},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				cause := errors.New("the parent's cause")
				parent, cancel := context.WithCancelCause(ctx)
				var group *task.Group
				err := task.Scope(parent, func(ctx context.Context, g *task.Group) error {
					group = g
					g.Go(func() error { pending().Await(ctx); yields(context.WithoutCancel(ctx), 3); return c.member() })
					g.Go(func() error { cancel(cause); return nil })
					_, err := pending().Await(ctx)
					return err
				})
				if testkit.ErrorIs(t, err, cause, context.Canceled); (group.Errors() != nil) != c.errs {
					t.Errorf("Errors = %v, want some: %v", group.Errors(), c.errs)
				}
				return nil
			})
		})
	}
}

// They run all the same, to see that and to clean up.
func TestMembersOfAGroupThatIsOverAreCancelled(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for name, c := range map[string]struct {
			end  func(g *task.Group)
			want error
		}{
			"awaited":   {func(g *task.Group) { g.Wait() }, task.ErrEnded},
			"cancelled": {func(g *task.Group) { g.Cancel(errTest) }, errTest},
			"failed":    {func(g *task.Group) { g.Go(func() error { return errTest }); yields(ctx, 2) }, errTest},
		} {
			g, gctx := task.NewGroup(ctx)
			c.end(g)
			var cause error
			member := task.Spawn(gctx, untilCancelled(&cause))
			goes := false
			g.Go(func() error { goes = true; return nil })
			g.Wait()
			if _, err := member.TryResult(); !errors.Is(err, context.Canceled) || cause != c.want || !goes {
				t.Errorf("%s: %v, with the cause %v, Go runs: %v; want %v, %v, true", name, err, cause, goes, context.Canceled, c.want)
			}
		}
		return nil
	})
}
