package task_test

import (
	"context"
	"math/rand/v2"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Ten thousand tasks that wait in every way and are cancelled at any time leave nothing behind.
func TestTasksCancelledAtRandomLeaveNothing(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	n := rounds(10_000)
	fds, goroutines := len(testkit.Descriptors()), runtime.NumGoroutine()
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		timers := pendingTimers(loop)
		never := pending()
		var promises []*future.Promise[int]
		var wait func(ctx context.Context, deep int) error
		wait = func(ctx context.Context, deep int) error {
			switch k := r.IntN(8); {
			case k == 0:
				return task.Sleep(ctx, time.Duration(r.IntN(3))*time.Millisecond)
			case k == 1:
				f, p := future.New[int]()
				promises = append(promises, p)
				_, err := f.Await(ctx)
				return err
			case k == 2 || deep == 0:
				_, err := never.Await(ctx)
				return err
			case k == 3:
				_, err := task.Spawn(ctx, func(ctx context.Context) error { return wait(ctx, deep-1) }).Await(ctx)
				return err
			case k == 4:
				g, gctx := task.NewGroup(ctx)
				g.SetLimit(2)
				for range 3 {
					g.Go(func() error { return wait(gctx, deep-1) })
				}
				return g.Wait()
			case k == 5:
				c, cancel := task.WithTimeout(ctx, time.Duration(r.IntN(3))*time.Millisecond)
				defer cancel()
				return wait(c, deep-1)
			case k == 6:
				c, cancel := context.WithCancel(context.WithValue(ctx, anyKey{}, 1))
				defer cancel()
				return wait(c, deep-1)
			default:
				a := task.Spawn(ctx, func(ctx context.Context) error { return wait(ctx, deep-1) })
				b := task.Spawn(ctx, func(ctx context.Context) error { return wait(ctx, deep-1) })
				_, err := future.Race(ctx, a, b)
				return err
			}
		}
		var tasks []*task.Task[struct{}]
		for range n {
			tasks = append(tasks, task.Spawn(ctx, func(ctx context.Context) error { return wait(ctx, 3) }))
		}
		left := r.Perm(n)
		var outside sync.WaitGroup
		for len(left) > 0 {
			k := min(len(left), 1+r.IntN(n/10))
			some := left[:k]
			left = left[k:]
			if r.IntN(3) == 0 {
				outside.Go(func() {
					for _, i := range some {
						tasks[i].Cancel(errTest)
					}
				})
			} else {
				for _, i := range some {
					tasks[i].Cancel(nil)
				}
			}
			for len(promises) > 0 && r.IntN(4) > 0 {
				promises[0].Resolve(1)
				promises = promises[1:]
			}
			yields(ctx, r.IntN(5))
		}
		for _, tk := range tasks {
			tk.Await(ctx)
		}
		task.Wait(ctx, waitFunc(func() error { outside.Wait(); return nil }))
		yields(ctx, 5)
		if left := pendingTimers(loop) - timers; left != 0 {
			t.Errorf("%d timers left, want 0", left)
		}
		for statsOf(loop).Tasks > 1 { // contexts of package context tell of their end in goroutines
			task.Yield(ctx)
		}
		return nil
	}, new(testkit.Exceptions).Option())
	if n := len(testkit.Descriptors()); n != fds {
		t.Errorf("%d descriptors, want %d, as before", n, fds)
	}
	for range 1000 { // what was told to go may need a moment
		if runtime.NumGoroutine() <= goroutines {
			return
		}
		runtime.Gosched()
	}
	if n := runtime.NumGoroutine(); n > goroutines+2 {
		t.Errorf("%d goroutines, there were %d; want at most %d", n, goroutines, goroutines+2)
	}
}
