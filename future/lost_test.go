package future_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// lost returns what a loop has been told of futures and tasks. In debug mode it is also told of a
// task that waits for a goroutine, which does not count here.
func lost(x *testkit.Exceptions) (told []reactor.Exception) {
	for _, e := range x.All() {
		if e.Op == "future" || e.Op == "task" {
			told = append(told, e)
		}
	}
	return told
}

// inMode runs fn as the main task of a loop, in debug mode or not. It returns what is lost by the
// end of the loop.
func inMode(t *testing.T, debug bool, fn func(ctx context.Context, x *testkit.Exceptions)) []reactor.Exception {
	t.Helper()
	x := &testkit.Exceptions{}
	opts := []reactor.Option{x.Option()}
	if debug {
		opts = append(opts, reactor.WithDebug(0))
	}
	testkit.Run(t, func(ctx context.Context) error { fn(ctx, x); return nil }, opts...)
	return lost(x)
}

func TestErrorsThatNobodyRetrieves(t *testing.T) {
	fail := func(context.Context) (int, error) { return 0, errTest }
	// ended waits for the end of a future, and retrieves nothing.
	ended := func(ctx context.Context, f *future.Future[int]) { future.Wait(ctx, future.AllCompleted, f) }
	one := func(int) (int, error) { return 1, nil }
	for name, c := range map[string]struct {
		do            func(ctx context.Context)
		debug, always int // reports in debug mode, and without
	}{
		"a promise that fails": {func(context.Context) { f, p := future.New[int](); p.Fail(errTest); runtime.KeepAlive(f) }, 1, 0},
		"Failed":               {func(context.Context) { future.Failed[int](errTest) }, 1, 0},
		"a goroutine's":        {func(ctx context.Context) { ended(ctx, future.FromFunc(ctx, fail)) }, 1, 0},
		"a goroutine's with a foreign context": {func(ctx context.Context) {
			ended(ctx, future.FromFunc(context.Background(), fail))
		}, 1, 0},
		"a panic": {func(context.Context) {
			future.Map(future.Resolved(1), func(int) (int, error) { panic(1) })
		}, 1, 0},
		"passed on by Map, once":  {func(context.Context) { future.Map(future.Failed[int](errTest), one) }, 1, 0},
		"of a task, through Map":  {func(ctx context.Context) { ended(ctx, future.Map(task.Go(ctx, fail), one)) }, 1, 1},
		"of a task, through more": {func(ctx context.Context) { ended(ctx, future.Map(future.Map(task.Go(ctx, fail), one), one)) }, 1, 1},
		"of a task, through Map, awaited": {func(ctx context.Context) {
			future.Map(task.Go(ctx, fail), one).Await(ctx)
		}, 0, 0},
		"of a task, through more, asked for later": {func(ctx context.Context) {
			f := future.Map(future.Map(task.Go(ctx, fail), one), one)
			task.Yield(ctx)
			f.TryResult()
		}, 0, 0},
		"of a task, behind a cancelled Shield": {func(ctx context.Context) {
			future.Shield(task.Go(ctx, fail)).Cancel(nil)
		}, 1, 1},
		"of a task, behind a Shield that nobody awaits": {func(ctx context.Context) {
			ended(ctx, future.Shield(task.Go(ctx, fail)))
		}, 1, 1},
		"of a task, behind a Shield that is awaited": {func(ctx context.Context) {
			future.Shield(task.Go(ctx, fail)).Await(ctx)
		}, 0, 0},
		"a value":   {func(context.Context) { future.Resolved(1) }, 0, 0},
		"awaited":   {func(ctx context.Context) { future.Failed[int](errTest).Await(ctx) }, 0, 0},
		"asked for": {func(context.Context) { future.Failed[int](errTest).TryResult() }, 0, 0},
		"given to a callback": {func(context.Context) {
			future.Failed[int](errTest).OnDone(future.Inline, func(int, error) {})
		}, 0, 0},
		"given to one that was there": {func(context.Context) {
			f, p := future.New[int]()
			f.OnDone(future.Inline, func(int, error) {})
			p.Fail(errTest)
		}, 0, 0},
		"caught": {func(context.Context) {
			future.Catch(future.Failed[int](errTest), func(error) (int, error) { return 1, nil })
		}, 0, 0},
		"cancelled": {func(context.Context) { f, _ := future.New[int](); f.Cancel(errTest) }, 0, 0},
		"a producer that was cancelled": {func(ctx context.Context) {
			f := future.FromFunc(ctx, func(ctx context.Context) (int, error) { <-ctx.Done(); return 0, context.Cause(ctx) })
			f.Cancel(errTest)
			ended(ctx, f)
		}, 0, 0},
		"only looked at": {func(ctx context.Context) {
			future.Wait(ctx, future.FirstError, future.Failed[int](errTest))
		}, 1, 0},
		"a loser that had failed": {func(ctx context.Context) {
			future.Race(ctx, future.Resolved(1), future.Failed[int](errTest))
		}, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			for debug, want := range map[bool]int{true: c.debug, false: c.always} {
				all := inMode(t, debug, func(ctx context.Context, _ *testkit.Exceptions) { c.do(ctx) })
				if len(all) != want {
					t.Errorf("debug mode %v: %d reports, want %d: %v", debug, len(all), want, all)
				}
				for _, e := range all {
					if !strings.HasPrefix(e.Err.Error(), "never retrieved: ") {
						t.Errorf("reported: %+v, want an error that was never retrieved", e)
					}
				}
			}
		})
	}
}

