package task_test

import (
	"context"
	"sync/atomic"
	"testing"

	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
)

// The recipes of docs/how-to.md for golang.org/x/sync.

func TestASemaphoreOfXSyncIsAcquiredThroughBlocking(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		s := semaphore.NewWeighted(1)
		acquire := func(ctx context.Context) error {
			_, err := task.Blocking(context.WithoutCancel(ctx), func(context.Context) (struct{}, error) { return struct{}{}, s.Acquire(ctx, 1) })
			return err
		}
		source := waittest.Random(t)(0)
		for range rounds(500) {
			if !s.TryAcquire(1) {
				t.Fatal("TryAcquire = false, want true: no permit is lost")
			}
			first, second := task.Spawn(ctx, acquire), task.Spawn(ctx, acquire)
			yields(ctx, source.IntN(4))
			if source.IntN(2) == 0 {
				first.Cancel(errTest)
				s.Release(1)
			} else {
				s.Release(1)
				first.Cancel(errTest)
			}
			if _, err := first.Await(ctx); err == nil {
				s.Release(1)
			}
			if _, err := second.Await(ctx); err != nil {
				return err
			}
			s.Release(1)
		}
		return nil
	})
}

func TestSingleflightThroughFromChan(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var flights singleflight.Group
		var calls atomic.Int64
		gate := make(chan struct{})
		fly := func(ctx context.Context) (any, error) {
			f := future.FromChan(flights.DoChan("key", func() (any, error) { <-gate; return calls.Add(1), errTest }))
			result, err := f.Await(ctx)
			if err != nil {
				f.Cancel(err)
				return nil, err
			}
			return result.Val, result.Err
		}
		a, b, c := task.Go(ctx, fly), task.Go(ctx, fly), task.Go(ctx, fly)
		yields(ctx, 3)
		c.Cancel(nil)
		_, err := c.Await(ctx)
		testkit.ErrorIs(t, err, context.Canceled)
		close(gate)
		for _, tk := range []*task.Task[any]{a, b} {
			if v, err := tk.Await(ctx); v != int64(1) || err != errTest {
				t.Errorf("Await = %v, %v; want 1 and %v", v, err, errTest)
			}
		}
		return nil
	})
}
