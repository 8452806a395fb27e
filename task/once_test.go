package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

func TestOnceRunsUntilItSucceeds(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var once task.Once
		fates := []func(ctx context.Context) error{
			func(context.Context) error { return errTest },
			func(context.Context) error { panic(errTest) },
			func(ctx context.Context) error { return task.Sleep(ctx, 1<<40) }, // until it is cancelled
			func(context.Context) error { return nil },
			func(context.Context) error { t.Error("it ran twice"); return nil },
		}
		ran := 0
		_, tasks := arrive(ctx, len(fates), func(ctx context.Context, i int) error {
			return once.Do(ctx, func(ctx context.Context) error {
				ran++
				if err := task.Yield(ctx); err != nil {
					return err
				}
				return fates[i](ctx)
			})
		})
		yields(ctx, 10)
		tasks[2].Cancel(errTest)
		for i, tk := range tasks {
			if _, err := tk.Await(ctx); errors.Is(err, errTest) != (i < 3) {
				t.Errorf("%d has %v", i, err)
			}
		}
		if ran != 4 || once.String() != "once, done" {
			t.Errorf("%d ran, %s", ran, &once)
		}
		return nil
	}, (&exceptions{}).option())
}

func TestAOnceWhoseTurnComesWithADoneContextDoesNotRun(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var once task.Once
		failed, fail := future.New[int]()
		var ran []int
		_, tasks := arrive(ctx, 4, func(ctx context.Context, i int) error {
			return once.Do(ctx, func(ctx context.Context) error {
				ran = append(ran, i)
				if i == 0 {
					_, err := failed.Await(ctx)
					return err
				}
				return nil
			})
		})
		tasks[1].OnDone(future.Inline, func(struct{}, error) { tasks[3].Cancel(errTest) })
		tasks[0].OnDone(future.Inline, func(struct{}, error) { tasks[1].Cancel(errTest) }) // it has its turn, and has not run
		fail.Fail(errTest)
		for i, tk := range tasks {
			if _, err := tk.Await(ctx); errors.Is(err, errTest) != (i != 2) {
				t.Errorf("%d has %v", i, err)
			}
		}
		if !slices.Equal(ran, []int{0, 2}) {
			t.Errorf("%v ran", ran)
		}
		return nil
	}, (&exceptions{}).option())
}

func TestAGoexitInOnceLetsTheNextOneRun(t *testing.T) {
	var once task.Once
	done := make(chan struct{})
	go func() {
		defer close(done)
		once.Do(context.Background(), func(context.Context) error { runtime.Goexit(); return nil })
	}()
	<-done
	ran := false
	once.Do(context.Background(), func(context.Context) error { ran = true; return nil })
	if !ran {
		t.Error("it did not run")
	}
}
