package lock_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/lock"
)

func TestOnceRunsUntilItSucceeds(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var once lock.Once
		fates := []func(ctx context.Context) error{
			func(context.Context) error { return waittest.ErrTest },
			func(context.Context) error { panic(waittest.ErrTest) },
			func(ctx context.Context) error { return task.Sleep(ctx, 1<<40) }, // for ever
			func(context.Context) error { return nil },
			func(context.Context) error { t.Error("it ran again, want no more after a success"); return nil },
		}
		ran := 0
		_, tasks := waittest.Arrive(ctx, len(fates), func(ctx context.Context, i int) error {
			return once.Do(ctx, func(ctx context.Context) error {
				ran++
				if err := task.Yield(ctx); err != nil {
					return err
				}
				return fates[i](ctx)
			})
		})
		waittest.Yields(ctx, 10)
		tasks[2].Cancel(waittest.ErrTest)
		for i, tk := range tasks {
			if _, err := tk.Await(ctx); errors.Is(err, waittest.ErrTest) != (i < 3) {
				t.Errorf("task %d: Await's error = %v, want %v of the first 3, nil of the others", i, err, waittest.ErrTest)
			}
		}
		if ran != 4 || once.String() != "once, done" {
			t.Errorf("%d ran, and it is %q; want 4 and %q", ran, &once, "once, done")
		}
		return nil
	}, new(testkit.Exceptions).Option())
}

func TestAOnceWhoseTurnComesWithADoneContextDoesNotRun(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var once lock.Once
		failed, fail := future.New[int]()
		var ran []int
		_, tasks := waittest.Arrive(ctx, 4, func(ctx context.Context, i int) error {
			return once.Do(ctx, func(ctx context.Context) error {
				ran = append(ran, i)
				if i == 0 {
					_, err := failed.Await(ctx)
					return err
				}
				return nil
			})
		})
		tasks[1].OnDone(future.Inline, func(struct{}, error) { tasks[3].Cancel(waittest.ErrTest) })
		// The second has its turn then, and has not run.
		tasks[0].OnDone(future.Inline, func(struct{}, error) { tasks[1].Cancel(waittest.ErrTest) })
		fail.Fail(waittest.ErrTest)
		for i, tk := range tasks {
			if _, err := tk.Await(ctx); errors.Is(err, waittest.ErrTest) != (i != 2) {
				t.Errorf("task %d: Await's error = %v, want %v of all but task 2", i, err, waittest.ErrTest)
			}
		}
		if !slices.Equal(ran, []int{0, 2}) {
			t.Errorf("%v ran, want %v", ran, []int{0, 2})
		}
		return nil
	}, new(testkit.Exceptions).Option())
}

func TestAGoexitInOnceLetsTheNextOneRun(t *testing.T) {
	var once lock.Once
	done := make(chan struct{})
	go func() {
		defer close(done)
		once.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
	}()
	<-done
	ran := false
	once.Do(context.Background(), func(context.Context) error { ran = true; return nil })
	if !ran {
		t.Error("Do did not call its function, want it called: the first has not succeeded")
	}
}
