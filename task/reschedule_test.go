package task_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// onWork runs fn as the main task of a loop whose clock goes on only by work; pass works for d, and
// lets the loop look.
func onWork(t *testing.T, fn func(ctx context.Context, clock *workClock, pass func(d time.Duration))) {
	t.Helper()
	clock := &workClock{}
	testkit.Run(t, func(ctx context.Context) error {
		fn(ctx, clock, func(d time.Duration) {
			clock.work(d)
			yields(ctx, 200)
		})
		return nil
	}, reactor.WithWorld(worldtest.WithTime(clock)))
}

func TestRescheduleMovesADeadline(t *testing.T) {
	const d = time.Minute
	onWork(t, func(ctx context.Context, clock *workClock, pass func(time.Duration)) {
		for _, c := range []struct {
			name  string
			first time.Duration   // of WithTimeout
			moves []time.Duration // to so much later than now; 0: never, at once after one another
			alive time.Duration   // it is alive until then
			dies  time.Duration   // and dies then; 0: never
		}{
			{"later", d, []time.Duration{3 * d}, 3*d - 1, 3 * d},
			{"earlier", 3 * d, []time.Duration{d}, d - 1, d},
			{"never", d, []time.Duration{0}, 100 * d, 0},
			{"never, and then at a time", d, []time.Duration{0, 2 * d}, 2*d - 1, 2 * d},
			{"back and forth", d, []time.Duration{5 * d, 1, 2 * d}, 2*d - 1, 2 * d},
			{"to a time that has passed", d, []time.Duration{-1}, 0, 0},
		} {
			bounded, cancel := task.WithTimeout(ctx, c.first)
			for _, to := range c.moves {
				at := time.Time{}
				if to != 0 {
					at = clock.Wall().Add(to)
				}
				if !task.Reschedule(bounded, at) {
					t.Errorf("%s: Reschedule = false, want true", c.name)
				}
				if got, ok := bounded.Deadline(); !got.Equal(at) || ok != (to != 0) {
					t.Errorf("%s: the deadline is %v, %v; want %v, %v", c.name, got, ok, at, to != 0)
				}
			}
			if c.alive == 0 && bounded.Err() != context.DeadlineExceeded {
				t.Errorf("%s: Err = %v at once, want %v", c.name, bounded.Err(), context.DeadlineExceeded)
			}
			if c.alive != 0 {
				if pass(c.alive); bounded.Err() != nil {
					t.Errorf("%s: after %v: %v, want nil", c.name, c.alive, bounded.Err())
				}
			}
			if c.dies != 0 {
				if pass(c.dies - c.alive); bounded.Err() != context.DeadlineExceeded {
					t.Errorf("%s: after %v: %v, want %v", c.name, c.dies, bounded.Err(), context.DeadlineExceeded)
				}
			}
			over := bounded.Err() != nil
			if task.Reschedule(bounded, clock.Wall().Add(d)) == over {
				t.Errorf("%s: over: %v, Reschedule = %v; want the opposite", c.name, over, over)
			}
			if cancel(); task.Reschedule(bounded, clock.Wall().Add(d)) {
				t.Errorf("%s: Reschedule after cancel = true, want false", c.name)
			}
		}
		loop, _ := reactor.FromContext(ctx)
		if n := pendingTimers(loop); n != 0 {
			t.Errorf("%d timers are left, want 0", n)
		}
	})
}

