package task_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestEveryOperationThatBeginsWithADoneContextFailsEachTime(t *testing.T) {
	operations := map[string]func(ctx context.Context) error{
		"Await": func(ctx context.Context) error { _, err := pending().Await(ctx); return err },
		"Sleep": func(ctx context.Context) error { return task.Sleep(ctx, time.Hour) },
		"Yield": task.Yield,
		"Blocking": func(ctx context.Context) error {
			_, err := task.Blocking(ctx, func(context.Context) (int, error) { t.Error("Blocking ran"); return 0, nil })
			return err
		},
		"Wait": func(ctx context.Context) error {
			return task.Wait(ctx, waitFunc(func() error { t.Error("Wait ran"); return nil }))
		},
		"All":  func(ctx context.Context) error { _, err := future.All(ctx, pending()); return err },
		"Race": func(ctx context.Context) error { _, err := future.Race(ctx, pending()); return err },
	}
	run(t, func(ctx context.Context) error {
		own, cancel := context.WithCancelCause(ctx)
		cancel(errTest)
		expired, stop := task.WithTimeout(ctx, -1)
		defer stop()
		var cancelled *task.Task[struct{}]
		cancelled = task.Spawn(ctx, func(ctx context.Context) error {
			cancelled.Cancel(errTest)
			for name, op := range operations {
				for i := range 3 {
					if err := op(ctx); !errors.Is(err, errTest) || !errors.Is(err, context.Canceled) {
						t.Errorf("%s, the %d. time: %v", name, i, err)
					}
				}
			}
			return nil
		})
		for name, op := range operations {
			wantErr(t, op(own), errTest, context.Canceled)
			wantErr(t, op(expired), context.DeadlineExceeded)
			goroutine := make(chan error, 1)
			go func() { goroutine <- op(own) }()
			if err := <-goroutine; !errors.Is(err, errTest) && name != "Blocking" {
				t.Errorf("%s in a goroutine: %v", name, err)
			}
		}
		_, err := cancelled.Await(ctx)
		return err
	})
}

type waitFunc func() error

func (f waitFunc) Wait() error { return f() }

func TestCancellationErrorsMatchCauseAndErr(t *testing.T) {
	type scene struct {
		ctx  context.Context
		stop func()
		want []error
	}
	scenes := map[string]func(ctx context.Context) scene{
		"std WithCancelCause": func(ctx context.Context) scene {
			c, cancel := context.WithCancelCause(ctx)
			return scene{c, func() { cancel(errTest) }, []error{errTest, context.Canceled}}
		},
		"std WithCancel": func(ctx context.Context) scene {
			c, cancel := context.WithCancel(ctx)
			return scene{c, cancel, []error{context.Canceled}}
		},
		"std WithTimeout": func(ctx context.Context) scene {
			c, cancel := context.WithTimeout(ctx, time.Millisecond)
			return scene{c, func() { context.AfterFunc(c, cancel) }, []error{context.DeadlineExceeded}}
		},
		"std WithTimeoutCause": func(ctx context.Context) scene {
			c, cancel := context.WithTimeoutCause(ctx, time.Millisecond, errTest)
			return scene{c, func() { context.AfterFunc(c, cancel) }, []error{context.DeadlineExceeded, errTest}}
		},
		"task.WithTimeout": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Millisecond)
			return scene{c, func() { context.AfterFunc(c, cancel) }, []error{context.DeadlineExceeded}}
		},
		"task.WithTimeout, cancelled": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Hour)
			return scene{c, cancel, []error{context.Canceled}}
		},
		"std WithTimeout, in task.WithTimeout": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Millisecond)
			d, stop := context.WithTimeout(context.WithValue(c, anyKey{}, 1), time.Hour)
			return scene{d, func() { context.AfterFunc(d, func() { cancel(); stop() }) }, []error{context.DeadlineExceeded}}
		},
		"task.WithTimeout, in std WithTimeoutCause": func(ctx context.Context) scene {
			c, cancel := context.WithTimeoutCause(ctx, time.Millisecond, errTest)
			d, stop := task.WithTimeout(c, time.Hour)
			return scene{d, func() { context.AfterFunc(d, func() { cancel(); stop() }) }, []error{context.DeadlineExceeded, errTest}}
		},
		"nested task.WithTimeout, the outer first": func(ctx context.Context) scene {
			c, cancel := task.WithTimeout(ctx, time.Millisecond)
			d, stop := task.WithTimeout(c, time.Hour)
			return scene{d, func() { context.AfterFunc(d, func() { cancel(); stop() }) }, []error{context.DeadlineExceeded}}
		},
		"group": func(ctx context.Context) scene {
			g, c := task.NewGroup(ctx)
			return scene{c, func() { g.Go(func() error { return errTest }); g.Wait() }, []error{errTest, context.Canceled}}
		},
		"group, cancelled": func(ctx context.Context) scene {
			g, c := task.NewGroup(ctx)
			return scene{c, func() { g.Cancel(nil); g.Wait() }, []error{future.ErrCancelled, context.Canceled}}
		},
	}
	for name, make := range scenes {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				s := make(ctx)
				values := context.WithValue(context.WithValue(s.ctx, anyKey{}, 1), anyKey{}, 2)
				var waits []*task.Task[int]
				child := task.Go(s.ctx, func(ctx context.Context) (int, error) { // with a context of its own
					_, err := pending().Await(ctx)
					if ctx.Err() != s.ctx.Err() || context.Cause(ctx) != context.Cause(s.ctx) {
						t.Errorf("the child has Err %v, Cause %v", ctx.Err(), context.Cause(ctx))
					}
					return 0, err
				})
				waits = append(waits, child)
				for _, c := range []context.Context{s.ctx, values} {
					waits = append(waits, task.Go(ctx, func(context.Context) (int, error) { return pending().Await(c) }))
				}
				var joined errgroup.Group
				joined.Go(func() error { _, err := pending().Await(values); return err })
				yields(ctx, 3)
				s.stop()
				for _, w := range waits {
					_, err := w.Await(ctx)
					wantErr(t, err, s.want...)
					wantErr(t, err, s.ctx.Err(), context.Cause(s.ctx))
				}
				wantErr(t, task.Wait(ctx, &joined), s.want...)
				if context.Cause(values) != context.Cause(s.ctx) {
					t.Errorf("through values the cause is %v", context.Cause(values))
				}
				return nil
			})
		})
	}
}

