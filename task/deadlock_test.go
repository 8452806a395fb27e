package task_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/inspect"
	"github.com/corobridge/corobridge/task/lock"
)

// late is a task that is known only when it has been started.
type late struct{ t *task.Task[struct{}] }

func (l *late) Await(ctx context.Context) (struct{}, error) { return l.t.Await(ctx) }

// A deadlock lasts until it is cancelled: each task of these waits with its own context.
func TestACycleOfAwaitsIsReportedOnce(t *testing.T) {
	type start = func(name string, fn func(ctx context.Context) error) *task.Task[struct{}]
	for name, c := range map[string]struct {
		have func(ctx context.Context, start start)
		want string
	}{
		"two tasks await each other": {func(ctx context.Context, start start) {
			a, b := &late{}, &late{}
			a.t, b.t = start("a", until(b)), start("b", until(a))
		}, `task 2 "a" awaits task 3 "b"; task 3 "b" awaits task 2 "a"`},
		"three tasks in a ring, and one that awaits them": {func(ctx context.Context, start start) {
			a, b, c := &late{}, &late{}, &late{}
			a.t, b.t, c.t = start("a", until(c)), start("b", until(a)), start("c", until(b))
			start("d", until(c))
		}, `task 2 "a" awaits task 4 "c"; task 4 "c" awaits task 3 "b"; task 3 "b" awaits task 2 "a"`},
		"a task awaits itself, with a derived context": {func(ctx context.Context, start start) {
			a := &late{}
			a.t = start("a", func(ctx context.Context) error { return until(a)(context.WithValue(ctx, anyKey{}, 1)) })
		}, `task 2 "a" awaits itself`},
		"a task awaits itself as a future": {func(ctx context.Context, start start) {
			a := &late{}
			a.t = start("a", func(ctx context.Context) error { return until(a.t.AsFuture())(ctx) })
		}, `task 2 "a" awaits itself`},
		"a member awaits the task that awaits its group": {func(ctx context.Context, start start) {
			a := &late{}
			a.t = start("a", func(ctx context.Context) error {
				g, gctx := task.NewGroup(ctx)
				task.Spawn(gctx, until(a), task.Name("member"))
				task.Spawn(gctx, sleeps, task.Name("innocent"))
				return g.Wait()
			})
		}, `task 2 "a" awaits group of 2 running tasks, task 3 "member" among them; task 3 "member" awaits task 2 "a"`},
		"a member awaits its group": {func(ctx context.Context, start start) {
			start("a", func(ctx context.Context) error {
				g, gctx := task.NewGroup(ctx)
				task.Spawn(gctx, func(ctx context.Context) error { return task.Wait(ctx, g) }, task.Name("member"))
				return until(pending())(ctx)
			})
		}, `task 3 "member" awaits group of 1 running tasks, itself among them`},
		"a task awaits all of some, and one of those awaits it": {func(ctx context.Context, start start) {
			a := &late{}
			b := start("b", until(a))
			c := start("c", sleeps)
			a.t = start("a", func(ctx context.Context) error { _, err := future.AllSettled(ctx, b, c); return err })
		}, `task 2 "b" awaits task 4 "a"; task 4 "a" awaits all of 2 futures: task 2 "b", task 3 "c", task 2 "b" among them`},
		"a task awaits one of some, and one of those awaits it": {func(ctx context.Context, start start) {
			a := &late{}
			b := start("b", until(a))
			c := start("c", sleeps)
			a.t = start("a", func(ctx context.Context) error { _, err := future.Race(ctx, b, c); return err })
		}, ""},
		"two locks are taken crosswise": {func(ctx context.Context, start start) {
			var m, n lock.Mutex
			both := func(first, second *lock.Mutex) func(ctx context.Context) error {
				return func(ctx context.Context) error {
					first.Lock(ctx)
					defer first.Unlock()
					task.Yield(ctx)
					return second.Lock(ctx)
				}
			}
			start("a", both(&m, &n))
			start("b", both(&n, &m))
		}, `task 2 "a" awaits mutex held by task 3 "b"; task 3 "b" awaits mutex held by task 2 "a"`},
		"a lock is taken twice": {func(ctx context.Context, start start) {
			var m lock.Mutex
			start("a", func(ctx context.Context) error { m.Lock(ctx); return m.Lock(ctx) })
		}, `task 2 "a" awaits mutex held by itself`},
		"a lock is taken again after a wait on its condition": {func(ctx context.Context, start start) {
			var m lock.Mutex
			c := lock.Cond{L: &m}
			start("a", func(ctx context.Context) error { m.Lock(ctx); c.Wait(ctx); return m.Lock(ctx) })
			start("b", func(ctx context.Context) error { m.Lock(ctx); defer m.Unlock(); c.Signal(); return nil })
		}, `task 2 "a" awaits mutex held by itself`},
		"who has the lock awaits who wants it": {func(ctx context.Context, start start) {
			var m lock.Mutex
			b := &late{}
			start("a", func(ctx context.Context) error { m.Lock(ctx); return until(b)(ctx) })
			b.t = start("b", m.Lock)
		}, `task 2 "a" awaits task 3 "b"; task 3 "b" awaits mutex held by task 2 "a"`},

		"a task whose coroutine had the lock in its last job": {func(ctx context.Context, start start) {
			var m lock.Mutex
			start("a", func(ctx context.Context) error { m.Lock(ctx); task.Spawn(ctx, m.Lock); return nil })
		}, ""},
		"a ring that is not closed": {func(ctx context.Context, start start) {
			a := start("a", sleeps)
			b := start("b", until(a))
			start("c", until(b))
			start("d", until(b))
		}, ""},
		"a daemon awaits who awaits its group": {func(ctx context.Context, start start) {
			a := &late{}
			a.t = start("a", func(ctx context.Context) error {
				g, gctx := task.NewGroup(ctx)
				task.Spawn(gctx, until(a), task.Daemon())
				task.Spawn(gctx, sleeps)
				return g.Wait()
			})
		}, ""},
		"a full group": {func(ctx context.Context, start start) {
			a := &late{}
			a.t = start("a", func(ctx context.Context) error {
				g, gctx := task.NewGroup(ctx)
				defer g.Wait()
				g.SetLimit(1)
				g.Go(func() error { return sleeps(gctx) })
				task.Spawn(gctx, until(a)) // it does not count
				g.Go(func() error { return nil })
				return nil
			})
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			for _, opts := range [][]reactor.Option{nil, {debugMode(0)}} {
				var x testkit.Exceptions
				var tree string
				testkit.Run(t, func(ctx context.Context) error {
					all, end := task.NewGroup(context.WithoutCancel(ctx))
					c.have(end, func(name string, fn func(ctx context.Context) error) *task.Task[struct{}] {
						return task.Spawn(end, fn, task.Name(name))
					})
					sleepTwice(ctx)
					tree = treeNow(t, ctx)
					all.Cancel(nil)
					all.Wait()
					return nil
				}, append(opts, x.Option())...)
				wantDeadlock(t, x.Take(), tree, c.want, opts != nil)
			}
		})
	}
}

