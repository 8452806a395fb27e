package queue_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/queue"
)

// asyncio's seventh known mistake is the lost wake-up: a waiter is woken, is cancelled before it
// has run, and takes the wake-up with it, so that the next one waits for ever. Here what is handed
// over is the waiter's, and its call succeeds. The tests are named after the reports.

// The same for a queue's getters and putters.
func TestAsyncioMistake7_QueueWakeUps(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		q := queue.New[int](1)
		got := []int{}
		_, getters := waittest.Arrive(ctx, 3, func(ctx context.Context, _ int) error {
			v, err := q.Get(ctx)
			if err == nil {
				got = append(got, v)
			}
			return err
		})
		getters[1].Cancel(waittest.ErrTest)
		for i := range 2 {
			q.TryPut(i)
		}
		getters[0].Cancel(waittest.ErrTest) // it has the first item, and returns it
		for i, g := range getters {
			if _, err := g.Await(ctx); (err != nil) != (i == 1) {
				t.Errorf("getter %d: Await's error = %v, want one of getter 1 only", i, err)
			}
		}
		q.TryPut(2)
		_, putters := waittest.Arrive(ctx, 3, func(ctx context.Context, i int) error { return q.Put(ctx, 3+i) })
		putters[0].Cancel(waittest.ErrTest)
		v, _ := q.TryGet()
		got = append(got, v)
		putters[1].Cancel(waittest.ErrTest) // its item is in
		for range 2 {
			v, err := q.Get(ctx)
			if err != nil {
				return err
			}
			got = append(got, v)
		}
		for i, want := range []int{0, 1, 2, 4, 5} {
			if i >= len(got) || got[i] != want {
				t.Fatalf("got %v, want %v", got, []int{0, 1, 2, 4, 5})
			}
		}
		return nil
	})
}