func TestTheCauseOfACancelledTaskIsSeenThroughEveryLayer(t *testing.T) {
	run(t, func(ctx context.Context) error {
		for _, asked := range []bool{false, true} {
			tk := task.Spawn(ctx, func(ctx context.Context) error {
				if asked {
					ctx.Done()
				}
				layered := context.WithValue(context.WithValue(ctx, anyKey{}, 1), anyKey{}, 2)
				derived, cancel := context.WithCancel(layered)
				defer cancel()
				shielded := context.WithoutCancel(layered)
				_, err := pending().Await(ctx)
				wantErr(t, err, errTest, context.Canceled)
				for _, c := range []context.Context{ctx, layered, derived} {
					if c.Err() != context.Canceled || context.Cause(c) != errTest {
						t.Errorf("Err %v, Cause %v", c.Err(), context.Cause(c))
					}
				}
				if err := task.Sleep(shielded, time.Microsecond); err != nil {
					t.Error("the shield:", err)
				}
				return nil
			})
			task.Yield(ctx)
			tk.Cancel(errTest)
			tk.Await(ctx)
		}
		return nil
	})
}

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
	run(t, func(ctx context.Context) error {
		tctx, cancel := task.WithTimeout(ctx, time.Hour)
		defer cancel()
		g, gctx := task.NewGroup(ctx)
		for name, d := range derive {
			for kind, c := range map[string]context.Context{"task": ctx, "timeout": tctx, "group": gctx} {
				c = context.WithValue(c, anyKey{}, 1)
				d(c)
				before := runtime.NumGoroutine()
				var ends []func()
				for range 100 {
					c, end := d(c)
					c, end2 := d(context.WithValue(c, anyKey{}, 2))
					_ = c
					ends = append(ends, end, end2)
				}
				if n := runtime.NumGoroutine() - before; n > 10 {
					t.Errorf("%s of a %s's context: %d goroutines more", name, kind, n)
				}
				for _, end := range ends {
					end()
				}
			}
		}
		return g.Wait()
	})
}

func TestCancellingWakesTasksInTheOrderOfTheTree(t *testing.T) {
	order := func() (woken []string) {
		run(t, func(ctx context.Context) error {
			scope, cancel := task.WithTimeout(ctx, time.Hour)
			var tasks []*task.Task[struct{}]
			var start func(ctx context.Context, name string, deep int)
			start = func(ctx context.Context, name string, deep int) {
				tasks = append(tasks, task.Spawn(ctx, func(ctx context.Context) error {
					if deep > 0 {
						start(ctx, name+"a", deep-1)
						inner, stop := task.WithTimeout(context.WithValue(ctx, anyKey{}, 1), time.Hour)
						defer stop()
						start(inner, name+"b", deep-1)
					}
					_, err := pending().Await(ctx)
					woken = append(woken, name)
					return err
				}))
			}
			for i := range 4 {
				start(scope, fmt.Sprint(i), 2)
			}
			yields(ctx, 10)
			cancel()
			if len(woken) != 0 {
				t.Error("tasks ran inside cancel")
			}
			for _, tk := range tasks {
				tk.Await(ctx)
			}
			return nil
		})
		return woken
	}
	want := []string{}
	for i := range 4 {
		for _, s := range []string{"", "a", "aa", "ab", "b", "ba", "bb"} {
			want = append(want, fmt.Sprint(i, s))
		}
	}
	for range rounds(200) {
		if got := order(); !slices.Equal(got, want) {
			t.Fatalf("order %v, want %v", got, want)
		}
	}
}

