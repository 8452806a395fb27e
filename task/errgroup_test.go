package task_test

import (
	"context"
	"os"
	"regexp"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// differences has a test for each row of the table of docs/how-to.md that says how a Group differs
// from an errgroup.
var differences = map[string]func(t *testing.T, ctx context.Context){
	"where members run": func(t *testing.T, ctx context.Context) {
		loop, _ := reactor.FromContext(ctx)
		ours, _ := task.NewGroup(ctx)
		shared, most := 0, 0 // without a lock
		for range 10 {
			ours.Go(func() error {
				if shared++; !loop.InLoop() {
					t.Error("a member is not on the loop, want it there")
				}
				runtime.Gosched()
				most = max(most, shared)
				shared--
				return nil
			})
		}
		if ours.Wait(); most != 1 {
			t.Errorf("%d members at once, want 1", most)
		}
		var theirs errgroup.Group
		theirs.Go(func() error {
			if loop.InLoop() {
				t.Error("a goroutine is on the loop, want it elsewhere")
			}
			return nil
		})
		task.Wait(ctx, &theirs)
	},
	"the first step": func(t *testing.T, ctx context.Context) {
		ours, _ := task.NewGroup(ctx)
		begun := false
		ours.Go(func() error { begun = true; return nil })
		if time.Sleep(time.Millisecond); begun { // the loop stands still
			t.Error("the first step came at once, want it after the next wait")
		}
		ours.Wait()
	},
	"`Wait` and a full `Go`": func(t *testing.T, ctx context.Context) {
		for _, g := range []group{&task.Group{}, &errgroup.Group{}} {
			f, p := future.New[int]()
			g.Go(func() error { _, err := f.Await(context.Background()); return err })
			// runs while the group is awaited
			task.Spawn(ctx, func(context.Context) error { p.Resolve(1); return nil })
			if err := task.Wait(ctx, g); err != nil {
				t.Error(err)
			}
		}
	},
	"a panic": func(t *testing.T, ctx context.Context) {
		ours, _ := task.NewGroup(ctx)
		ours.Go(func() error { panic(errTest) })
		if _, ok := ours.Wait().(*task.PanicError); !ok {
			t.Error("Wait did not return a PanicError, want one")
		}
	},
	"`runtime.Goexit`": func(t *testing.T, ctx context.Context) {
		loop := testkit.StartLoop(t)
		ours, _ := task.NewGroup(loop.Context())
		ours.Go(func() error { runtime.Goexit(); return nil })
		if err := task.Wait(ctx, ours); err != task.ErrGoexit {
			t.Errorf("Group: %v, want %v", err, task.ErrGoexit)
		}
		var theirs errgroup.Group
		theirs.Go(func() error { runtime.Goexit(); return nil })
		if err := task.Wait(ctx, &theirs); err != nil {
			t.Errorf("errgroup: %v, want nil", err)
		}
	},
	"further errors": func(t *testing.T, ctx context.Context) {
		var ours task.Group
		ours.Go(func() error { return errTest })
		ours.Go(func() error { return context.Canceled })
		ours.Wait()
		testkit.ErrorIs(t, ours.Errors(), errTest, context.Canceled)
	},
	"the context after `Wait`": func(t *testing.T, ctx context.Context) {
		ours, octx := task.NewGroup(ctx)
		ours.Wait()
		theirs, tctx := errgroup.WithContext(ctx)
		theirs.Wait()
		if octx.Err() != context.Canceled || tctx.Err() != context.Canceled || context.Cause(octx) != task.ErrEnded || context.Cause(tctx) != context.Canceled {
			t.Errorf("causes %v, %v; want %v, %v, and both contexts cancelled", context.Cause(octx), context.Cause(tctx), task.ErrEnded, context.Canceled)
		}
	},
	"no `Wait`": func(t *testing.T, ctx context.Context) {
		var cause error
		task.Spawn(ctx, func(ctx context.Context) error {
			_, gctx := task.NewGroup(ctx)
			task.Spawn(gctx, untilCancelled(&cause))
			return task.Yield(ctx)
		}).Await(ctx)
		if cause != task.ErrNotAwaited {
			t.Errorf("cause: %v, want %v", cause, task.ErrNotAwaited)
		}
	},
	"the zero Group": func(t *testing.T, ctx context.Context) {
		outside := make(chan any)
		go func() {
			defer func() { outside <- recover() }()
			new(task.Group).Go(func() error { return nil })
		}()
		if <-outside == nil {
			t.Error("no panic outside a loop, want one")
		}
	},
	"`SetLimit(-1)` while members run": func(t *testing.T, ctx context.Context) {
		for _, g := range []group{&task.Group{}, &errgroup.Group{}} {
			f, p := future.New[int]()
			await := func() error { _, err := f.Await(context.Background()); return err }
			g.SetLimit(1)
			g.Go(await)
			g.SetLimit(-1)
			g.Go(await)
			g.Go(await)
			p.Resolve(1)
			if err := task.Wait(ctx, g); err != nil {
				t.Error(err)
			}
			g.SetLimit(1)
		}
	},
	"what else it has": func(t *testing.T, ctx context.Context) {
		ours, octx := task.NewGroup(ctx)
		typed := task.Go(octx, func(context.Context) (int, error) { return 1, nil })
		task.Spawn(octx, untilCancelled(new(error)), task.Daemon())
		task.Spawn(octx, func(context.Context) error { return errTest }, task.Isolated())
		if v, err := typed.Await(ctx); v != 1 || err != nil {
			t.Errorf("Await = %v, %v; want 1 and nil", v, err)
		}
		ours.Cancel(errTest)
		ours.Wait()
		if context.Cause(octx) != errTest {
			t.Errorf("the cause is %v, want %v", context.Cause(octx), errTest)
		}
	},
}

func TestHowAGroupDiffersFromAnErrgroup(t *testing.T) {
	text, err := os.ReadFile("../docs/how-to.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for _, row := range regexp.MustCompile(`(?ms)^\| +\| .errgroup.Group. \|.*?\n\n`).FindAllString(string(text), -1) {
		for _, cell := range regexp.MustCompile(`(?m)^\| ([^|]*[^| -]) \|`).FindAllStringSubmatch(row, -1) {
			rows[cell[1]] = true
		}
	}
	for name := range rows {
		if differences[name] == nil {
			t.Errorf("docs/how-to.md has the row %q, want a test of it in differences", name)
		}
	}
	for name, test := range differences {
		if !rows[name] {
			t.Errorf("%q is tested, want a row of it in docs/how-to.md", name)
		}
		t.Run(name, func(t *testing.T) {
			var x testkit.Exceptions
			testkit.Run(t, func(ctx context.Context) error { test(t, ctx); return nil }, x.Option())
		})
	}
}

// The context of an errgroup that a task makes is the task's: the goroutines await what they like
// with it.
func TestAnErrgroupInATask(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		f, p := future.New[int]()
		g, gctx := errgroup.WithContext(ctx)
		total := make(chan int, 3)
		for range 3 {
			g.Go(func() error {
				v, err := f.Await(gctx)
				total <- v
				return err
			})
		}
		g.Go(func() error { // a goroutine starts a task, and awaits it
			_, err := task.Spawn(gctx, func(context.Context) error { p.Resolve(2); return nil }).Await(gctx)
			return err
		})
		if err := task.Wait(ctx, g); err != nil || <-total+<-total+<-total != 6 {
			t.Error(err)
		}
		failing, fctx := errgroup.WithContext(ctx)
		failing.Go(func() error { return errTest })
		_, err := pending().Await(fctx) // of this task, with the errgroup's context
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		testkit.ErrorIs(t, task.Wait(ctx, failing), errTest)
		return nil
	})
}

// The goroutine that waits can't be told to stop; closing the loop waits for it.
func TestACancelledWaitLeavesItsGoroutineToClose(t *testing.T) {
	release := make(chan struct{})
	var g errgroup.Group
	ended := false
	g.Go(func() error { <-release; ended = true; return nil })
	testkit.Run(t, func(ctx context.Context) error {
		short, cancel := context.WithCancel(ctx)
		loop, _ := reactor.FromContext(ctx)
		loop.CallSoon(cancel)
		testkit.ErrorIs(t, task.Wait(short, &g), context.Canceled)
		loop.AtClose(func() { close(release) })
		return nil
	})
	if !ended {
		t.Error("the loop was closed before the group had ended, want after")
	}
}
