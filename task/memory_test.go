package task_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestDerivedContextsStartNoGoroutine(t *testing.T) {
	derive := map[string]func(ctx context.Context) (context.Context, func()){
		"WithCancel": func(ctx context.Context) (context.Context, func()) { c, f := context.WithCancel(ctx); return c, f },
		"WithCancelCause": func(ctx context.Context) (context.Context, func()) {
			c, f := context.WithCancelCause(ctx)
			return c, func() { f(nil) }
		},
		"WithTimeout": func(ctx context.Context) (context.Context, func()) {
			c, f := context.WithTimeout(ctx, time.Hour)
			return c, f
		},
		"task.WithTimeout": func(ctx context.Context) (context.Context, func()) {
			c, f := task.WithTimeout(ctx, time.Hour)
			return c, f
		},
		"AfterFunc": func(ctx context.Context) (context.Context, func()) {
			stop := context.AfterFunc(ctx, func() {})
			return ctx, func() { stop() }
		},
		"Await": func(ctx context.Context) (context.Context, func()) {
			f, p := future.New[int]()
			task.Spawn(ctx, func(context.Context) error { p.Resolve(1); return nil })
			f.Await(ctx)
			return ctx, func() {}
		},
	}
	testkit.Run(t, func(ctx context.Context) error {
		tctx, cancel := task.WithTimeout(ctx, time.Hour)
		defer cancel()
		g, gctx := task.NewGroup(ctx)
		for name, d := range derive {
			for kind, c := range map[string]context.Context{"task": ctx, "timeout": tctx, "group": gctx} {
				c = context.WithValue(c, anyKey{}, 1)
				d(c)
				before := goroutines()
				var ends []func()
				for range 100 {
					c, end := d(c)
					c, end2 := d(context.WithValue(c, anyKey{}, 2))
					_ = c
					ends = append(ends, end, end2)
				}
				if n := goroutines() - before; n > 10 {
					t.Errorf("%s of a %s's context: %d goroutines more, want at most 10", name, kind, n)
				}
				for _, end := range ends {
					end()
				}
			}
		}
		return g.Wait()
	})
}

func TestEndedTasksLeaveNoMemoryBehind(t *testing.T) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	const n = 100_000
	chains := map[string]func(ctx context.Context) context.Context{
		"own context": func(ctx context.Context) context.Context { return ctx },
		"that was asked for Done": func(ctx context.Context) context.Context {
			ctx.Done()
			return ctx
		},
		"in a timeout": func(ctx context.Context) context.Context {
			c, cancel := task.WithTimeout(ctx, time.Hour)
			task.Spawn(ctx, func(context.Context) error { cancel(); return nil })
			return c
		},
	}
	for name, derive := range chains {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				done, p := future.New[int]()
				var before int64
				left := rounds(n)
				var link func(ctx context.Context) error
				link = func(ctx context.Context) error {
					if left--; left == 0 {
						p.Resolve(1)
						return nil
					}
					task.Spawn(derive(ctx), link)
					return nil
				}
				before = heap()
				task.Spawn(ctx, link)
				if _, err := done.Await(ctx); err != nil {
					return err
				}
				yields(ctx, 3)
				if grown := heap() - before; grown > 256<<10 {
					t.Errorf("the heap has grown by %d bytes over %d tasks, want at most %d", grown, rounds(n), 256<<10)
				}
				return nil
			})
		})
	}
	takes := map[string]func(ctx context.Context, tk *task.Task[struct{}]){
		"an error that is awaited":     func(ctx context.Context, tk *task.Task[struct{}]) { tk.Await(ctx) },
		"an error that is taken later": func(ctx context.Context, tk *task.Task[struct{}]) { task.Yield(ctx); tk.TryResult() },
	}
	for name, take := range takes {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				before := heap()
				for range rounds(n) {
					take(ctx, task.Spawn(ctx, func(ctx context.Context) error { return errTest }))
				}
				testkit.Eventually(t, "a small heap", func() bool { return heap()-before < 1<<20 })
				return nil
			})
		})
	}
}

func TestALongLivedContextForgetsEndedTasks(t *testing.T) {
	loop := testkit.StartLoop(t)
	long := &watchedContext{Context: context.Background(), done: make(chan struct{})}
	ctx := reactor.WithLoop(long, loop)
	for range 1000 {
		f, p := future.New[int]()
		started := make(chan struct{})
		tk := task.Go(ctx, func(ctx context.Context) (int, error) {
			_, cancel := task.WithTimeout(long, time.Hour) // without a loop: package context's
			defer cancel()
			c, cancel := task.WithTimeout(context.WithValue(ctx, anyKey{}, 1), time.Hour)
			defer cancel()
			close(started)
			if _, err := f.Await(long); err != nil {
				return 0, err
			}
			return f.Await(c)
		})
		<-started
		if n := long.waiting.Load(); n == 0 {
			t.Fatal("nothing waits for the end of the context, want a timeout at least")
		}
		p.Resolve(1)
		if _, err := tk.Await(long); err != nil {
			t.Fatal(err)
		}
	}
	testkit.OnLoop(t, loop, func() {}) // the last one has ended wholly
	if n := long.waiting.Load(); n != 0 {
		t.Errorf("%d functions still wait for the end of the context, want none", n)
	}
	loop.Close()
	task.Spawn(ctx, func(context.Context) error { return nil })
	_, stop := task.WithTimeout(ctx, time.Hour)
	stop()
	if n := long.waiting.Load(); n != 0 {
		t.Errorf("after Close %d functions wait for the end of the context, want none", n)
	}
}

// watchedContext never ends, and counts the functions that wait for its end.
type watchedContext struct {
	context.Context
	done    chan struct{}
	waiting atomic.Int64
}

func (c *watchedContext) Done() <-chan struct{} { return c.done }

// AfterFunc is what package context calls to learn of the end.
func (c *watchedContext) AfterFunc(func()) (stop func() bool) {
	c.waiting.Add(1)
	var stopped atomic.Bool
	return func() bool {
		first := stopped.CompareAndSwap(false, true)
		if first {
			c.waiting.Add(-1)
		}
		return first
	}
}