func TestAValueIsDeliveredOrItStays(t *testing.T) {
	steps := map[string]struct {
		step      func(tk *task.Task[int], p *future.Promise[int])
		delivered bool
	}{
		"cancel before the result":    {func(tk *task.Task[int], p *future.Promise[int]) { tk.Cancel(errTest); p.Resolve(5) }, false},
		"cancel after the result":     {func(tk *task.Task[int], p *future.Promise[int]) { p.Resolve(5); tk.Cancel(errTest) }, true},
		"cancel twice, then a result": {func(tk *task.Task[int], p *future.Promise[int]) { tk.Cancel(errTest); tk.Cancel(nil); p.Resolve(5) }, false},
	}
	for name, s := range steps {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				f, p := future.New[int]()
				var next error
				tk := task.Go(ctx, func(ctx context.Context) (int, error) {
					v, err := f.Await(ctx)
					_, next = pending().Await(ctx) // nothing of the first wait may hit this one
					return v, err
				})
				yields(ctx, 2)
				s.step(tk, p)
				v, err := tk.Await(ctx)
				if s.delivered && (v != 5 || err != nil) {
					t.Errorf("got %v, %v", v, err)
				}
				if !s.delivered {
					wantErr(t, err, errTest)
				}
				wantErr(t, next, errTest)
				if v, err := f.TryResult(); v != 5 || err != nil {
					t.Errorf("the future has %v, %v", v, err)
				}
				return nil
			})
		})
	}
}

// A cancellation and a result that race are both right, but only as a whole.
func TestACancellationRacesWithAResult(t *testing.T) {
	loop := background(t)
	for range rounds(3000) {
		f, p := future.New[int]()
		g, h := future.New[int]()
		tk := task.Go(loop.Context(), func(ctx context.Context) (int, error) {
			v, err := f.Await(ctx)
			w, err2 := g.Await(context.WithoutCancel(ctx))
			if w != 2 || err2 != nil {
				t.Errorf("the wait after gave %v, %v", w, err2)
			}
			return v, err
		})
		var both sync.WaitGroup
		both.Go(func() { p.Resolve(1) })
		both.Go(func() { tk.Cancel(errTest) })
		both.Wait()
		h.Resolve(2)
		v, err := tk.Await(context.Background())
		if (v != 1 || err != nil) && (v != 0 || !errors.Is(err, errTest)) {
			t.Fatalf("got %v, %v", v, err)
		}
	}
}

func TestCancelFromManyGoroutinesAtOnce(t *testing.T) {
	loop := background(t)
	for range rounds(500) {
		var seen sync.Map
		tk := task.Spawn(loop.Context(), func(ctx context.Context) error {
			c, stop := task.WithTimeout(ctx, time.Hour)
			defer stop()
			child := task.Spawn(c, func(ctx context.Context) error {
				_, err := pending().Await(ctx)
				seen.Store("child", context.Cause(ctx))
				return err
			})
			_, err := pending().Await(ctx)
			child.Await(context.WithoutCancel(ctx))
			seen.Store("task", context.Cause(ctx))
			<-ctx.Done()
			if ctx.Err() != context.Canceled {
				t.Errorf("done, and Err is %v", ctx.Err())
			}
			return err
		})
		causes := []error{errors.New("a"), errors.New("b"), errors.New("c")}
		var joined sync.WaitGroup
		for _, c := range causes {
			joined.Go(func() { tk.Cancel(c) })
		}
		joined.Wait()
		_, err := tk.Await(context.Background())
		own, _ := seen.Load("task")
		child, _ := seen.Load("child")
		if !errors.Is(err, own.(error)) || !slices.Contains(causes, own.(error)) || child != own {
			t.Fatalf("error %v, cause %v, the child's %v", err, own, child)
		}
	}
}

// Whoever sees Done closed sees Err and Cause set.
func TestDoneErrAndCauseAgree(t *testing.T) {
	loop := background(t)
	for range rounds(2000) {
		contexts := make(chan context.Context, 1)
		tk := task.Spawn(loop.Context(), func(ctx context.Context) error {
			contexts <- ctx
			_, err := pending().Await(ctx)
			return err
		})
		ctx := <-contexts
		var joined sync.WaitGroup
		for range 3 {
			joined.Go(func() {
				<-ctx.Done()
				if ctx.Err() != context.Canceled || context.Cause(ctx) != errTest {
					t.Errorf("Err %v, Cause %v", ctx.Err(), context.Cause(ctx))
				}
			})
			joined.Go(func() {
				for ctx.Err() == nil {
					runtime.Gosched()
				}
				if context.Cause(ctx) != errTest {
					t.Errorf("Cause %v", context.Cause(ctx))
				}
			})
		}
		tk.Cancel(errTest)
		joined.Wait()
		tk.Await(context.Background())
	}
}

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

