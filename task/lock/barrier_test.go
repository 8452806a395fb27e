package lock_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/lock"
)

func TestABarrierMeetsAgainAndAgain(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		b := lock.NewBarrier(3)
		meetings := [][]int{{}, {}}
		_, tasks := waittest.Arrive(ctx, 3, func(ctx context.Context, i int) error {
			for m := range meetings {
				index, err := b.Wait(ctx)
				if err != nil {
					return err
				}
				meetings[m] = append(meetings[m], index)
			}
			return nil
		})
		_, err := future.All(ctx, tasks...)
		for _, m := range meetings {
			if slices.Sort(m); !slices.Equal(m, []int{0, 1, 2}) {
				t.Errorf("a meeting of %v, want %v", m, []int{0, 1, 2})
			}
		}
		return err
	})
}

func TestABarrierThatCannotBeMetBreaks(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(ctx context.Context, b *lock.Barrier, first *task.Task[struct{}])
		first  error
		after  error
		others error
	}{
		"cancelled": {func(_ context.Context, _ *lock.Barrier, first *task.Task[struct{}]) { first.Cancel(waittest.ErrTest) }, waittest.ErrTest, lock.ErrBroken, lock.ErrBroken},
		"cancelled before the last comes": {func(ctx context.Context, b *lock.Barrier, first *task.Task[struct{}]) {
			first.Cancel(waittest.ErrTest)
			_, err := b.Wait(ctx)
			testkit.ErrorIs(t, err, lock.ErrBroken)
		}, waittest.ErrTest, lock.ErrBroken, lock.ErrBroken},
		"cancelled after the last came": {func(ctx context.Context, b *lock.Barrier, first *task.Task[struct{}]) {
			if i, err := b.Wait(ctx); i != 2 || err != nil {
				t.Errorf("Wait of the last to come = %d, %v; want 2 and nil", i, err)
			}
			first.Cancel(waittest.ErrTest)
		}, nil, nil, nil},
		"cancelled and reset": {func(_ context.Context, b *lock.Barrier, first *task.Task[struct{}]) {
			first.Cancel(waittest.ErrTest)
			b.Reset()
		}, waittest.ErrTest, nil, lock.ErrBroken},
		"aborted":   {func(_ context.Context, b *lock.Barrier, _ *task.Task[struct{}]) { b.Abort() }, lock.ErrBroken, lock.ErrBroken, lock.ErrBroken},
		"was reset": {func(_ context.Context, b *lock.Barrier, _ *task.Task[struct{}]) { b.Reset() }, lock.ErrBroken, nil, lock.ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				b := lock.NewBarrier(3)
				wait := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
				_, tasks := waittest.Arrive(ctx, 2, func(ctx context.Context, _ int) error { return wait(ctx) })
				c.end(ctx, b, tasks[0])
				waittest.Yields(ctx, 3)
				for i, want := range []error{c.first, c.others} {
					if _, err := tasks[i].Await(ctx); !errors.Is(err, want) {
						t.Errorf("%d has %v, want %v", i, err, want)
					}
				}
				if c.after == nil { // as new
					waittest.Arrive(ctx, 2, func(ctx context.Context, _ int) error { return wait(ctx) })
				}
				testkit.ErrorIs(t, wait(ctx), c.after)
				b.Reset()
				_, tasks = waittest.Arrive(ctx, 3, func(ctx context.Context, _ int) error { return wait(ctx) })
				_, err := future.All(ctx, tasks...)
				return err
			})
		})
	}
}
