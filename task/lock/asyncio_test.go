package lock_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/lock"
)

// asyncio's seventh known mistake is the lost wake-up: a waiter is woken, is cancelled before it
// has run, and takes the wake-up with it, so that the next one waits for ever. Here what is handed
// over is the waiter's, and its call succeeds. The tests are named after the reports.

// bpo-27585: a lock whose woken waiter is cancelled stays unlocked, and nobody is woken.
func TestAsyncioMistake7_LockBPO27585(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var mu lock.Mutex
		mu.TryLock()
		worker := func(ctx context.Context, _ int) error {
			if err := mu.Lock(ctx); err != nil {
				return err
			}
			defer mu.Unlock()
			return task.Yield(ctx) // fails in the first, which is cancelled
		}
		order, tasks := waittest.Arrive(ctx, 3, worker)
		mu.Unlock()
		tasks[0].Cancel(waittest.ErrTest) // it has the lock and has not run
		_, err := tasks[0].Await(ctx)
		testkit.ErrorIs(t, err, waittest.ErrTest)
		for _, tk := range tasks[1:] {
			if _, err := tk.Await(ctx); err != nil {
				t.Error(err)
			}
		}
		waittest.WantOrder(t, order, 1, 2)
		return mu.Lock(ctx)
	})
}

// The same, with the cancellation first: the one that was cancelled is passed over.
func TestAsyncioMistake7_LockCancelledInTheTurnOfTheRelease(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var mu lock.Mutex
		mu.TryLock()
		inside := 0
		order, tasks := waittest.Arrive(ctx, 3, func(ctx context.Context, _ int) error {
			if err := mu.Lock(ctx); err != nil {
				return err
			}
			defer mu.Unlock()
			if inside++; inside > 1 {
				t.Errorf("%d tasks hold the lock, want 1 at a time", inside)
			}
			task.Yield(ctx)
			inside--
			return nil
		})
		tasks[0].Cancel(waittest.ErrTest)
		mu.Unlock()
		for i, tk := range tasks {
			if _, err := tk.Await(ctx); (err != nil) != (i == 0) {
				t.Errorf("task %d: Await's error = %v, want one of the first task only", i, err)
			}
		}
		waittest.WantOrder(t, order, 1, 2)
		return nil
	})
}

// python/cpython#90155: a semaphore is stuck after a woken waiter was cancelled, and serves out of
// order.
func TestAsyncioMistake7_SemaphoreGH90155(t *testing.T) {
	for name, cancels := range map[string]struct{ before, after []int }{
		"before the release":    {before: []int{0}},
		"after the release":     {after: []int{0}},
		"both of the first two": {after: []int{0, 1}},
		"one before, one after": {before: []int{1}, after: []int{0}},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				s := lock.NewSemaphore(1)
				s.TryAcquire(1)
				served := 0
				_, tasks := waittest.Arrive(ctx, 4, func(ctx context.Context, i int) error {
					if err := s.Acquire(ctx, 1); err != nil {
						return err
					}
					defer s.Release(1)
					served++
					return task.Yield(ctx)
				})
				for _, i := range cancels.before {
					tasks[i].Cancel(waittest.ErrTest)
				}
				s.Release(1)
				for _, i := range cancels.after {
					tasks[i].Cancel(waittest.ErrTest)
				}
				for _, i := range []int{2, 3} {
					if _, err := tasks[i].Await(ctx); err != nil {
						t.Error(err)
					}
				}
				if !s.TryAcquire(1) || s.TryAcquire(1) {
					t.Errorf("%d were served, and now it is a %s; want exactly one permit left", served, s)
				}
				return nil
			})
		})
	}
}

// python/cpython#112202: a notify is lost if the one that it was for is cancelled while it waits
// for the lock.
func TestAsyncioMistake7_ConditionGH112202(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		c := lock.Cond{L: &lock.Mutex{}}
		items := 0
		worker := func(ctx context.Context, _ int) error {
			if err := c.L.Lock(ctx); err != nil {
				return err
			}
			defer c.L.Unlock()
			for items == 0 {
				if err := c.Wait(ctx); err != nil {
					return err
				}
			}
			items--
			return nil
		}
		order, tasks := waittest.Arrive(ctx, 2, worker)
		c.L.Lock(ctx)
		items++
		c.Signal()
		tasks[0].Cancel(waittest.ErrTest) // it waits for the lock
		waittest.Yields(ctx, 3)
		c.L.Unlock()
		if _, err := tasks[0].Await(ctx); err != nil { // it has the signal, and the item
			t.Error(err)
		}
		waittest.WantOrder(t, order, 0)
		c.L.Lock(ctx)
		items++
		c.Signal()
		c.L.Unlock()
		_, err := tasks[1].Await(ctx)
		return err
	})
}
