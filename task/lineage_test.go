package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// A task in between starts a worker and has ended by the time that the foreign context above both
// is cancelled: the worker is cancelled by that, and by nothing before.
func TestACancellationReachesWhatAnEndedTaskHasStarted(t *testing.T) {
	errStop := errors.New("stop all")
	sleeps := func(ctx context.Context) error { return task.Sleep(ctx, time.Hour) }
	type start = func(ctx context.Context) *task.Task[struct{}]
	for name, below := range map[string]start{
		"directly": func(ctx context.Context) *task.Task[struct{}] { return task.Spawn(ctx, sleeps) },
		"below WithTimeout": func(ctx context.Context) *task.Task[struct{}] {
			c, cancel := task.WithTimeout(ctx, 2*time.Hour)
			return task.Spawn(c, func(ctx context.Context) error { defer cancel(); return sleeps(ctx) })
		},
		"below WithTimeout of WithTimeout": func(ctx context.Context) *task.Task[struct{}] {
			c, cancel := task.WithTimeout(ctx, 2*time.Hour)
			c, cancel2 := task.WithTimeout(c, 2*time.Hour)
			return task.Spawn(c, func(ctx context.Context) error { defer cancel(); defer cancel2(); return sleeps(ctx) })
		},
		"below WithValue": func(ctx context.Context) *task.Task[struct{}] {
			return task.Spawn(context.WithValue(ctx, anyKey{}, 1), sleeps)
		},
		"below WithTimeout of WithValue": func(ctx context.Context) *task.Task[struct{}] {
			c, cancel := task.WithTimeout(context.WithValue(ctx, anyKey{}, 1), 2*time.Hour)
			return task.Spawn(c, func(ctx context.Context) error { defer cancel(); return sleeps(ctx) })
		},
	} {
		for _, from := range []string{"the task", "a goroutine", "a goroutine, heard of too late"} {
			for _, above := range []string{"a task", "two tasks"} {
				t.Run(fmt.Sprintf("%s, from %s, in %s", name, from, above), func(t *testing.T) {
					testkit.Run(t, func(ctx context.Context) error {
						all, stop := context.WithCancelCause(ctx)
						defer stop(nil)
						var worker *task.Task[struct{}]
						between := func(ctx context.Context) error {
							switch from {
							case "the task":
								worker = below(ctx)
							case "a goroutine":
								task.Blocking(ctx, func(context.Context) (int, error) { worker = below(ctx); return 0, nil })
							// the loop comes to what has been posted when this task has ended
							default:
								made := make(chan bool)
								go func() { worker = below(ctx); close(made) }()
								<-made
							}
							return nil
						}
						if above == "two tasks" {
							one := between
							between = func(ctx context.Context) error {
								_, err := task.Spawn(context.WithValue(ctx, anyKey{}, 2), one).Await(ctx)
								return err
							}
						}
						if _, err := task.Spawn(all, between).Await(ctx); err != nil {
							return err
						}
						yields(ctx, 3)
						if worker.Completed() {
							_, err := worker.TryResult()
							t.Fatalf("the worker has ended with %v, want it running: nothing was cancelled yet", err)
						}
						stop(errStop)
						_, err := worker.Await(ctx)
						testkit.ErrorIs(t, err, errStop, context.Canceled)
						return nil
					})
				})
			}
		}
	}
}

// A goroutine makes a group below another one, and ends the upper one before the loop hears of
// either.
func TestAGroupBelowOneThatEndsInAGoroutineGoesOn(t *testing.T) {
	loop := testkit.StartLoop(t)
	for range rounds(1000) {
		upper, ctx := task.NewGroup(loop.Context())
		lower, ctx := task.NewGroup(ctx)
		f, p := future.New[int]()
		w := task.Go(ctx, func(ctx context.Context) (int, error) { return f.Await(ctx) })
		upper.Wait()
		testkit.OnLoop(t, loop, func() {})
		testkit.OnLoop(t, loop, func() { p.Resolve(1) })
		if v, err := w.Await(context.Background()); v != 1 || err != nil {
			t.Fatalf("got %v, %v, want 1: its own group has not been cancelled", v, err)
		}
		if err := lower.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// embedding is a context of a user's own, one word that is the pointer to a Task.
type embedding struct{ *task.Task[int] }

var embedded context.Context // of which embedding has the methods that a Task does not have

func (embedding) Deadline() (deadline time.Time, ok bool) { return embedded.Deadline() }
func (embedding) Done() <-chan struct{}                   { return embedded.Done() }
func (embedding) Err() error                              { return embedded.Err() }
func (embedding) Value(key any) any                       { return embedded.Value(key) }

func TestAContextThatEmbedsATaskIsNotTheTasks(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		own, cancel := context.WithCancelCause(context.Background())
		embedded = own
		started, p := future.New[int]()
		var tk *task.Task[int]
		tk = task.Go(ctx, func(ctx context.Context) (int, error) {
			f, q := future.New[int]()
			task.Spawn(ctx, func(context.Context) error { q.Resolve(1); return nil })
			f.Await(ctx) // its own context is known from now on
			p.Resolve(1)
			return pending().Await(embedding{tk})
		})
		started.Await(ctx)
		task.Yield(ctx)
		cancel(errTest)
		_, err := tk.Await(ctx)
		testkit.ErrorIs(t, err, errTest)
		return nil
	})
}