func TestRescheduleFindsTheInnermostTimeout(t *testing.T) {
	const d = time.Minute
	onWork(t, func(ctx context.Context, clock *workClock, pass func(time.Duration)) {
		outer, cancel := task.WithTimeout(ctx, 10*d)
		defer cancel()
		inner, cancel := task.WithDeadline(context.WithValue(outer, valueKey{}, 1), clock.Wall().Add(d))
		defer cancel()
		derived, cancel := context.WithCancel(context.WithValue(inner, valueKey{}, 2))
		defer cancel()
		in := func(d time.Duration) time.Time { return clock.Wall().Add(d) }
		if !task.Reschedule(derived, in(5*d)) {
			t.Error("Reschedule through derived contexts = false, want true")
		}
		if at, _ := inner.Deadline(); !at.Equal(in(5 * d)) {
			t.Errorf("the inner deadline is in %v, want %v", at.Sub(in(0)), 5*d)
		}
		if at, _ := outer.Deadline(); !at.Equal(in(10 * d)) {
			t.Errorf("the outer deadline is in %v, want %v", at.Sub(in(0)), 10*d)
		}
		_, err := task.Spawn(derived, func(ctx context.Context) error {
			if !task.Reschedule(ctx, in(20*d)) {
				t.Error("Reschedule from a task that was started with it = false, want true")
			}
			if at, _ := ctx.Deadline(); !at.Equal(in(10 * d)) {
				t.Errorf("the deadline is in %v, want %v, of what ends it first", at.Sub(in(0)), 10*d)
			}
			return nil
		}).Await(ctx)
		if err != nil {
			t.Error(err)
		}
		if pass(10 * d); inner.Err() != context.DeadlineExceeded || derived.Err() == nil {
			t.Errorf("at the outer deadline: %v, %v; want %v and an error", inner.Err(), derived.Err(), context.DeadlineExceeded)
		}
		if task.Reschedule(derived, in(d)) || task.Reschedule(outer, in(d)) {
			t.Error("Reschedule of what is over = true, want false")
		}
	})
}

func TestRescheduleWithoutATimeout(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		foreign, cancel := context.WithTimeout(ctx, time.Hour)
		defer cancel()
		for name, c := range map[string]context.Context{"task": ctx, "package context": foreign, "background": context.Background()} {
			if task.Reschedule(c, time.Now()) || c.Err() != nil {
				t.Errorf("%s: Reschedule moved it or Err = %v, want false and nil", name, c.Err())
			}
		}
		return nil
	})
}

// A timer that fires just when its deadline is moved ends nothing, or the move is told that it was
// too late.
func TestRescheduleFromGoroutinesBesideTheTimer(t *testing.T) {
	loop := testkit.StartLoop(t)
	for range 200 {
		bounded, cancel := task.WithTimeout(loop.Context(), 20*time.Microsecond)
		var all sync.WaitGroup
		var moved [4]bool
		for i := range moved {
			all.Go(func() { moved[i] = task.Reschedule(bounded, time.Now().Add(time.Hour)) })
		}
		all.Wait()
		testkit.OnLoop(t, loop, func() {})
		for i, ok := range moved {
			if ok != (bounded.Err() == nil) && ok {
				t.Errorf("move %d: true, and the context's Err = %v; want nil", i, bounded.Err())
			}
		}
		cancel()
	}
}

func TestSleepUntil(t *testing.T) {
	const d = time.Minute
	onWork(t, func(ctx context.Context, clock *workClock, pass func(time.Duration)) {
		awake := false
		sleeper := task.Spawn(ctx, func(ctx context.Context) error {
			err := task.SleepUntil(ctx, clock.Wall().Add(d))
			awake = true
			return err
		})
		yields(ctx, 2) // it sleeps
		if pass(d - 1); awake {
			t.Error("awake before the time, want asleep")
		}
		if pass(1); !awake {
			t.Error("asleep at the time, want awake")
		}
		if _, err := sleeper.Await(ctx); err != nil {
			t.Error(err)
		}
		if err := task.SleepUntil(ctx, clock.Wall().Add(-d)); err != nil {
			t.Errorf("SleepUntil a time that has passed = %v, want nil", err)
		}
		done, cancel := context.WithCancel(ctx)
		cancel()
		testkit.ErrorIs(t, task.SleepUntil(done, clock.Wall().Add(d)), context.Canceled)
	})
	// in a plain goroutine
	for _, at := range []time.Time{time.Now(), time.Now().Add(time.Millisecond)} {
		if err := task.SleepUntil(context.Background(), at); err != nil || time.Now().Before(at) {
			t.Errorf("SleepUntil(%v) = %v at %v; want nil, and not before", at, err, time.Now())
		}
	}
}

// A chain of tasks, each of which starts the next one with a timeout that is over, keeps none of
// those.
func TestDeadlinesThatAreOverAreNotKept(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for range 10 {
			inner, cancel := task.WithTimeout(ctx, time.Hour)
			cancel()
			_, err := task.Spawn(inner, func(own context.Context) error { ctx = own; return nil }).Await(context.Background())
			if n := task.Deadlines(ctx); err != nil || n != 1 {
				t.Fatalf("%d deadlines, %v; want 1 and nil", n, err)
			}
		}
		return nil
	})
}
