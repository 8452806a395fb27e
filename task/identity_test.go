package task_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

type anyKey struct{}

// anyContexts are contexts that an Await inside a task may be given, made from the task's own and
// another task's.
var anyContexts = map[string]func(own, other context.Context) (context.Context, func()){
	"own":     func(own, _ context.Context) (context.Context, func()) { return own, func() {} },
	"another": func(_, other context.Context) (context.Context, func()) { return other, func() {} },
	"group": func(own, _ context.Context) (context.Context, func()) {
		g, ctx := task.NewGroup(own)
		return ctx, func() { g.Wait() }
	},
	"background": func(_, _ context.Context) (context.Context, func()) { return context.Background(), func() {} },
	"loop": func(own, _ context.Context) (context.Context, func()) {
		l, _ := reactor.FromContext(own)
		return l.Context(), func() {}
	},
	"WithValue": func(own, _ context.Context) (context.Context, func()) {
		return context.WithValue(own, anyKey{}, 1), func() {}
	},
	"WithCancel": func(own, _ context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(own)
		return ctx, cancel
	},
	"WithTimeout": func(own, _ context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeout(own, time.Hour)
		return ctx, cancel
	},
	"task.WithTimeout": func(own, _ context.Context) (context.Context, func()) {
		ctx, cancel := task.WithTimeout(own, time.Hour)
		return ctx, cancel
	},
	"WithoutCancel": func(own, _ context.Context) (context.Context, func()) {
		return context.WithoutCancel(own), func() {}
	},
	"WithCancel of WithValue of another": func(_, other context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(context.WithValue(other, anyKey{}, 1))
		return ctx, cancel
	},
}

func TestAwaitSuspendsTheTaskWhateverContextItIsGiven(t *testing.T) {
	for name, derive := range anyContexts {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				others := make(chan context.Context, 1)
				other := task.Spawn(ctx, func(ctx context.Context) error {
					others <- ctx
					_, err := pending().Await(ctx)
					return err
				})
				task.Yield(ctx)
				awaited, cancel := derive(ctx, <-others)
				defer cancel()

				f, p := future.New[int]()
				beside := 0
				task.Spawn(ctx, func(ctx context.Context) error {
					for range 10 { // a blocked loop would never come here
						task.Yield(ctx)
						beside++
					}
					p.Resolve(7)
					return nil
				})
				if v, err := f.Await(awaited); v != 7 || err != nil || beside != 10 {
					t.Errorf("Await gave %v, %v beside %d steps; want 7, nil and 10", v, err, beside)
				}
				if err := task.Sleep(awaited, time.Microsecond); err != nil {
					t.Errorf("Sleep = %v, want nil", err)
				}
				other.Cancel(nil)
				other.Await(ctx)
				return nil
			})
		})
	}
}

func TestAwaitInACallbackPanicsUnlessTheResultIsThere(t *testing.T) {
	for name, derive := range anyContexts {
		t.Run(name, func(t *testing.T) {
			loop := testkit.StartLoop(t)
			contexts := make(chan context.Context)
			keeper := task.Spawn(loop.Context(), func(ctx context.Context) error {
				if err := task.Yield(ctx); err != nil {
					return err
				}
				go func() { contexts <- ctx }()
				_, err := pending().Await(ctx)
				return err
			})
			own := <-contexts
			testkit.OnLoop(t, loop, func() {
				ctx, cancel := derive(own, own)
				defer cancel()
				const want = "future: Await in a loop callback would stop the loop; use OnDone, or start a task with task.Go"
				testkit.Panics(t, want, func() { pending().Await(ctx) })
				if v, err := future.Resolved(3).Await(ctx); v != 3 || err != nil {
					t.Errorf("a ready future gave %v, %v; want 3 and nil", v, err)
				}
				for op, wait := range map[string]func(){
					"task: Sleep":    func() { task.Sleep(ctx, time.Hour) },
					"task: Yield":    func() { task.Yield(ctx) },
					"task: Blocking": func() { task.Blocking(ctx, func(context.Context) (int, error) { return 0, nil }) },
					"task: Wait":     func() { task.Wait(ctx, &errgroup.Group{}) },
				} {
					testkit.Panics(t, op+" in a loop callback…", wait)
				}
			})
			keeper.Cancel(nil)
			keeper.Await(context.Background())
		})
	}
}

// rounds scales a stress test: n by default, a tenth in short mode, and less under the race
// detector.
func rounds(n int) int {
	if testing.Short() {
		n /= 10
	}
	if raceEnabled {
		n = n * 3 / 20
	}
	return max(n, 1)
}

func TestErrgroupOfATasksContextAwaitsWhileTheTaskRuns(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for range rounds(2000) {
			f, p := future.New[int]()
			g, gctx := errgroup.WithContext(ctx)
			for range 100 {
				g.Go(func() error {
					// blocks this goroutine: its context names a task that runs elsewhere
					_, err := f.Await(gctx)
					return err
				})
			}
			yields(ctx, 3)
			p.Resolve(1)
			if err := task.Wait(ctx, g); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestErrgroupOfATasksContextIsCancelledWithTheTask(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for range rounds(200) {
			started := future.Promise[int]{}
			tk := task.Spawn(ctx, func(ctx context.Context) error {
				g, gctx := errgroup.WithContext(ctx)
				for range 20 {
					g.Go(func() error { _, err := pending().Await(gctx); return err })
				}
				started.Resolve(1)
				return task.Wait(context.WithoutCancel(ctx), g)
			})
			started.Future().Await(ctx)
			tk.Cancel(errTest)
			_, err := tk.Await(ctx)
			testkit.ErrorIs(t, err, errTest)
		}
		return nil
	})
}