// What Close must reach: tasks whose contexts no cancellation reaches.
func TestCloseCancelsShieldedAndForeignTasks(t *testing.T) {
	foreign, cancel := context.WithCancel(context.Background())
	defer cancel()
	forever := func(ctx context.Context) error { _, err := pending().Await(ctx); return err }
	starts := map[string]func(loop *reactor.Loop, started chan<- *task.Task[struct{}]){
		"shielded": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			task.Spawn(loop.Context(), func(ctx context.Context) error {
				started <- task.Spawn(context.WithoutCancel(ctx), forever)
				return forever(ctx)
			})
		},
		"foreign": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			started <- task.Spawn(reactor.WithLoop(foreign, loop), forever)
		},
		"background": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			started <- task.Spawn(reactor.WithLoop(context.Background(), loop), forever)
		},
		"shielded, below a task that was cancelled and has ended": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			contexts := make(chan context.Context, 1)
			tk := task.Spawn(loop.Context(), func(ctx context.Context) error {
				contexts <- ctx
				return forever(ctx)
			})
			ctx := <-contexts
			tk.Cancel(errTest)
			tk.Await(context.Background())
			started <- task.Spawn(context.WithoutCancel(ctx), forever)
		},
		"shielded, in a timeout that was left": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			ctx, cancel := task.WithTimeout(loop.Context(), time.Hour)
			started <- task.Spawn(context.WithoutCancel(ctx), forever)
			cancel()
		},
		"shielded, started when the loop is closing": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			task.Spawn(loop.Context(), func(ctx context.Context) error {
				err := forever(ctx)
				started <- task.Spawn(context.WithoutCancel(ctx), forever)
				return err
			})
		},
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			for range rounds(50) {
				loop := background(t)
				started := make(chan *task.Task[struct{}], 1)
				start(loop, started)
				loop.Close()
				_, err := (<-started).TryResult()
				wantErr(t, err, reactor.ErrClosed)
			}
		})
	}
}

func TestTasksStartedBesideTheFirstCloseEnd(t *testing.T) {
	for range rounds(300) {
		loop := background(t)
		var both sync.WaitGroup
		both.Go(func() { loop.Close() })
		both.Go(func() { // perhaps the very first task of the loop
			tk := task.Go(reactor.WithLoop(context.Background(), loop), func(ctx context.Context) (int, error) { return pending().Await(ctx) })
			_, err := tk.Await(context.Background())
			wantErr(t, err, reactor.ErrClosed)
		})
		both.Wait()
	}
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
			run(t, func(ctx context.Context) error {
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
					t.Errorf("the heap has grown by %d bytes over %d tasks", grown, rounds(n))
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
			run(t, func(ctx context.Context) error {
				before := heap()
				for range rounds(n) {
					take(ctx, task.Spawn(ctx, func(ctx context.Context) error { return errTest }))
				}
				eventually(ctx, func() bool { return heap()-before < 1<<20 })
				return nil
			})
		})
	}
}

func TestALongLivedContextForgetsEndedTasks(t *testing.T) {
	loop := background(t)
	long, cancel := context.WithCancel(context.Background())
	defer cancel()
	ctx := reactor.WithLoop(long, loop)
	for range 1000 {
		f, p := future.New[int]()
		started := make(chan struct{})
		tk := task.Go(ctx, func(ctx context.Context) (int, error) {
			c, cancel := task.WithTimeout(long, time.Hour) // without a loop: package context's
			defer cancel()
			c, cancel = task.WithTimeout(context.WithValue(ctx, anyKey{}, 1), time.Hour)
			defer cancel()
			close(started)
			if _, err := f.Await(long); err != nil {
				return 0, err
			}
			return f.Await(c)
		})
		<-started
		p.Resolve(1)
		if _, err := tk.Await(long); err != nil {
			t.Fatal(err)
		}
	}
	onLoop(t, loop, func() {}) // the last one has ended wholly
	if n := registrations(long); n != 0 {
		t.Errorf("%d registrations are left", n)
	}
	loop.Close()
	task.Spawn(ctx, func(context.Context) error { return nil })
	_, stop := task.WithTimeout(ctx, time.Hour)
	stop()
	if n := registrations(long); n != 0 {
		t.Errorf("%d registrations are left by a closed loop", n)
	}
}
