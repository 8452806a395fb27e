package task

import (
	"context"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
)

// Sleep suspends the task for d, on its loop's timers, or blocks the calling goroutine. It returns
// the cause if ctx is done, at once or before d has passed. Sleep of nothing, or less, is Yield. In
// a callback of a loop it panics.
func Sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return Yield(ctx)
	}
	w, err := coro.Here(ctx, "task: Sleep")
	if err != nil {
		return err
	}
	defer w.Release()
	if w.Coro() == nil {
		return sleepGoroutine(ctx, d)
	}
	t := loopOf(w.Coro()).PostLater(d, (*alarm)(w))
	defer t.Stop()
	return w.Wait(ctx, (*alarm)(w))
}

// SleepUntil is Sleep until the time of day t. How long that is is measured once, when it is
// called: to set the clock meanwhile changes nothing. A time that has passed means Yield.
func SleepUntil(ctx context.Context, t time.Time) error {
	if c := coro.CurrentBy(ctx); c != nil {
		return Sleep(ctx, t.Sub(loopOf(c).World().Wall()))
	}
	return Sleep(ctx, time.Until(t))
}

// alarm is a sleeping task's Waiter as a timer's callback.
type alarm coro.Waiter

func (a *alarm) Run() {
	if w := (*coro.Waiter)(a); w.Claim() {
		w.Wake()
	}
}

// String says what the task waits for.
func (a *alarm) String() string { return "sleep" }

func sleepGoroutine(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return coro.Cause(ctx)
	}
}

// Yield lets everything else that is ready run first. It returns the cause, and does not yield, if
// ctx is done. In a plain goroutine it is runtime.Gosched; in a callback of a loop it panics.
func Yield(ctx context.Context) error { return coro.Yield(ctx, "task: Yield") }

// Checkpoint lets others have their turn when the calling task has had its share: at every 128th
// operation since the task last waited, of those that need not wait. Checkpoint counts as one, and
// so does each call that may wait and finds what it wants: Await of a future that is ready, a lock
// that is free, a read of what is buffered. Which context it is given does not matter. So only a
// loop without such a call needs Checkpoint.
//
// It returns the cause, and does not yield, if ctx is done. In a plain goroutine and in a callback
// of a loop it does no more than that.
func Checkpoint(ctx context.Context) error {
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	coro.Spend(ctx)
	return nil
}

func loopOf(c *coro.Coro) *loop.Core { return c.Pool().Owner().(*loop.Core) }
