package task_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// busy starts a task whose Blocking takes the loop's only worker until free is called, which ends
// the task.
func busy(ctx context.Context) (free func()) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	t := task.Spawn(ctx, func(ctx context.Context) error {
		_, err := task.Blocking(ctx, func(context.Context) (int, error) { close(begun); <-goOn; return 0, nil })
		return err
	})
	task.Yield(ctx)
	<-begun
	return func() { close(goOn); t.Await(ctx) }
}

// A Blocking that is cancelled while it waits for a worker never runs its function.
func TestBlockingThatHasNotBegunNeverRuns(t *testing.T) {
	cancels := map[string]func(t *task.Task[int]){
		"by its task":   func(tk *task.Task[int]) { tk.Cancel(errTest) },
		"by a deadline": func(*task.Task[int]) {},
	}
	for name, cancel := range cancels {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				loop, _ := reactor.FromContext(ctx)
				free := busy(ctx)
				var inner context.Context
				tk := task.Go(ctx, func(ctx context.Context) (int, error) {
					if name == "by a deadline" {
						short, cancel := task.WithTimeout(ctx, time.Millisecond)
						defer cancel()
						ctx = short
					}
					inner = ctx
					return task.Blocking(ctx, func(context.Context) (int, error) {
						t.Error("the function ran, want it cancelled first")
						return 0, nil
					})
				})
				task.Yield(ctx)
				if r, q := offloaded(loop); r != 1 || q != 1 {
					t.Errorf("%d run, %d are queued; want 1 and 1", r, q)
				}
				cancel(tk)
				_, err := tk.Await(ctx)
				testkit.ErrorIs(t, err, context.Cause(inner))
				if _, q := offloaded(loop); q != 0 {
					t.Errorf("%d are queued, want 0", q)
				}
				free()
				// the worker goes on
				_, err = task.Blocking(ctx, func(context.Context) (int, error) { return 0, nil })
				return err
			}, reactor.WithWorkers(1))
		})
	}
}

// Close cancels tasks, and so drops what they have queued; it waits for what runs.
func TestCloseDropsBlockingThatHasNotBegun(t *testing.T) {
	loop := testkit.StartLoop(t, reactor.WithWorkers(1))
	begun, goOn, ended := make(chan struct{}), make(chan struct{}), false
	task.Spawn(loop.Context(), func(ctx context.Context) error {
		_, err := task.Blocking(ctx, func(context.Context) (int, error) { close(begun); <-goOn; ended = true; return 0, nil })
		return err
	})
	<-begun
	var queued []*task.Task[int]
	testkit.OnLoop(t, loop, func() {
		for range 10 {
			queued = append(queued, task.Go(loop.Context(), func(ctx context.Context) (int, error) {
				return task.Blocking(ctx, func(context.Context) (int, error) {
					t.Error("the function ran, want it dropped by Close")
					return 0, nil
				})
			}))
		}
	})
	testkit.OnLoop(t, loop, func() {})
	closed := make(chan struct{})
	go func() { defer close(closed); loop.Close() }()
	for _, tk := range queued {
		_, err := tk.Await(context.Background())
		testkit.ErrorIs(t, err, reactor.ErrClosed)
	}
	close(goOn)
	<-closed
	if !ended {
		t.Error("Close has returned, want it to wait for what runs")
	}
}

// A Blocking that the context's end meets in its very beginning either runs to its end or does not
// run.
func TestBlockingRunsWholeOrNotAtAll(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		begun, ended := make(chan int, 1000), make(chan int, 1000)
		for i := range rounds(1000) {
			tk := task.Spawn(ctx, func(ctx context.Context) error {
				_, err := task.Blocking(ctx, func(ctx context.Context) (int, error) {
					begun <- i
					runtime.Gosched()
					ended <- i
					return 0, nil
				})
				return err
			})
			task.Yield(ctx)
			tk.Cancel(errTest)
			if _, err := tk.Await(ctx); err != nil {
				testkit.ErrorIs(t, err, errTest)
			}
		}
		testkit.Eventually(t, "that nothing is offloaded any more", func() bool { r, q := offloaded(loop); return r+q == 0 })
		if len(begun) != len(ended) {
			t.Errorf("%d have begun, %d have ended; want as many", len(begun), len(ended))
		}
		return nil
	}, reactor.WithWorkers(1))
}

// A panic is not lost with a Blocking, or a Wait, that was given up, also when the loop is being
// closed; what else fn returns then is nobody's concern.
func TestAPanicAfterACancelledBlockingIsReported(t *testing.T) {
	var x testkit.Exceptions
	for name, wait := range map[string]func(ctx context.Context, fn func() error) error{
		"Blocking": func(ctx context.Context, fn func() error) error {
			_, err := task.Blocking(ctx, func(context.Context) (int, error) { return 0, fn() })
			return err
		},
		"Wait": func(ctx context.Context, fn func() error) error { return task.Wait(ctx, waitable(fn)) },
	} {
		for _, end := range []func() error{
			func() error { panic(errTest) },
			func() error { return errTest },
			func() error { runtime.Goexit(); return nil },
		} {
			begun, goOn := make(chan struct{}), make(chan struct{})
			testkit.Run(t, func(ctx context.Context) error {
				tk := task.Spawn(ctx, func(ctx context.Context) error {
					return wait(ctx, func() error { close(begun); <-goOn; return end() })
				})
				task.Yield(ctx)
				<-begun
				tk.Cancel(nil)
				tk.Await(ctx)
				close(goOn)
				return nil
			}, x.Option())
		}
		got := x.Take()
		var p *task.PanicError
		if len(got) != 1 || got[0].Op != "blocking" || !errors.As(got[0].Err, &p) || p.Value != errTest {
			t.Errorf("%s: reports %v, want one of blocking, a PanicError of %v", name, got, errTest)
		}
	}
}

type waitable func() error

func (w waitable) Wait() error { return w() }
