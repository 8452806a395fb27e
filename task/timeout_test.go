package task_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestTimeouts(t *testing.T) {
	t.Run("expire on the loop's timers and leave none", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			loop, _ := reactor.FromContext(ctx)
			before := pendingTimers(loop)
			for _, d := range []time.Duration{-1, 0, time.Microsecond, time.Millisecond} {
				c, cancel := task.WithTimeout(ctx, d)
				if deadline, ok := c.Deadline(); !ok || time.Until(deadline) > d {
					t.Errorf("%v: deadline in %v", d, time.Until(deadline))
				}
				err := task.Sleep(c, time.Hour)
				wantErr(t, err, context.DeadlineExceeded)
				cancel()
			}
			for range 100 {
				outer, cancelOuter := task.WithTimeout(ctx, time.Hour)
				inner, cancelInner := task.WithTimeout(outer, 2*time.Hour)
				if a, _ := outer.Deadline(); true {
					if b, _ := inner.Deadline(); a != b {
						t.Errorf("deadlines %v, %v", a, b)
					}
				}
				cancelOuter()
				if inner.Err() != context.Canceled {
					t.Error("the inner one goes on")
				}
				defer cancelInner() // its timer is gone already
			}
			if n := pendingTimers(loop) - before; n != 0 {
				t.Errorf("%d timers left", n)
			}
			return nil
		})
	})
	t.Run("are cancelled from goroutines", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			loop, _ := reactor.FromContext(ctx)
			before := pendingTimers(loop)
			for range rounds(500) {
				c, cancel := task.WithTimeout(ctx, time.Hour)
				go cancel()
				wantErr(t, task.Sleep(c, time.Hour), context.Canceled)
			}
			var joined sync.WaitGroup
			for range 20 {
				joined.Go(func() {
					c, cancel := task.WithTimeout(ctx, time.Millisecond) // made outside the loop
					defer cancel()
					_, err := pending().Await(c)
					wantErr(t, err, context.DeadlineExceeded)
					c, cancel = task.WithTimeout(ctx, time.Hour)
					tk := task.Go(c, func(ctx context.Context) (int, error) { return pending().Await(ctx) })
					cancel()
					_, err = tk.Await(ctx)
					wantErr(t, err, context.Canceled)
				})
			}
			task.Wait(ctx, waitFunc(func() error { joined.Wait(); return nil }))
			yields(ctx, 3)
			if n := pendingTimers(loop) - before; n != 0 {
				t.Errorf("%d timers left", n)
			}
			return nil
		})
	})
	t.Run("of a closed loop are done", func(t *testing.T) {
		loop := background(t)
		loop.Close()
		for _, ctx := range []context.Context{loop.Context(), reactor.WithLoop(context.Background(), loop)} {
			c, cancel := task.WithTimeout(ctx, time.Hour)
			defer cancel()
			<-c.Done()
			wantErr(t, context.Cause(c), reactor.ErrClosed)
		}
	})
	t.Run("without a loop are package context's", func(t *testing.T) {
		c, cancel := task.WithDeadline(context.Background(), time.Now().Add(time.Millisecond))
		defer cancel()
		<-c.Done()
		wantErr(t, c.Err(), context.DeadlineExceeded)
	})
	t.Run("WithDeadline", func(t *testing.T) {
		run(t, func(ctx context.Context) error {
			at := time.Now().Add(5 * time.Millisecond)
			c, cancel := task.WithDeadline(ctx, at)
			defer cancel()
			wantErr(t, task.Sleep(c, time.Hour), context.DeadlineExceeded)
			if time.Now().Before(at.Add(-time.Millisecond)) {
				t.Error("too early")
			}
			return nil
		})
	})
}