func TestContextOfAnEndedTaskIsDone(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var old, derived context.Context
		var cancel func()
		child := make(chan error, 1)
		var waiter *task.Task[int]
		task.Spawn(ctx, func(ctx context.Context) error {
			old = ctx
			derived, cancel = context.WithCancel(context.WithValue(ctx, anyKey{}, 1))
			task.Spawn(ctx, func(ctx context.Context) error { // goes on
				child <- task.Sleep(ctx, time.Millisecond)
				return nil
			})
			waiter = task.Go(ctx, func(context.Context) (int, error) { return pending().Await(old) })
			yields(ctx, 3)
			return nil
		}).Await(ctx)
		defer cancel()

		for name, c := range map[string]context.Context{"own": old, "derived": derived} {
			if c.Err() != context.Canceled || context.Cause(c) != task.ErrEnded {
				t.Errorf("%s: Err %v, Cause %v; want %v and %v", name, c.Err(), context.Cause(c), context.Canceled, task.ErrEnded)
			}
			_, err := pending().Await(c)
			testkit.ErrorIs(t, err, task.ErrEnded, context.Canceled)
			goroutine := make(chan error)
			go func() { _, err := pending().Await(c); goroutine <- err }()
			testkit.ErrorIs(t, <-goroutine, task.ErrEnded, context.Canceled)
			if v, err := future.Resolved(1).Await(c); v != 1 || err != nil {
				t.Errorf("%s: a ready future gave %v, %v; want 1 and nil", name, v, err)
			}
			late := task.Go(c, func(ctx context.Context) (int, error) { return pending().Await(ctx) })
			_, err = late.Await(ctx)
			testkit.ErrorIs(t, err, task.ErrEnded)
		}
		// The task that waits with that very context is woken by its end, although it was
		// started below it.
		_, err := waiter.Await(ctx)
		testkit.ErrorIs(t, err, task.ErrEnded, context.Canceled)
		if _, err := task.Blocking(ctx, func(context.Context) (int, error) { return 0, <-child }); err != nil {
			t.Errorf("Blocking = %v, want nil: the child goes on", err)
		}
		return nil
	})
}

func TestAwaitFromGoroutinesReturnsWhenTheLoopCloses(t *testing.T) {
	for range rounds(100) {
		loop := testkit.StartLoop(t)
		var g errgroup.Group
		for i := range 20 {
			tk := task.Go(loop.Context(), func(ctx context.Context) (int, error) { return pending().Await(ctx) })
			g.Go(func() error {
				var err error
				switch i % 3 {
				case 0:
					_, err = tk.Await(context.Background())
				case 1:
					_, err = pending().Await(loop.Context())
				case 2:
					_, err = pending().Await(context.WithValue(loop.Context(), anyKey{}, 1))
				}
				if !errors.Is(err, reactor.ErrClosed) {
					return err
				}
				return nil
			})
		}
		loop.Close()
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTasksOfTwoLoopsAndGoroutinesAwaitTheSameFutures(t *testing.T) {
	other := testkit.StartLoop(t)
	testkit.Run(t, func(ctx context.Context) error {
		for range rounds(300) {
			f, p := future.New[int]()
			g, gctx := task.NewGroup(ctx)
			await := func() error {
				v, err := f.Await(gctx) // in tasks of the other loop this is a foreign context
				if v != 9 {
					t.Errorf("got %v, %v; want 9", v, err)
				}
				return err
			}
			var joined sync.WaitGroup
			for range 4 {
				g.Go(await)
				task.Spawn(reactor.WithLoop(gctx, other), func(context.Context) error { return await() })
				joined.Go(func() { await() })
			}
			task.Spawn(reactor.WithLoop(ctx, other), func(ctx context.Context) error {
				yields(ctx, 2)
				p.Resolve(9)
				return nil
			})
			if err := g.Wait(); err != nil {
				return err
			}
			task.Blocking(ctx, func(context.Context) (int, error) { joined.Wait(); return 0, nil })
		}
		return nil
	})
}

func TestAGoroutineIsNotTakenForTheCoroutineThatHadItsPlace(t *testing.T) {
	for range rounds(60) {
		// makes coroutines, more than are kept, and ends them
		testkit.Run(t, func(ctx context.Context) error {
			g, gctx := task.NewGroup(ctx)
			for range 200 {
				g.Go(func() error { return task.Yield(gctx) })
			}
			return g.Wait()
		})
		f, p := future.New[int]()
		var joined sync.WaitGroup
		for range 200 {
			joined.Go(func() {
				if v, err := f.Await(context.Background()); v != 1 || err != nil {
					t.Errorf("Await gave %v, %v; want 1 and nil", v, err)
				}
				if err := task.Yield(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		runtime.Gosched()
		p.Resolve(1)
		joined.Wait()
	}
}
