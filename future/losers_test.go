package future_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// combinators awaits fs with each of them.
var combinators = map[string]func(ctx context.Context, fs ...*future.Future[int]) error{
	"All": func(ctx context.Context, fs ...*future.Future[int]) error {
		_, err := future.All(ctx, fs...)
		return err
	},
	"AllSettled": func(ctx context.Context, fs ...*future.Future[int]) error {
		_, err := future.AllSettled(ctx, fs...)
		return err
	},
	"Any": func(ctx context.Context, fs ...*future.Future[int]) error {
		_, err := future.Any(ctx, fs...)
		return err
	},
	"Race": func(ctx context.Context, fs ...*future.Future[int]) error {
		_, err := future.Race(ctx, fs...)
		return err
	},
	"All2": func(ctx context.Context, fs ...*future.Future[int]) error {
		_, _, err := future.All2(ctx, fs[0], fs[1])
		return err
	},
	"All3": func(ctx context.Context, fs ...*future.Future[int]) error {
		_, _, _, err := future.All3(ctx, fs[0], fs[1], fs[0])
		return err
	},
	"AsCompleted": func(ctx context.Context, fs ...*future.Future[int]) (err error) {
		for _, out := range future.AsCompleted(ctx, fs...) {
			err = errors.Join(err, out.Err)
		}
		return err
	},
}

// A loser that does not heed its cancellation is waited for.
func TestALoserIsAwaitedHoweverLongItTakes(t *testing.T) {
	for name, combine := range combinators {
		everywhere(t, func(t *testing.T, ctx context.Context) {
			never, _ := future.New[int]()
			stubborn, p := future.New[int]()
			asked, ended := make(chan error, 1), false
			p.OnCancel(func(cause error) {
				asked <- cause
				time.AfterFunc(2*time.Millisecond, func() { ended = true; p.Resolve(1) })
			})
			short, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(time.Millisecond, func() { cancel(errTest) })
			combine(short, stubborn, never)
			testkit.ErrorIs(t, <-asked, errTest)
			if !ended {
				t.Errorf("%s has returned before the loser had ended, want after", name)
			}
		})
	}
}

// However a combinator is left, none of its arguments knows of it afterwards.
func TestCombinatorsLeaveNothingEnlisted(t *testing.T) {
	for name, combine := range combinators {
		for how, blow := range map[string]func(){
			"a panic":  func() { panic(errTest) },
			"a Goexit": runtime.Goexit,
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				testkit.Watch(t)
				a, p := future.New[int]()
				b, q := future.New[int]()
				p.OnCancel(func(cause error) { p.Fail(cause); blow() })
				q.OnCancel(func(cause error) { q.Fail(cause) })
				var gone sync.WaitGroup
				gone.Go(func() {
					defer func() {
						if v := recover(); v != nil && v != errTest {
							t.Errorf("panic %v, want %v or a Goexit", v, errTest)
						}
					}()
					combine(over(context.Background()), a, b)
					t.Error("it has returned, want a panic or a Goexit")
				})
				gone.Wait()
				for _, f := range []*future.Future[int]{a, b} {
					if future.Callbacks(f) != 0 || future.Waiters(f) != 0 || !f.Completed() {
						t.Errorf("%d callbacks, %d waiters; %v, want none of both and completed", future.Callbacks(f), future.Waiters(f), f)
					}
				}
			})
		}
	}
}

// The body of a loop over AsCompleted that panics still leaves nothing running: also in a task,
// which waits while it panics.
func TestAPanicInALoopOverAsCompleted(t *testing.T) {
	testkit.Watch(t)
	ended := 0
	a := obedient(&ended)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		leaver := task.Spawn(ctx, func(ctx context.Context) error {
			for range future.AsCompleted(ctx, a, future.Resolved(1)) {
				panic(errTest)
			}
			return nil
		})
		_, err := leaver.Await(ctx)
		testkit.ErrorIs(t, err, errTest)
		return nil
	}, task.WithSignals())
	if err != nil || ended != 1 || !a.Completed() || future.Callbacks(a) != 0 {
		t.Errorf("Run = %v, %d were cancelled, %v; want nil, 1, and completed with no callback left", err, ended, a)
	}
}

// A combinator that only looks takes itself off what goes on.
func TestWaitLeavesNothingEnlisted(t *testing.T) {
	f, _ := future.New[int]()
	future.Wait(over(context.Background()), future.AllCompleted, f, f)
	future.Wait(context.Background(), future.FirstCompleted, f, future.Resolved(1))
	if n := future.Callbacks(f); n != 0 {
		t.Errorf("%d callbacks are left, want 0", n)
	}
}
