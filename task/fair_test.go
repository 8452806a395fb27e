package task_test

import (
	"context"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/lock"
	"github.com/corobridge/corobridge/task/queue"
)

// foreignContext is a context of a user's own type, which ends as another does.
type foreignContext struct{ inner context.Context }

func (f foreignContext) Deadline() (deadline time.Time, ok bool) { return f.inner.Deadline() }
func (f foreignContext) Done() <-chan struct{}                   { return f.inner.Done() }
func (f foreignContext) Err() error                              { return f.inner.Err() }
func (f foreignContext) Value(key any) any                       { return f.inner.Value(key) }

type spanKey struct{}

// carried are contexts that a task may hand on. Most of them derive from ctx, the task's.
var carried = map[string]func(t *testing.T, ctx context.Context) context.Context{
	"the task's": func(_ *testing.T, ctx context.Context) context.Context { return ctx },
	"with a value": func(_ *testing.T, ctx context.Context) context.Context {
		return context.WithValue(ctx, spanKey{}, 1)
	},
	"with many values": func(_ *testing.T, ctx context.Context) context.Context {
		for i := range 20 {
			ctx = context.WithValue(ctx, spanKey{}, i)
		}
		return ctx
	},
	"WithCancel": func(t *testing.T, ctx context.Context) context.Context {
		ctx, cancel := context.WithCancel(ctx)
		t.Cleanup(cancel)
		return ctx
	},
	"context.WithTimeout": func(t *testing.T, ctx context.Context) context.Context {
		ctx, cancel := context.WithTimeout(ctx, time.Hour)
		t.Cleanup(cancel)
		return ctx
	},
	"a value and task.WithTimeout": func(t *testing.T, ctx context.Context) context.Context {
		ctx, cancel := task.WithTimeout(context.WithValue(ctx, spanKey{}, 1), time.Hour)
		t.Cleanup(cancel)
		return ctx
	},
	"WithoutCancel":        func(_ *testing.T, ctx context.Context) context.Context { return context.WithoutCancel(ctx) },
	"of a user's own type": func(_ *testing.T, ctx context.Context) context.Context { return foreignContext{ctx} },
	"a group's": func(t *testing.T, ctx context.Context) context.Context {
		_, ctx = task.NewGroup(ctx)
		return ctx
	},
	"another task's": func(_ *testing.T, ctx context.Context) context.Context {
		var other context.Context
		task.Spawn(ctx, func(ctx context.Context) error { other = ctx; return task.Sleep(ctx, time.Hour) }, task.Eager())
		return other
	},
	"another loop's": func(t *testing.T, ctx context.Context) context.Context { return testkit.StartLoop(t).Context() },
	"the loop's": func(_ *testing.T, ctx context.Context) context.Context {
		loop, _ := reactor.FromContext(ctx)
		return loop.Context()
	},
	"Background": func(*testing.T, context.Context) context.Context { return context.Background() },
}

