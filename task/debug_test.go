package task_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"runtime"
	"runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// debugMode is debug mode, without its log.
func debugMode(slow time.Duration) reactor.Option {
	return together(reactor.WithDebug(slow), reactor.WithLogger(slog.New(slog.DiscardHandler)))
}

// together makes one option of two.
func together[C any, O ~func(C)](a, b O) O { return func(c C) { a(c); b(c) } }

//go:noinline
func dig(until chan bool) { <-until }

// The task goes on only when it has been told of.
func TestTheWatchdogNamesTheTaskThatStallsTheLoop(t *testing.T) {
	for want, opts := range map[string][]task.Option{
		"task digger":                 {task.Name("digger")},
		"task started at ":            nil,
		"task/debug_test.go:":         nil,
		"TestTheWatchdogNamesTheTask": nil,
	} {
		told, until := "", make(chan bool)
		var once sync.Once
		stalled := func(what string, d time.Duration, stack []byte) {
			if bytes.Contains(stack, []byte("task_test.dig(")) && d >= time.Millisecond {
				once.Do(func() { told = what; close(until) })
			}
		}
		testkit.Run(t, func(ctx context.Context) error {
			task.Spawn(ctx, func(ctx context.Context) error { task.Yield(ctx); return nil }, task.Name("another"))
			tk := task.Spawn(ctx, func(ctx context.Context) error {
				task.Yield(ctx)
				dig(until)
				return nil
			}, opts...)
			_, err := tk.Await(ctx)
			return err
		}, debugMode(time.Millisecond), reactor.WithObserver(&reactor.Observer{Stalled: stalled}))
		if !strings.Contains(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
	}
}

func TestALostErrorIsReportedWithTheSpawnSite(t *testing.T) {
	for name, spawn := range map[string]func(ctx context.Context, fn func(context.Context) error){
		"Spawn": func(ctx context.Context, fn func(context.Context) error) { task.Spawn(ctx, fn) },
		"Go": func(ctx context.Context, fn func(context.Context) error) {
			task.Go(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) })
		},
	} {
		for _, opts := range [][]reactor.Option{nil, {debugMode(0)}} {
			var x testkit.Exceptions
			testkit.Run(t, func(ctx context.Context) error {
				spawn(ctx, func(context.Context) error { return errTest })
				return nil
			}, append(opts, x.Option())...)
			all := x.Take()
			if len(all) != 1 {
				t.Fatalf("%s: reports %v, want one", name, all)
			}
			site := all[0].Site
			if opts == nil && site != "" || opts != nil && (!strings.Contains(site, "task/debug_test.go:") || !strings.Contains(site, "SpawnSite")) {
				t.Errorf("%s: started at %q, want SpawnSite in this file (none without debug mode)", name, site)
			}
		}
	}
}

// steppedClock stands still unless a test moves it; it is for a loop that does not wait.
type steppedClock struct{ now time.Duration }

func (c *steppedClock) Now() time.Duration { return c.now }
func (c *steppedClock) Wall() time.Time    { return time.Unix(0, int64(c.now)) }

func TestAnObserverIsToldOfEachTasksEnd(t *testing.T) {
	type end struct {
		err error
		age time.Duration
	}
	told := map[string]end{}
	clock := &steppedClock{}
	done := func(name string, err error, age time.Duration) {
		var p *task.PanicError
		if errors.As(err, &p) {
			err = p.Value.(error)
		}
		told[name] = end{err, age}
	}
	testkit.Run(t, func(ctx context.Context) error {
		start := func(ctx context.Context, name string, fn func(ctx context.Context) error) *task.Task[struct{}] {
			return task.Spawn(ctx, fn, task.Name(name))
		}
		work := func(d time.Duration, err error) func(context.Context) error {
			return func(context.Context) error { clock.now += d; return err }
		}
		start(ctx, "well", work(time.Second, nil)).Await(ctx)
		start(ctx, "badly", work(2*time.Second, errTest)).Await(ctx)
		start(ctx, "in a panic", func(context.Context) error { panic(errTest) }).Await(ctx)
		cancelled := start(ctx, "cancelled", func(ctx context.Context) error { return ctx.Err() })
		cancelled.Cancel(nil)
		clock.now += time.Second
		cancelled.Await(ctx)
		return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			g.Go(func() error { clock.now += time.Second; return nil })
			return nil
		})
	}, reactor.WithWorld(worldtest.WithTime(clock)), reactor.WithObserver(&reactor.Observer{TaskDone: done}))
	want := map[string]end{
		"well": {nil, time.Second}, "badly": {errTest, 2 * time.Second}, "in a panic": {errTest, 0},
		"cancelled": {context.Canceled, time.Second}, "": {nil, time.Second}, "main": {nil, 5 * time.Second},
	}
	if !maps.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