// An error is reported when its future is collected, also while the loop goes on.
func TestAnErrorIsReportedWhenItsFutureIsCollected(t *testing.T) {
	all := inMode(t, true, func(ctx context.Context, x *testkit.Exceptions) {
		for range 10 {
			future.Failed[int](errTest)
		}
		for len(lost(x)) < 10 {
			runtime.GC()
			task.Yield(ctx)
		}
	})
	for _, e := range all {
		if !errors.Is(e.Err, errTest) || e.Op != "future" {
			t.Errorf("reported: %+v, want the test's error, of a future", e)
		}
	}
	if len(all) != 10 {
		t.Errorf("%d reports, want 10", len(all))
	}
}

// The collector may report an error before the loop ends. Those that are left then come in the
// order in which they failed, of futures and tasks alike, whether they have been collected by now
// or not.
func TestWhatIsLeftAtTheEndIsReportedInTheOrderInWhichItFailed(t *testing.T) {
	const n = 40
	var kept []any
	all := inMode(t, true, func(ctx context.Context, x *testkit.Exceptions) {
		for i := range n {
			err := fmt.Errorf("%w %d", errTest, i)
			var failed any
			if i%2 == 0 {
				failed = future.Failed[int](err)
			} else {
				tk := task.Go(ctx, func(context.Context) (int, error) { return 0, err })
				task.Yield(ctx)
				failed = tk
			}
			if i%3 == 0 {
				kept = append(kept, failed)
			}
		}
		runtime.GC() // the cleanups post to the loop, which may close before it comes to them
	})
	runtime.KeepAlive(kept)
	last := -1
	if len(all) != n {
		t.Errorf("%d reports, want %d", len(all), n)
	}
	seen := map[string]bool{}
	for _, e := range all {
		seen[e.Err.Error()] = true
	}
	if len(seen) != n {
		t.Errorf("%d errors are reported, want each of %d once", len(seen), n)
	}
	for _, e := range all {
		var i int
		if _, err := fmt.Sscanf(e.Err.Error(), "never retrieved: test error %d", &i); err != nil {
			t.Fatal(err)
		}
		if i%3 != 0 {
			continue // this one may have come earlier
		}
		if i < last {
			t.Errorf("%d is reported after %d, want the order in which they failed", i, last)
		}
		last = i
	}
}
