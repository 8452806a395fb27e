package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

func TestABarrierMeetsAgainAndAgain(t *testing.T) {
	run(t, func(ctx context.Context) error {
		b := task.NewBarrier(3)
		meetings := [][]int{{}, {}}
		_, tasks := arrive(ctx, 3, func(ctx context.Context, i int) error {
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
				t.Errorf("a meeting of %v", m)
			}
		}
		return err
	})
}

func TestABarrierThatCannotBeMetBreaks(t *testing.T) {
	for name, c := range map[string]struct {
		end    func(ctx context.Context, b *task.Barrier, first *task.Task[struct{}])
		first  error
		after  error
		others error
	}{
		"cancelled": {func(_ context.Context, _ *task.Barrier, first *task.Task[struct{}]) { first.Cancel(errTest) }, errTest, task.ErrBroken, task.ErrBroken},
		"cancelled before the last comes": {func(ctx context.Context, b *task.Barrier, first *task.Task[struct{}]) {
			first.Cancel(errTest)
			_, err := b.Wait(ctx)
			wantErr(t, err, task.ErrBroken)
		}, errTest, task.ErrBroken, task.ErrBroken},
		"cancelled after the last came": {func(ctx context.Context, b *task.Barrier, first *task.Task[struct{}]) {
			if i, err := b.Wait(ctx); i != 2 || err != nil {
				t.Error(i, err)
			}
			first.Cancel(errTest)
		}, nil, nil, nil},
		"cancelled and reset": {func(_ context.Context, b *task.Barrier, first *task.Task[struct{}]) {
			first.Cancel(errTest)
			b.Reset()
		}, errTest, nil, task.ErrBroken},
		"aborted":   {func(_ context.Context, b *task.Barrier, _ *task.Task[struct{}]) { b.Abort() }, task.ErrBroken, task.ErrBroken, task.ErrBroken},
		"was reset": {func(_ context.Context, b *task.Barrier, _ *task.Task[struct{}]) { b.Reset() }, task.ErrBroken, nil, task.ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				b := task.NewBarrier(3)
				wait := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
				_, tasks := arrive(ctx, 2, func(ctx context.Context, _ int) error { return wait(ctx) })
				c.end(ctx, b, tasks[0])
				yields(ctx, 3)
				for i, want := range []error{c.first, c.others} {
					if _, err := tasks[i].Await(ctx); !errors.Is(err, want) {
						t.Errorf("%d has %v, want %v", i, err, want)
					}
				}
				if c.after == nil { // as new
					arrive(ctx, 2, func(ctx context.Context, _ int) error { return wait(ctx) })
				}
				wantErr(t, wait(ctx), c.after)
				b.Reset()
				_, tasks = arrive(ctx, 3, func(ctx context.Context, _ int) error { return wait(ctx) })
				_, err := future.All(ctx, tasks...)
				return err
			})
		})
	}
}