func TestAnObserverThatPanicsHurtsNoTask(t *testing.T) {
	var x testkit.Exceptions
	testkit.Run(t, func(ctx context.Context) error {
		v, err := task.Go(ctx, func(context.Context) (int, error) { return 1, nil }).Await(ctx)
		if v != 1 || err != nil {
			t.Errorf("got %v, %v; want 1 and nil", v, err)
		}
		return nil
	}, x.Option(), reactor.WithObserver(&reactor.Observer{TaskDone: func(string, error, time.Duration) { panic("x") }}))
	if all := x.Take(); len(all) != 2 || all[0].Op != "observer" {
		t.Errorf("reports %v, want 2, of the observer", all)
	}
}

// labels returns the goroutine profile, which has the labels of each goroutine.
func labels() string {
	var b bytes.Buffer
	pprof.Lookup("goroutine").WriteTo(&b, 1)
	return b.String()
}

func TestProfilesNameTasks(t *testing.T) {
	const label = `"task":"digger"`
	for name, c := range map[string]struct {
		opt  reactor.Option
		want bool
	}{
		"with the option": {reactor.WithProfileLabels(), true},
		"in debug mode":   {debugMode(time.Hour), true},
		"without":         {reactor.WithPoller(reactor.Auto), false},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				var inside string
				fn := func(ctx context.Context) error {
					inside, _ = pprof.Label(ctx, "task")
					return task.Yield(ctx)
				}
				for name, end := range map[string]func(){"returns": func() {}, "panics": func() { panic("x") }} {
					digger := task.Spawn(ctx, func(ctx context.Context) error { defer end(); return fn(ctx) }, task.Name("digger"))
					task.Yield(ctx)
					if got := strings.Contains(labels(), label); got != c.want {
						t.Errorf("%s: while it is suspended, the profile has its name: %v; want %v", name, got, c.want)
					}
					digger.Await(ctx)
					if (inside == "digger") != c.want {
						t.Errorf("%s: its context has the label %q, want digger: %v", name, inside, c.want)
					}
					task.Spawn(ctx, func(context.Context) error { // which has the same coroutine
						if strings.Contains(labels(), label) {
							t.Errorf("%s: the name is in the profile, want it gone: the task has ended", name)
						}
						return nil
					}).Await(ctx)
				}
				return nil
			}, c.opt)
		})
	}
}

func TestATraceHasTheTasks(t *testing.T) {
	var b bytes.Buffer
	if err := trace.Start(&b); err != nil {
		t.Skip(err) // go test -trace
	}
	testkit.Run(t, func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			task.Spawn(ctx, func(ctx context.Context) error {
				trace.Log(ctx, "depth", "very deep")
				if own := fmt.Sprint(task.Values(ctx)); !strings.Contains(own, "trace.traceContextKey") {
					t.Errorf("its context carries %s, want trace's task", own)
				}
				runtime.Gosched()
				return task.Yield(ctx)
			}, task.Name("digger"))
			return nil
		})
	})
	trace.Stop()
	for _, want := range []string{"digger", "main", "very deep"} {
		if !bytes.Contains(b.Bytes(), []byte(want)) {
			t.Errorf("the trace has no %q", want)
		}
	}
}

// A task that is shown keeps nothing of the one that has started it.
func TestAChainOfTasksThatAreShownDoesNotGrow(t *testing.T) {
	if err := trace.Start(io.Discard); err == nil {
		defer trace.Stop()
	}
	testkit.Run(t, func(ctx context.Context) error {
		lengths := map[int]int{}
		var link func(ctx context.Context) error
		link = func(ctx context.Context) error {
			lengths[len(lengths)] = len(fmt.Sprint(task.Values(ctx)))
			if len(lengths) == 10 {
				return nil
			}
			_, err := task.Spawn(ctx, link, task.Name("link")).Await(ctx)
			return err
		}
		if err := link(ctx); err != nil {
			return err
		}
		if lengths[9] > lengths[2] || lengths[9] == 0 {
			t.Errorf("the contexts are described in %v bytes, want the last no longer than the third", lengths)
		}
		return nil
	}, debugMode(time.Hour))
}