// sleepTwice lets the loop sleep twice, after some steps each time.
func sleepTwice(ctx context.Context) {
	for range 2 {
		yields(ctx, 5)
		task.Sleep(ctx, time.Millisecond)
	}
}

func wantDeadlock(t *testing.T, reports []reactor.Exception, tree, want string, debug bool) {
	t.Helper()
	if want != "" {
		want = "deadlock: " + want
	}
	if _, last, found := strings.Cut(tree, "deadlock: "); !debug && (found != (want != "") || found && "deadlock: "+last != want+"\n") {
		t.Errorf("tree\n%swant at the end %s", tree, want)
	}
	if !debug || want == "" {
		if len(reports) > 0 {
			t.Errorf("reports %v, want none", reports)
		}
		return
	}
	var d *inspect.DeadlockError
	if len(reports) != 1 || reports[0].Op != "deadlock" || !errors.As(reports[0].Err, &d) || !errors.Is(reports[0].Err, inspect.ErrDeadlock) {
		t.Fatalf("reports %v, want one, a DeadlockError", reports)
	}
	if reports[0].Name != d.Tasks[0].Name || reports[0].Site != d.Tasks[0].Spawned {
		t.Errorf("it names %q, started at %q; want %q and %q", reports[0].Name, reports[0].Site, d.Tasks[0].Name, d.Tasks[0].Spawned)
	}
	text := d.Error()
	bare := text
	for _, i := range d.Tasks {
		started := " (started at " + i.Spawned + ")"
		if !strings.Contains(started, "task/deadlock_test.go:") || strings.Count(text, i.String()+started+" awaits ") != 1 {
			t.Errorf("%s\nwant it to tell once where %v was started, in this file", text, i)
		}
		bare = strings.ReplaceAll(bare, started, "")
	}
	if bare != "task: "+want {
		t.Errorf("got %s\nwant %s", bare, want)
	}
}

