package task_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Tasks of four loops are awaited from 64 goroutines and from tasks of all of these, while some are
// cancelled.
func Test64GoroutinesAnd4LoopsAwaitTheSameTasks(t *testing.T) {
	loops := []*reactor.Loop{testkit.StartLoop(t), testkit.StartLoop(t), testkit.StartLoop(t), testkit.StartLoop(t)}
	for range rounds(200) {
		var tasks []*task.Task[int]
		gate, open := future.New[int]()
		for i := range 16 {
			opts := []task.Option{}
			if i%2 == 0 {
				opts = append(opts, task.Eager())
			}
			tasks = append(tasks, task.Go(loops[i%4].Context(), func(ctx context.Context) (int, error) {
				_, err := gate.Await(ctx)
				if i%5 == 4 {
					_, err = pending().Await(ctx) // until somebody cancels it
				}
				return i, err
			}, opts...))
		}
		check := func(ctx context.Context) (int, error) {
			for i, tk := range tasks {
				v, err := tk.Await(ctx)
				if v != i || (err != nil) != (i%5 == 4) || err != nil && !errors.Is(err, errTest) {
					t.Errorf("task %d = %d, %v; want %d, and %v of every fifth only", i, v, err, i, errTest)
				}
			}
			return 1, nil
		}
		var all sync.WaitGroup
		for n := range 64 {
			all.Go(func() {
				switch n % 4 {
				case 0:
					check(context.Background())
				case 1:
					task.Go(loops[n/4%4].Context(), check).Await(context.Background())
				case 2:
					task.Go(loops[n/4%4].Context(), check, task.Eager()).AsFuture().Await(context.Background())
				case 3:
					open.Resolve(1)
					tasks[4].Cancel(errTest)
					tasks[9].Cancel(errTest)
					tasks[14].Cancel(errTest)
				}
			})
		}
		all.Wait()
	}
}

// A group that has members on four loops and daemons, started, awaited and cancelled from 64
// goroutines.
func Test64GoroutinesAnd4LoopsUseTheSameGroup(t *testing.T) {
	loops := []*reactor.Loop{testkit.StartLoop(t), testkit.StartLoop(t), testkit.StartLoop(t), testkit.StartLoop(t)}
	for round := range rounds(200) {
		g, gctx := task.NewGroup(loops[0].Context())
		if round%2 == 0 {
			g.SetLimit(5)
		}
		var begun, ended, failed atomic.Int32
		member := func(n int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				begun.Add(1)
				defer ended.Add(1)
				if err := task.Yield(ctx); err != nil {
					return err
				}
				if n%16 == 15 {
					failed.Add(1)
					return errTest
				}
				return nil
			}
		}
		var all sync.WaitGroup
		for n := range 64 {
			all.Go(func() {
				on := reactor.WithLoop(gctx, loops[n%4])
				switch n / 4 % 8 {
				case 0, 1:
					g.Go(func() error { return member(n)(gctx) })
				case 2:
					task.Spawn(on, member(n), task.Eager())
				case 3:
					task.Spawn(on, func(ctx context.Context) error { pending().Await(ctx); return ctx.Err() }, task.Daemon())
				case 4:
					task.Spawn(on, member(n)).Cancel(errors.New("a member's own"))
				case 5:
					v, err := task.Start(on, func(ctx context.Context, started func(int) bool) error {
						started(n)
						return member(n)(ctx)
					})
					if v != n && !errors.Is(err, errTest) && !errors.Is(err, task.ErrEnded) {
						t.Errorf("Start = %d, %v; want %d, or %v or %v", v, err, n, errTest, task.ErrEnded)
					}
				case 6:
					short, cancel := context.WithCancel(context.Background())
					go cancel()
					if err := task.Wait(short, g); err != nil && !errors.Is(err, errTest) && !errors.Is(err, context.Canceled) {
						t.Errorf("Wait = %v, want nil, %v or %v", err, errTest, context.Canceled)
					}
				case 7:
					_ = g.String()
					g.Errors()
				}
			})
		}
		all.Wait()
		err := g.Wait()
		if begun.Load() != ended.Load() {
			t.Errorf("%d members have begun, %d have ended; want as many", begun.Load(), ended.Load())
		}
		if failed.Load() > 0 && (err == nil || g.Errors() == nil) {
			t.Errorf("%d have failed, Wait = %v, Errors = %v; want both to tell", failed.Load(), err, g.Errors())
		}
	}
}
