package task_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// unwindings are the ways to run a function in a task, and what that task then ends with.
var unwindings = map[string]func(ctx context.Context, fn func() error) error{
	"a task": func(ctx context.Context, fn func() error) error {
		_, err := task.Spawn(ctx, func(context.Context) error { return fn() }).Await(ctx)
		return err
	},
	"an eager task": func(ctx context.Context, fn func() error) error {
		_, err := task.Spawn(ctx, func(context.Context) error { return fn() }, task.Eager()).Await(ctx)
		return err
	},
	"an eager task of an eager task": func(ctx context.Context, fn func() error) error {
		_, err := task.Go(ctx, func(ctx context.Context) (_ int, err error) {
			_, err = task.Spawn(ctx, func(context.Context) error { return fn() }, task.Eager()).Await(ctx)
			return 0, err
		}, task.Eager()).Await(ctx)
		return err
	},
	"a member": func(ctx context.Context, fn func() error) error {
		g, _ := task.NewGroup(ctx)
		g.Go(fn)
		return g.Wait()
	},
	"a member of a zero Group": func(ctx context.Context, fn func() error) error {
		var g task.Group
		g.Go(fn)
		return g.Wait()
	},
	"a task of a group that is left": func(ctx context.Context, fn func() error) (err error) {
		task.Spawn(ctx, func(ctx context.Context) error {
			g, gctx := task.NewGroup(ctx)
			task.Spawn(gctx, func(context.Context) error { err = fn(); return nil }).OnDone(future.Inline, func(_ struct{}, e error) { err = e })
			return g.Wait()
		}).Await(ctx)
		return err
	},
}

// A deferred call may panic while a Goexit unwinds the stack, of FailNow for instance: the task
// ends with the panic, and nobody waits for ever.
func TestATaskThatUnwindsAnyWayEnds(t *testing.T) {
	for name, within := range unwindings {
		for _, u := range testkit.Unwindings() {
			t.Run(name+"/"+u.Name, func(t *testing.T) {
				loop := testkit.StartLoop(t)
				var got error
				testkit.InTask(t, loop, func(ctx context.Context) {
					got = within(ctx, func() error {
						u.Run(func() { task.Yield(ctx) })
						return nil
					})
				})
				testkit.Check(loop.Close())
				var p *task.PanicError
				switch errors.As(got, &p); {
				case u.Panic != nil && (p == nil || p.Value != u.Panic),
					u.Panic == nil && u.Goexit && !errors.Is(got, task.ErrGoexit),
					u.Panic == nil && !u.Goexit && got != nil:
					t.Errorf("it ends with %v, want the panic %v, or else a Goexit: %v", got, u.Panic, u.Goexit)
				}
			})
		}
	}
}

// A task that ends makes the calls that were given Inline.
func TestAnInlineCallbackThatUnwindsAnyWayKeepsNobodyWaiting(t *testing.T) {
	for _, u := range testkit.Unwindings() {
		t.Run(u.Name, func(t *testing.T) {
			var x testkit.Exceptions
			loop := testkit.StartLoop(t, x.Option())
			testkit.InTask(t, loop, func(ctx context.Context) {
				g, ctx := task.NewGroup(ctx)
				k := task.Spawn(ctx, func(ctx context.Context) error { return task.Yield(ctx) })
				others := 0
				k.OnDone(future.Inline, func(struct{}, error) { u.Run(func() { task.Yield(loop.Context()) }) })
				k.OnDone(future.Inline, func(struct{}, error) { others++ })
				if err := g.Wait(); err != nil || others != 1 {
					t.Errorf("the group ends with %v, and %d calls of the other callback; want nil and one", err, others)
				}
			})
			testkit.Check(loop.Close())
			want := 0
			if u.Panic != nil || u.Goexit {
				want = 1
			}
			if got := x.Ops(); len(got) != want || want == 1 && got[0] != "callback" {
				t.Errorf("the loop has reported %v, want %d × callback", x.All(), want)
			}
		})
	}
}

// Run itself calls Goexit then, when everything has unwound. The panic is reported, since nobody
// can be told otherwise.
func TestRunAfterAPanicInAGoexit(t *testing.T) {
	for _, u := range testkit.Unwindings() {
		if !u.Goexit {
			continue
		}
		t.Run(u.Name, func(t *testing.T) {
			testkit.Watch(t)
			var x testkit.Exceptions
			returned := make(chan bool, 1)
			go func() {
				done := false
				defer func() { returned <- done }()
				task.Run(context.Background(), func(ctx context.Context) error {
					u.Run(func() { task.Yield(ctx) })
					return nil
				}, task.WithSignals(), task.WithLoopOptions(x.Option()))
				done = true
			}()
			if <-returned {
				t.Error("Run has returned, want a Goexit")
			}
			var p *task.PanicError
			if got := x.All(); u.Panic != nil && (len(got) != 1 || !errors.As(got[0].Err, &p) || p.Value != u.Panic) {
				t.Errorf("the loop has reported %v, want the panic %v", got, u.Panic)
			}
		})
	}
}

func TestRunThatEndsByAGoexitReportsWhatMainHasReturned(t *testing.T) {
	testkit.Watch(t)
	var x testkit.Exceptions
	over := make(chan struct{})
	go func() {
		defer close(over)
		task.Run(context.Background(), func(ctx context.Context) error {
			task.Spawn(ctx, func(context.Context) error { runtime.Goexit(); return nil })
			task.Sleep(ctx, time.Hour) // until that ends everything
			return errTest
		}, task.WithSignals(), task.WithLoopOptions(x.Option()))
	}()
	<-over
	ofMain := slices.DeleteFunc(x.All(), func(e reactor.Exception) bool { return e.Name != "main" })
	if len(ofMain) != 1 || !errors.Is(ofMain[0].Err, errTest) {
		t.Errorf("the loop has reported %v of main, want its error", ofMain)
	}
}

func TestAnObserverThatCallsGoexitKeepsNobodyWaiting(t *testing.T) {
	told := 0
	loop := testkit.StartLoop(t, reactor.WithObserver(&reactor.Observer{TaskDone: func(name string, _ error, _ time.Duration) {
		if name == "it" {
			told++
			runtime.Goexit()
		}
	}}))
	testkit.InTask(t, loop, func(ctx context.Context) {
		_, err := task.Spawn(ctx, func(context.Context) error { return nil }, task.Name("it")).Await(ctx)
		if err != task.ErrGoexit || told != 1 {
			t.Errorf("the task ends with %v, and %d calls of TaskDone; want %v and one", err, told, task.ErrGoexit)
		}
	})
}