func TestACycleThatComesBackIsReportedAgain(t *testing.T) {
	var x testkit.Exceptions
	testkit.Run(t, func(ctx context.Context) error {
		a, b := &late{}, &late{}
		var end context.CancelFunc
		a.t = task.Spawn(ctx, func(ctx context.Context) error {
			for range 2 {
				var bounded context.Context
				bounded, end = task.WithTimeout(ctx, time.Hour)
				until(b)(bounded)
				task.Sleep(ctx, time.Millisecond) // so the loop sleeps, and sees that there is none
			}
			return nil
		})
		b.t = task.Spawn(ctx, until(a))
		for n := range 2 {
			testkit.Eventually(t, "one more report", func() bool { return len(x.All()) > n })
			end()
		}
		_, err := b.t.Await(ctx)
		return err
	}, debugMode(0), x.Option())
	if all := x.Take(); len(all) != 2 {
		t.Errorf("reports %v, want 2", all)
	}
}

// slowClock is a clock by which all that asks for the time takes long.
type slowClock struct{ steppedClock }

func (c *slowClock) Now() time.Duration {
	c.now += time.Millisecond
	return c.now
}

// To look at many tasks takes long, and the loop goes on meanwhile.
func TestLooksThatTakeLongAreFewAndMissNoDeadlockThatLasts(t *testing.T) {
	const short = 10
	reports := 0
	lasting, found := future.New[int]()
	testkit.Run(t, func(ctx context.Context) error {
		cycle := func() *late {
			a := &late{}
			a.t = task.Spawn(ctx, func(ctx context.Context) error { return until(a.t.AsFuture())(ctx) }, task.Isolated())
			return a
		}
		for range short {
			a := cycle()
			task.Sleep(ctx, 20*time.Millisecond)
			a.t.Cancel(nil)
			a.Await(ctx)
		}
		if reports == 0 || reports > short/2 {
			t.Errorf("%d reports, want at least 1 and at most %d", reports, short/2)
		}
		reports = short
		a := cycle()
		_, err := lasting.Await(ctx) // for which nothing but the look lets the loop wake
		a.t.Cancel(nil)
		return err
	}, reactor.WithWorld(worldtest.WithTime(&slowClock{})), debugMode(0), reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
		if e.Op != "deadlock" {
			return
		}
		if reports++; reports > short {
			found.Resolve(1)
		}
	}))
}

// Others may await it, also with its context.
func TestATaskThatAwaitsItselfPanics(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		a, b := &late{}, &late{}
		var outside sync.WaitGroup
		a.t = task.Spawn(ctx, func(ctx context.Context) error {
			b.t = task.Spawn(ctx, func(context.Context) error { until(a)(ctx); return nil })
			outside.Go(func() { until(a)(ctx) })
			yields(ctx, 2)
			return until(a)(ctx)
		})
		_, err := a.t.Await(ctx)
		var p *task.PanicError
		if !errors.As(err, &p) || !strings.HasPrefix(p.Value.(string), "task: a task that awaits itself waits for ever; ") {
			t.Errorf("Await's error = %v, want a panic that says that it awaits itself", err)
		}
		outside.Wait()
		_, err = b.t.Await(ctx)
		return err
	})
}

