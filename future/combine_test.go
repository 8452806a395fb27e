package future_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// obedient returns a future whose producer ends, in its own time, when it is cancelled.
func obedient(ended *int) *future.Future[int] {
	f, p := future.New[int]()
	p.OnCancel(func(cause error) {
		*ended++
		time.AfterFunc(time.Millisecond, func() { p.Fail(cause) })
	})
	return f
}

func TestAll(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		if vs, err := future.All[int, *future.Future[int]](ctx); len(vs) != 0 || vs == nil || err != nil {
			t.Errorf("All of none = %#v, %v; want an empty slice that is not nil, and nil", vs, err)
		}
		f, p := future.New[int]()
		time.AfterFunc(time.Millisecond, func() { p.Resolve(2) })
		vs, err := future.All(ctx, future.Resolved(1), f, future.Resolved(3), f)
		if !slices.Equal(vs, []int{1, 2, 3, 2}) || err != nil {
			t.Errorf("got %v, %v; want %v and nil", vs, err, []int{1, 2, 3, 2})
		}

		ended := 0
		a, b := obedient(&ended), obedient(&ended)
		failing, q := future.New[int]()
		time.AfterFunc(time.Millisecond, func() { q.Fail(errTest) })
		vs, err = future.All(ctx, a, failing, b)
		if vs != nil || err != errTest || ended != 2 || !a.Completed() || !b.Completed() {
			t.Errorf("All with one that fails = %v, %v, and %d others have ended; want nil, %v and 2", vs, err, ended, errTest)
		}
		want(t, a, 0, errTest)

		done, cancel := context.WithCancelCause(ctx)
		cancel(errTest)
		c := obedient(&ended)
		_, err = future.All(done, c, future.Resolved(1))
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		if !c.Completed() || ended != 3 {
			t.Errorf("completed = %v, %d have ended in all; want true and 3: the end of the context cancels them", c.Completed(), ended)
		}
		if vs, err := future.All(done, future.Resolved(1), future.Resolved(2)); len(vs) != 2 || err != nil {
			t.Errorf("All of what is there, context done = %v, %v; want 2 values and nil", vs, err)
		}
	})
}

func TestRace(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		if _, err := future.Race[int, *future.Future[int]](ctx); err != future.ErrNone {
			t.Errorf("of none: %v, want %v", err, future.ErrNone)
		}
		ended := 0
		f, p := future.New[int]()
		a := obedient(&ended)
		time.AfterFunc(time.Millisecond, func() { p.Resolve(2) })
		if v, err := future.Race(ctx, a, f); v != 2 || err != nil || !a.Completed() || ended != 1 {
			t.Errorf("Race = %v, %v, and %d losers have ended; want 2, nil and 1", v, err, ended)
		}
		want(t, a, 0, future.ErrCancelled)
		if _, err := future.Race(ctx, obedient(&ended), future.Failed[int](errTest), future.Resolved(1)); err != errTest {
			t.Errorf("an error is an outcome: %v, want %v", err, errTest)
		}
		done, cancel := context.WithCancelCause(ctx)
		cancel(errTest)
		_, err := future.Race(done, obedient(&ended))
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		if ended != 3 {
			t.Errorf("%d were cancelled, want 3", ended)
		}
		if v, err := future.Race(done, future.Resolved(1)); v != 1 || err != nil {
			t.Errorf("got %v, %v; want 1 and nil", v, err)
		}
	})
}

func TestCombinatorsTakeTasksAndFutures(t *testing.T) {
	testkit.Watch(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		var ended atomic.Int64 // also of a goroutine
		forever := func(ctx context.Context) (int, error) {
			defer func() { ended.Add(1) }()
			err := task.Sleep(ctx, time.Hour)
			task.Sleep(context.WithoutCancel(ctx), time.Millisecond)
			return 0, err
		}
		one := func(ctx context.Context) (int, error) { return 1, task.Yield(ctx) }

		vs, err := future.All(ctx, task.Go(ctx, one), task.Go(ctx, one)) // of tasks alone
		if !slices.Equal(vs, []int{1, 1}) || err != nil {
			t.Errorf("got %v, %v; want %v and nil", vs, err, []int{1, 1})
		}
		v, err := future.Race[int, future.Awaitable[int]](ctx, task.Go(ctx, forever), future.FromFunc(ctx, forever), task.Go(ctx, one))
		if v != 1 || err != nil || ended.Load() != 2 {
			t.Errorf("got %v, %v; %d have ended; want 1, nil and 2", v, err, ended.Load())
		}
		_, err = future.All[int, future.Awaitable[int]](ctx, task.Go(ctx, forever), future.Failed[int](errTest))
		if err != errTest || ended.Load() != 3 {
			t.Errorf("got %v; %d have ended; want %v and 3", err, ended.Load(), errTest)
		}
		short, cancel := task.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err = future.All(short, task.Go(ctx, forever), task.Go(ctx, forever))
		testkit.ErrorIs(t, err, context.DeadlineExceeded)
		if ended.Load() != 5 {
			t.Errorf("%d have ended, want 5", ended.Load())
		}
		return nil
	}, task.WithSignals())
	if err != nil {
		t.Error(err)
	}
}

func TestCombinatorsInACallback(t *testing.T) {
	loop := testkit.StartLoop(t)
	testkit.OnLoop(t, loop, func() {
		if vs, err := future.All(context.Background(), future.Resolved(1)); len(vs) != 1 || err != nil {
			t.Errorf("All of what is there, in a callback = %v, %v; want 1 value and nil", vs, err)
		}
		f, p := future.New[int]()
		testkit.Panics(t, "future: Await in a loop callback would stop the loop; …", func() { future.All(context.Background(), f) })
		p.Resolve(1)
	})
}
