package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestSleep(t *testing.T) {
	sleeps := func(ctx context.Context) error {
		for _, d := range []time.Duration{-1, 0, time.Nanosecond, 2 * time.Millisecond} {
			begun := time.Now()
			if err := task.Sleep(ctx, d); err != nil || time.Since(begun) < d {
				t.Errorf("Sleep(%v) returned %v after %v; want nil and at least %v", d, err, time.Since(begun), d)
			}
		}
		c, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Millisecond, func() { cancel(errTest) })
		testkit.ErrorIs(t, task.Sleep(c, time.Hour), errTest, context.Canceled)
		return nil
	}
	t.Run("in a goroutine", func(t *testing.T) { testkit.Watch(t); sleeps(context.Background()) })
	t.Run("in a task", func(t *testing.T) {
		testkit.Run(t, func(ctx context.Context) error {
			loop, _ := reactor.FromContext(ctx)
			before := pendingTimers(loop)
			defer func() {
				if n := pendingTimers(loop) - before; n != 0 {
					t.Errorf("%d timers left, want 0", n)
				}
			}()
			return sleeps(ctx)
		})
	})
	t.Run("ends in the order of time", func(t *testing.T) {
		testkit.Run(t, func(ctx context.Context) error {
			var woken []int
			g, gctx := task.NewGroup(ctx)
			for _, ms := range []int{6, 2, 8, 4} {
				g.Go(func() error {
					err := task.Sleep(gctx, time.Duration(ms)*time.Millisecond)
					woken = append(woken, ms)
					return err
				})
			}
			err := g.Wait()
			if !slices.IsSorted(woken) {
				t.Errorf("woken in the order %v, want the shortest sleep first", woken)
			}
			return err
		})
	})
}

func TestYieldLetsEverythingReadyRunFirst(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var order []int
		g, gctx := task.NewGroup(ctx)
		for i := range 3 {
			g.Go(func() error {
				for range 3 {
					order = append(order, i)
					task.Yield(gctx)
				}
				return nil
			})
		}
		err := g.Wait()
		if !slices.Equal(order, []int{0, 1, 2, 0, 1, 2, 0, 1, 2}) {
			t.Errorf("order %v, want the three in turns, 3 times", order)
		}
		return err
	})
	if err := task.Yield(context.Background()); err != nil { // a goroutine's
		t.Error(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errTest)
	testkit.ErrorIs(t, task.Yield(ctx), errTest)
}

func TestBlocking(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		v, err := task.Blocking(ctx, func(inner context.Context) (int, error) {
			if loop.InLoop() || inner.Value(anyKey{}) != nil {
				t.Error("the function runs on the loop or with the task's values, want neither")
			}
			return 3, errTest
		})
		if v != 3 || err != errTest {
			t.Errorf("got %v, %v; want 3 and %v", v, err, errTest)
		}
		var p *task.PanicError
		if _, err := task.Blocking(ctx, func(context.Context) (int, error) { panicsHere(); return 0, nil }); !errors.As(err, &p) || p.Value != "here" {
			t.Errorf("a panic: Blocking = %v, want a PanicError of here", err)
		}
		_, err = task.Blocking(ctx, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		testkit.ErrorIs(t, err, task.ErrGoexit)

		c, cancel := context.WithCancelCause(ctx)
		ended, returned := make(chan error, 1), make(chan struct{})
		task.Spawn(ctx, func(ctx context.Context) error { yields(ctx, 3); cancel(errTest); return nil })
		_, err = task.Blocking(c, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			ended <- context.Cause(ctx)
			<-returned
			return 0, nil
		})
		close(returned)
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		_, err = task.Blocking(ctx, func(context.Context) (int, error) { return 1, <-ended })
		testkit.ErrorIs(t, err, errTest)
		return nil
	})
	// a goroutine's
	v, err := task.Blocking(context.Background(), func(context.Context) (int, error) { return 3, errTest })
	if v != 3 || err != errTest {
		t.Errorf("in a goroutine: %v, %v; want 3 and %v", v, err, errTest)
	}
}

func TestCloseWaitsForWhatBlocks(t *testing.T) {
	blocks := map[string]func(ctx context.Context, work func() error) error{
		"Blocking": func(ctx context.Context, work func() error) error {
			_, err := task.Blocking(ctx, func(context.Context) (int, error) { return 0, work() })
			return err
		},
		"Wait": func(ctx context.Context, work func() error) error { return task.Wait(ctx, waitFunc(work)) },
	}
	for name, block := range blocks {
		t.Run(name, func(t *testing.T) {
			loop := testkit.StartLoop(t)
			until, ended := make(chan struct{}), false
			started := future.Promise[int]{}
			tk := task.Spawn(loop.Context(), func(ctx context.Context) error {
				return block(ctx, func() error {
					started.Resolve(1)
					<-until
					ended = true
					return nil
				})
			})
			started.Future().Await(context.Background())
			tk.Cancel(errTest)
			_, err := tk.Await(context.Background()) // a cancelled wait leaves the rest to Close
			testkit.ErrorIs(t, err, errTest)
			go close(until)
			loop.Close()
			if !ended {
				t.Error("Close has returned, want it to wait for the function")
			}
		})
	}
}

func TestWaitAwaitsWhatHasAWaitMethod(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		beside := 0
		task.Spawn(ctx, func(ctx context.Context) error {
			for ctx.Err() == nil {
				beside++
				task.Yield(ctx)
			}
			return nil
		})
		var g errgroup.Group
		g.Go(func() error { return task.Sleep(context.Background(), time.Millisecond) })
		g.Go(func() error { return errTest })
		if err := task.Wait(ctx, &g); err != errTest || beside == 0 {
			t.Errorf("Wait = %v, beside %d steps; want %v and some steps", err, beside, errTest)
		}
		var p *task.PanicError
		if err := task.Wait(ctx, waitFunc(func() error { panic("x") })); !errors.As(err, &p) {
			t.Errorf("a panic: Wait = %v, want a PanicError", err)
		}
		goroutine := make(chan error)
		go func() { goroutine <- task.Wait(ctx, waitFunc(func() error { return errTest })) }()
		if err := <-goroutine; err != errTest {
			t.Errorf("in a goroutine: %v, want %v", err, errTest)
		}

		own, octx := task.NewGroup(ctx)
		own.Go(func() error { _, err := pending().Await(octx); return err })
		short, cancel := task.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		testkit.ErrorIs(t, task.Wait(short, own), context.DeadlineExceeded)
		if octx.Err() != nil {
			t.Errorf("the group's context: Err = %v, want nil: only the wait has ended", octx.Err())
		}
		own.Cancel(errTest)
		testkit.ErrorIs(t, task.Wait(ctx, own), errTest)
		return nil
	})
}