func TestALoopWhoseTasksCanNeverWakeIsReportedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		have func(ctx context.Context, loop *reactor.Loop) (end func())
		want bool
	}{
		"nothing comes": {func(context.Context, *reactor.Loop) func() { return func() {} }, true},
		"a signal would end it": {func(_ context.Context, l *reactor.Loop) func() {
			remove, _ := reactor.NextSignal(l, func(os.Signal) {}, os.Interrupt)
			return func() { remove() }
		}, true},
		"a timer": {func(_ context.Context, l *reactor.Loop) func() {
			timer := l.CallLater(time.Hour, func() {})
			return func() { timer.Stop() }
		}, false},
		"a sleep": {func(ctx context.Context, _ *reactor.Loop) func() {
			s := task.Spawn(ctx, sleeps)
			return func() { s.Cancel(nil) }
		}, false},
		"a deadline of package context": {func(ctx context.Context, _ *reactor.Loop) func() {
			bounded, cancel := context.WithTimeout(ctx, time.Hour)
			task.Spawn(ctx, func(context.Context) error { return until(pending())(bounded) })
			return cancel
		}, false},
		"blocking work": {func(ctx context.Context, _ *reactor.Loop) func() {
			until := make(chan bool)
			task.Spawn(ctx, func(ctx context.Context) error {
				_, err := task.Blocking(ctx, func(context.Context) (bool, error) { return <-until, nil })
				return err
			})
			return func() { close(until) }
		}, false},
		"a cycle, which is reported": {func(ctx context.Context, _ *reactor.Loop) func() {
			a := &late{}
			a.t = task.Spawn(ctx, func(ctx context.Context) error { return until(a.t.AsFuture())(ctx) })
			return func() { a.t.Cancel(nil) }
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var x testkit.Exceptions
			testkit.Run(t, func(ctx context.Context) error {
				loop, _ := reactor.FromContext(ctx)
				end := c.have(ctx, loop)
				yields(ctx, 5)
				for range 3 {
					asleep(ctx, loop)
				}
				end()
				return nil
			}, debugMode(0), x.Option())
			var idle []string
			for _, e := range x.Take() {
				if e.Op == "idle" {
					idle = append(idle, e.Err.Error())
				}
			}
			if len(idle) > 1 || (len(idle) == 1) != c.want {
				t.Errorf("reports %q, want one: %v, and no more", idle, c.want)
			}
			const text = "task: the loop sleeps, and what its tasks (1) wait for only another goroutine can bring:\ntask 1 \"main\": awaits pending future; started at "
			if c.want && !strings.HasPrefix(idle[0], text) {
				t.Errorf("got %s\nwant it to begin with %s", idle[0], text)
			}
		})
	}
}

// Another goroutine may be about to end it.
func TestThatALoopIsIdleIsLoggedAsAWarning(t *testing.T) {
	var log bytes.Buffer
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		asleep(ctx, loop)
		return nil
	}, debugMode(0), reactor.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	if text := log.String(); strings.Contains(text, "level=ERROR") || !strings.Contains(text, `level=WARN msg="reactor: idle"`) {
		t.Errorf("logged %s\nwant a warning of reactor: idle, and no error", text)
	}
}

// asleep awaits what another goroutine brings when the loop sleeps.
func asleep(ctx context.Context, loop *reactor.Loop) {
	f, p := future.New[int]()
	polls := statsOf(loop).Polls
	go func() {
		for statsOf(loop).Polls < polls+2 {
		}
		p.Resolve(1)
	}()
	f.Await(ctx)
}

func TestOutsideDebugModeNothingLooks(t *testing.T) {
	var x testkit.Exceptions
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		asleep(ctx, loop)
		return nil
	}, x.Option())
	if all := x.Take(); len(all) > 0 {
		t.Errorf("reports %v, want none", all)
	}
}

// statsOf is what the loop has done.
func statsOf(loop *reactor.Loop) reactor.Stats {
	s, err := loop.Stats(context.Background())
	if err != nil {
		panic(err)
	}
	return s
}