func TestRescheduleLeavesTheDeadlineThatAContextHasShakenOff(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		c, cancel := task.WithTimeout(ctx, time.Hour)
		defer cancel()
		before, _ := c.Deadline()
		if task.Reschedule(context.WithoutCancel(c), time.Now()) {
			t.Error("Reschedule = true, want false: the context has no deadline")
		}
		if after, _ := c.Deadline(); !after.Equal(before) || c.Err() != nil {
			t.Errorf("the deadline is %v, and the error %v; want %v, and none", after, c.Err(), before)
		}
		return nil
	})
}

func TestStartedTellsWhetherStartStillWaits(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for _, late := range []bool{false, true} {
			short, cancel := context.WithCancel(ctx)
			told, p := future.New[bool]()
			if late {
				cancel()
			}
			begin, end := task.WithTimeout(ctx, time.Millisecond)
			if !late {
				begin = short
			}
			task.Start(begin, func(ctx context.Context, started func(int) bool) error {
				if late {
					pending().Await(ctx)
				}
				p.Resolve(started(1))
				return nil
			})
			if took, err := told.Await(ctx); took == late || err != nil {
				t.Errorf("late %v: started reports %v, %v; want %v and nil", late, took, err, !late)
			}
			cancel()
			end()
		}
		return nil
	})
}

// A context of package context that ended before anybody asked for Done shares its channel with all
// others that did. It is not taken for the scope above, which may have ended otherwise.
func TestAScopeMadeOfAContextThatIsDoneEndsAsThatHas(t *testing.T) {
	errAbove, errBetween := errors.New("above"), errors.New("between")
	expired := func(ctx context.Context) context.Context {
		c, cancel := context.WithDeadlineCause(ctx, time.Now().Add(-time.Second), errBetween)
		cancel()
		return c
	}
	cancelled := func(ctx context.Context) context.Context {
		c, cancel := context.WithCancelCause(ctx)
		cancel(errBetween)
		return c
	}
	for name, row := range map[string]struct {
		between func(ctx context.Context) context.Context
		err     error
		cause   error
	}{
		"only values":             {func(ctx context.Context) context.Context { return context.WithValue(ctx, anyKey{}, 1) }, context.Canceled, errAbove},
		"cancelled below nothing": {func(ctx context.Context) context.Context { return cancelled(context.WithoutCancel(ctx)) }, context.Canceled, errBetween},
		"expired below nothing":   {func(ctx context.Context) context.Context { return expired(context.WithoutCancel(ctx)) }, context.DeadlineExceeded, errBetween},
		"values below that": {func(ctx context.Context) context.Context {
			return context.WithValue(cancelled(context.WithoutCancel(ctx)), anyKey{}, 1)
		}, context.Canceled, errBetween},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				made := func(what string, got context.Context) {
					if err, cause := got.Err(), context.Cause(got); err != row.err || cause != row.cause {
						t.Errorf("%s: Err %v, Cause %v; want %v and %v", what, err, cause, row.err, row.cause)
					}
				}
				up := task.Spawn(ctx, func(ctx context.Context) error {
					_, err := pending().Await(ctx)
					c := row.between(ctx)
					limit, cancel := task.WithTimeout(c, time.Hour)
					defer cancel()
					made("WithTimeout", limit)
					g, gctx := task.NewGroup(c)
					made("NewGroup", gctx)
					g.Wait()
					task.Spawn(c, func(ctx context.Context) error { made("Spawn", ctx); return nil }).Await(context.WithoutCancel(ctx))
					return err
				})
				task.Yield(ctx)
				up.Cancel(errAbove)
				_, err := up.Await(ctx)
				testkit.ErrorIs(t, err, errAbove)
				return nil
			})
		})
	}
}

// ending is a context that ends just after an operation has looked at it, with a Done that others
// have too.
type ending struct {
	context.Context
	looks int
}

var endedChannel = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (e *ending) Done() <-chan struct{} { return endedChannel }

func (e *ending) Err() error {
	if e.looks++; e.looks == 1 {
		return nil
	}
	return context.Canceled
}

func TestContextsThatEndAtTheLastMomentEndEachWait(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		testkit.Watch(t)
		for range 4 {
			_, err := pending().Await(&ending{Context: context.Background()})
			testkit.ErrorIs(t, err, context.Canceled)
		}
		return nil
	})
}