// ready are operations that need not wait. Each returns one of them.
var ready = map[string]func(ctx context.Context) func(ctx context.Context) error{
	"Await of a future": func(context.Context) func(context.Context) error {
		f := future.Resolved(1)
		return func(ctx context.Context) error { _, err := f.Await(ctx); return err }
	},
	"Await of a task": func(ctx context.Context) func(context.Context) error {
		k := task.Spawn(ctx, func(context.Context) error { return nil }, task.Eager())
		return func(ctx context.Context) error { _, err := k.Await(ctx); return err }
	},
	"All": func(context.Context) func(context.Context) error {
		f := future.Resolved(1)
		return func(ctx context.Context) error { _, err := future.All(ctx, f, f); return err }
	},
	"Race": func(context.Context) func(context.Context) error {
		f := future.Resolved(1)
		return func(ctx context.Context) error { _, err := future.Race(ctx, f, f); return err }
	},
	"AsCompleted": func(context.Context) func(context.Context) error {
		f := future.Resolved(1)
		return func(ctx context.Context) error {
			for range future.AsCompleted(ctx, f, f) {
			}
			return nil
		}
	},
	"Wait of none": func(context.Context) func(context.Context) error {
		return func(ctx context.Context) error {
			_, _, err := future.Wait[int, *future.Future[int]](ctx, future.AllCompleted)
			return err
		}
	},
	"All of none": func(context.Context) func(context.Context) error {
		return func(ctx context.Context) error { _, err := future.All[int, *future.Future[int]](ctx); return err }
	},
	"Wait of a group": func(ctx context.Context) func(context.Context) error {
		g, _ := task.NewGroup(ctx)
		return func(ctx context.Context) error { return task.Wait(ctx, g) }
	},
	"Checkpoint": func(context.Context) func(context.Context) error { return task.Checkpoint },
	"Sleep of nothing": func(context.Context) func(context.Context) error {
		return func(ctx context.Context) error { return task.Sleep(ctx, 0) }
	},
	"Mutex": func(context.Context) func(context.Context) error {
		var mu lock.Mutex
		return func(ctx context.Context) error {
			err := mu.Lock(ctx)
			mu.Unlock()
			return err
		}
	},
	"RWMutex": func(context.Context) func(context.Context) error {
		var mu lock.RWMutex
		return func(ctx context.Context) error {
			err := mu.RLock(ctx)
			mu.RUnlock()
			return err
		}
	},
	"Once": func(context.Context) func(context.Context) error {
		var once lock.Once
		return func(ctx context.Context) error {
			return once.Do(ctx, func(context.Context) error { return nil })
		}
	},
	"Queue": func(context.Context) func(context.Context) error {
		q := queue.New[int](1)
		return func(ctx context.Context) error {
			err := q.Put(ctx, 1)
			q.Get(ctx)
			return err
		}
	},
	"Write and Read of a Pipe": func(ctx context.Context) func(context.Context) error {
		a, b := stream.Pipe(ctx)
		loop, _ := reactor.FromContext(ctx)
		loop.AtClose(func() { a.Abort(); b.Abort() })
		var buf [1]byte
		return func(ctx context.Context) error {
			_, err := a.Write(ctx, buf[:])
			if err == nil {
				err = a.Flush(ctx)
			}
			if err == nil {
				_, err = b.Read(ctx, buf[:])
			}
			return err
		}
	},
}

// It is counted in operations: others have their turn after 128 of them.
func TestATaskThatNeedNotWaitYieldsWhateverItsContextCarries(t *testing.T) {
	for op, prepare := range ready {
		for what, carry := range carried {
			t.Run(op+"/"+what, func(t *testing.T) {
				loop := testkit.StartLoop(t)
				testkit.InTask(t, loop, func(ctx context.Context) {
					g, ctx := task.NewGroup(ctx)
					defer g.Wait()
					defer g.Cancel(task.ErrEnded)
					do, ctx := prepare(ctx), carry(t, ctx)
					task.Yield(ctx) // begins with a whole budget
					served, calls := false, 0
					loop.CallSoon(func() { served = true })
					for ; !served && calls < 1000; calls++ {
						if err := do(ctx); err != nil {
							t.Fatalf("call %d: %v, want nil", calls, err)
						}
					}
					if !served {
						t.Errorf("nobody else had a turn in %d calls, want one after 128 at most", calls)
					}
				})
			})
		}
	}
}

func TestTheTimeoutOfATaskThatNeedNotWaitFires(t *testing.T) {
	for what, carry := range carried {
		t.Run(what, func(t *testing.T) {
			testkit.InTask(t, testkit.StartLoop(t), func(ctx context.Context) {
				g, ctx := task.NewGroup(ctx)
				defer g.Wait()
				defer g.Cancel(task.ErrEnded)
				bound, cancel := task.WithTimeout(ctx, 20*time.Millisecond)
				defer cancel()
				ready, ctx := future.Resolved(1), carry(t, bound)
				for bound.Err() == nil { // or the test hangs
					ready.Await(ctx)
				}
			})
		})
	}
}
