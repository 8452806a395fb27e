package future_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// One future is awaited, derived from, raced and cancelled by tasks of four loops and by 64
// goroutines, at once.
func TestFuturesBelongToNoLoop(t *testing.T) {
	loops := testkit.StartGroup(t, 4).Loops()
	const rounds, goroutines = 30, 64
	for range rounds {
		f, p := future.New[int]()
		never, _ := future.New[int]()
		use := []func(ctx context.Context) (int, error){
			f.Await,
			func(ctx context.Context) (int, error) { return future.Race(ctx, future.Keep(never, f)...) },
			func(ctx context.Context) (int, error) {
				return future.Map(future.Shield(f), func(v int) (int, error) { return v + 1, nil }).Await(ctx)
			},
			func(ctx context.Context) (int, error) {
				_, b, err := future.All2(ctx, f, future.Then(f, func(v int) *future.Future[int] { return future.Resolved(v) }))
				return b, err
			},
			func(ctx context.Context) (int, error) {
				for _, out := range future.AsCompleted(ctx, future.Keep(never, f)...) {
					return out.Value, out.Err
				}
				return 0, errTest
			},
			func(ctx context.Context) (int, error) {
				done, _, err := future.Wait(ctx, future.FirstCompleted, f, never)
				if err != nil {
					return 0, err
				}
				return done[0].TryResult()
			},
			func(ctx context.Context) (int, error) {
				g, q := future.New[int]()
				loop := loops[0]
				f.OnDone(loop, func(v int, err error) { q.Complete(v, err) })
				return g.Await(ctx)
			},
		}
		wanted := func(i int) int {
			if i%len(use) == 2 {
				return 8
			}
			return 7
		}
		var calls atomic.Int64
		var joined sync.WaitGroup
		check := func(i int, ctx context.Context) {
			if v, err := use[i%len(use)](ctx); v != wanted(i) || err != nil {
				t.Errorf("use %d = %v, %v; want %v and nil", i%len(use), v, err, wanted(i))
			}
			calls.Add(1)
		}
		for i := range goroutines {
			joined.Go(func() { check(i, context.Background()) })
			tk := task.Spawn(loops[i%len(loops)].Context(), func(ctx context.Context) error { check(i, ctx); return nil })
			joined.Go(func() { tk.Await(context.Background()) })
		}
		joined.Go(func() { p.Resolve(7) })
		joined.Go(func() { future.Shield(f).Cancel(errTest) })
		joined.Wait()
		if calls.Load() != 2*goroutines {
			t.Errorf("%d calls have returned, want %d", calls.Load(), 2*goroutines)
		}
		if future.Callbacks(never) != 0 || future.Waiters(never) != 0 {
			t.Errorf("%d callbacks and %d waiters are left; want 0 and 0", future.Callbacks(never), future.Waiters(never))
		}
	}
}
