package future_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// In asyncio a cancellation that comes after the result, and before the task has run on, takes the
// result's place.
func TestAsyncioMistake2_ACancelOverwritesADeliveredResult(t *testing.T) {
	testkit.Watch(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		f, p := future.New[int]()
		waiting := false
		waiter := task.Go(ctx, func(ctx context.Context) (int, error) { waiting = true; return f.Await(ctx) })
		for !waiting {
			task.Yield(ctx)
		}
		p.Resolve(1)
		waiter.Cancel(errTest) // in the same turn: the waiter has not run on yet
		if v, err := waiter.Await(ctx); v != 1 || err != nil {
			t.Errorf("the waiter got %v, %v; want 1 and nil", v, err)
		}

		// The same through a combinator, which has nothing left to cancel then.
		f, p = future.New[int]()
		waiting = false
		all := task.Go(ctx, func(ctx context.Context) ([]int, error) {
			waiting = true
			return future.All(ctx, f, future.Resolved(2))
		})
		for !waiting {
			task.Yield(ctx)
		}
		p.Resolve(1)
		all.Cancel(errTest)
		if vs, err := all.Await(ctx); len(vs) != 2 || err != nil {
			t.Errorf("All with a late Cancel = %v, %v; want 2 values and nil", vs, err)
		}
		return nil
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
}

// In asyncio what shield has made of a coroutine belongs to nobody when its waiter is cancelled:
// it may be collected in the middle, nobody waits for it, and its error is nobody's.
func TestAsyncioMistake5_ShieldOrphansItsTask(t *testing.T) {
	var x testkit.Exceptions
	ended := 0
	testkit.Run(t, func(ctx context.Context) error {
		work := func(ctx context.Context) (int, error) {
			for range 5 {
				task.Yield(ctx)
				runtime.GC()
			}
			ended++
			return 0, errTest
		}
		err := task.Scope(ctx, func(ctx context.Context, _ *task.Group) error {
			short, cancel := context.WithCancelCause(ctx)
			cancel(nil)
			if _, err := future.All(short, future.Shield(task.Go(ctx, work))); !errors.Is(err, context.Canceled) || ended != 0 {
				t.Errorf("All of a shielded task = %v after %d ends, want %v before the task has ended", err, ended, context.Canceled)
			}
			return nil
		})
		if ended != 1 || err != errTest {
			t.Errorf("its scope returned %v; %d have ended; want %v and 1", err, ended, errTest)
		}
		// This one is in no explicit group: the loop waits for it, and is told of its error.
		future.Shield(task.Go(ctx, work)).Cancel(nil)
		return nil
	}, x.Option())
	if n := len(lost(&x)); ended != 2 || n != 1 {
		t.Errorf("%d have ended, %d reports; want 2 and 1", ended, n)
	}
}

// In asyncio gather returns at the first error, while the others go on.
func TestAsyncioMistake6_GatherLeavesSiblingsRunning(t *testing.T) {
	testkit.Watch(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		running := 0
		sibling := func(ctx context.Context) (int, error) {
			running++
			defer func() { running-- }()
			err := task.Sleep(ctx, time.Hour)
			task.Sleep(context.WithoutCancel(ctx), time.Millisecond) // its cleanup
			return 0, err
		}
		failing := func(ctx context.Context) (int, error) { task.Yield(ctx); return 0, errTest }
		if _, err := future.All(ctx, task.Go(ctx, sibling), task.Go(ctx, failing), task.Go(ctx, sibling)); err != errTest || running != 0 {
			t.Errorf("All returned %v, and %d are running; want %v and 0", err, running, errTest)
		}
		short, cancel := task.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		if _, err := future.AllSettled(short, task.Go(ctx, sibling), task.Go(ctx, sibling)); !errors.Is(err, context.DeadlineExceeded) || running != 0 {
			t.Errorf("AllSettled returned %v, and %d are running; want %v and 0", err, running, context.DeadlineExceeded)
		}
		return nil
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
}

// wait_for is a combinator with a context that ends: what it cancels has really ended when it
// returns.
func TestABoundOnTheTimeOfATask(t *testing.T) {
	testkit.Watch(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		short, cancel := task.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		ended, started := false, false
		slow := task.Go(ctx, func(ctx context.Context) (int, error) {
			err := task.Sleep(ctx, time.Hour)
			task.Sleep(context.WithoutCancel(ctx), time.Millisecond)
			ended = true
			return 0, err
		})
		_, err := future.All(short, slow)
		testkit.ErrorIs(t, err, context.DeadlineExceeded)
		late := task.Go(ctx, func(ctx context.Context) (int, error) { started = true; return 0, ctx.Err() })
		_, err = future.All(short, late) // it is cancelled before its first step
		testkit.ErrorIs(t, err, context.DeadlineExceeded)
		if !ended || !started {
			t.Errorf("ended = %v, started = %v; want both tasks run to their ends", ended, started)
		}

		// Await with such a context only ends the wait, and what is there is returned.
		never, _ := future.New[int]()
		if _, err := never.Await(short); !errors.Is(err, context.DeadlineExceeded) || never.Completed() {
			t.Errorf("Await = %v (completed: %v), want %v and a pending future", err, never.Completed(), context.DeadlineExceeded)
		}
		if v, err := future.Resolved(1).Await(short); v != 1 || err != nil {
			t.Errorf("of what is there: %v, %v; want 1 and nil", v, err)
		}
		return nil
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
}

// A task that goes on when it is cancelled, and succeeds: its result is in it, whatever the
// combinator returns.
func TestTheResultOfATaskThatWasCancelledAndSucceeds(t *testing.T) {
	testkit.Watch(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		short, cancel := task.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		after := errors.New("in the cleanup")
		for _, c := range []struct {
			v   int
			err error
		}{{7, nil}, {0, after}} {
			tk := task.Go(ctx, func(ctx context.Context) (int, error) { task.Sleep(ctx, time.Hour); return c.v, c.err })
			all, err := future.AllSettled(short, tk)
			testkit.ErrorIs(t, err, context.DeadlineExceeded)
			if v, err := tk.TryResult(); v != c.v || err != c.err || all[0].Value != c.v || all[0].Err != c.err {
				t.Errorf("TryResult = %v, %v and AllSettled = %v; want %v and %v of both", v, err, all, c.v, c.err)
			}
		}
		return nil
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
}

// A callback for a loop never runs inside the call that adds it, or that completes the future.
func TestALoopsCallbacksAreNeverSynchronous(t *testing.T) {
	testkit.Watch(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		calls := 0
		f, p := future.New[int]()
		f.OnDone(loop, func(int, error) { calls++ })
		p.Resolve(1)
		f.OnDone(loop, func(int, error) { calls++ })
		if calls != 0 {
			t.Errorf("%d callbacks ran at once, want none before the loop's next turn", calls)
		}
		task.Yield(ctx)
		if calls != 2 {
			t.Errorf("%d callbacks ran, want 2", calls)
		}
		return nil
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
}
