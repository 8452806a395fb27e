package coro_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/gid"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestJobsTakeTurns(t *testing.T) {
	l := newLoop(t)
	var got []string
	for _, name := range []string{"a", "b", "c"} {
		l.start(func() {
			for i := range 3 {
				got = append(got, fmt.Sprint(name, i))
				l.pool.Running().Yield()
			}
		})
	}
	l.settle()
	want := strings.Fields("a0 b0 c0 a1 b1 c1 a2 b2 c2")
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestACoroutineIsReusedWithItsGoroutine(t *testing.T) {
	l := newLoop(t)
	var coros []*coro.Coro
	var ids []gid.ID
	for range 3 {
		l.start(func() {
			coros = append(coros, coro.Current())
			ids = append(ids, gid.Self())
			l.pool.Running().Yield()
		})
		l.settle()
	}
	if coros[0] != coros[1] || coros[1] != coros[2] {
		t.Errorf("the jobs ran on the coroutines %p, %p and %p, want one for all", coros[0], coros[1], coros[2])
	}
	if ids[0] != ids[1] || ids[1] != ids[2] || ids[0] != coros[0].ID() {
		t.Errorf("the goroutines are %v, want %d for all", ids, coros[0].ID())
	}
}

func TestTheMostRecentCoroutineIsReusedFirst(t *testing.T) {
	l := newLoop(t)
	order := []int{1, 0, 2}
	coros := make([]*coro.Coro, 3)
	stop := make([]bool, 3)
	for i := range 3 {
		l.start(func() {
			coros[i] = coro.Current()
			for !stop[i] {
				coros[i].Suspend()
			}
		})
	}
	for _, i := range order {
		stop[i] = true
		coros[i].Run()
	}
	for k := len(order) - 1; k >= 0; k-- {
		var c *coro.Coro
		l.start(func() { c = coro.Current(); c.Suspend() })
		if c != coros[order[k]] {
			t.Errorf("start %d took another coroutine than the most recent, want that one", 3-k)
		}
		defer c.Run()
	}
}

func TestThePoolIsBounded(t *testing.T) {
	tests := []struct{ live, idle int }{
		{1, 1}, {64, 64}, {65, 64}, {256, 64}, {400, 100}, {2000, 500},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.live), func(t *testing.T) {
			l := newLoop(t)
			for range tt.live {
				l.start(func() { l.pool.Running().Yield() })
			}
			l.settle()
			if n := l.pool.Idle(); n > tt.idle || n < min(tt.live, 64) {
				t.Errorf("%d idle after %d jobs at once, want %d", n, tt.live, tt.idle)
			}
			if n := coro.Registered(); n != l.pool.Idle()+1 {
				t.Errorf("%d goroutines registered, %d idle; want %d", n, l.pool.Idle(), l.pool.Idle()+1)
			}
		})
	}
}

func TestThePoolIsTrimmedOverTime(t *testing.T) {
	l := newLoop(t)
	for range 4000 {
		l.start(func() { l.pool.Running().Yield() })
	}
	l.settle()
	before := l.pool.Idle()
	for range 20 * 1024 {
		l.start(func() {})
	}
	if n := l.pool.Idle(); before <= 64 || before > 1000 || n != 64 {
		t.Errorf("%d idle after a burst, %d after a quiet time; want more than 64, at most 1000, and then 64", before, n)
	}
}

func TestDrainEndsIdleCoroutinesOnly(t *testing.T) {
	l := newLoop(t)
	var suspended *coro.Coro
	j := l.start(func() { suspended = coro.Current(); suspended.Suspend() })
	for range 10 {
		l.start(func() { l.pool.Running().Yield() })
	}
	l.settle()
	l.pool.Drain()
	if n := coro.Registered(); n != 2 { // the loop and the suspended one
		t.Errorf("%d goroutines registered, want 2", n)
	}
	suspended.Run()
	if !j.ended {
		t.Error("the suspended job has not ended after Drain, want it to go on")
	}
	l.start(func() {}) // the pool still works
}

func TestAPanicReachesFailedWithItsOwnStack(t *testing.T) {
	sentinel := errors.New("sentinel")
	tests := []struct {
		name  string
		value any
		is    error
	}{
		{"a string", "boom", nil},
		{"an error", sentinel, sentinel},
		{"nil", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLoop(t)
			j := l.start(func() {
				l.pool.Running().Yield() // the stack must be right after a switch, too
				whereItPanics(tt.value)
			})
			l.settle()
			var p *coro.PanicError
			if !errors.As(j.failed, &p) {
				t.Fatalf("Failed got %v, want a *coro.PanicError", j.failed)
			}
			if tt.value != nil && p.Value != tt.value {
				t.Errorf("the value is %v, want %v", p.Value, tt.value)
			}
			if tt.is != nil && !errors.Is(j.failed, tt.is) {
				t.Errorf("errors.Is(%v, %v) = false, want true", j.failed, tt.is)
			}
			if !strings.Contains(string(p.Stack), "whereItPanics") || !strings.Contains(p.Error(), "whereItPanics") {
				t.Errorf("the stack is another's, want whereItPanics in it:\n%s", p.Stack)
			}
			if l.pool.Idle() != 1 {
				t.Errorf("%d idle coroutines, want 1: it is kept", l.pool.Idle())
			}
		})
	}
}

//go:noinline
func whereItPanics(v any) { panic(v) }

func TestFailedMaySuspend(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic(1) }, "goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			steps := 0
			j := &job{do: end, onFail: func(error) {
				for range 3 {
					l.pool.Running().Yield()
					steps++
				}
			}}
			l.pool.Take(j).Run()
			l.settle()
			if steps != 3 || l.pool.Live() != 0 {
				t.Errorf("%d steps, %d live; want 3 and 0", steps, l.pool.Live())
			}
		})
	}
}

func TestGoexitEndsTheJobNotTheLoop(t *testing.T) {
	for _, when := range []string{"at once", "after a switch"} {
		t.Run(when, func(t *testing.T) {
			l := newLoop(t)
			deferred := false
			j := l.start(func() {
				defer func() { deferred = true }()
				if when != "at once" {
					l.pool.Running().Yield()
				}
				runtime.Goexit()
			})
			l.settle()
			if j.failed != coro.ErrGoexit || !deferred || l.goexits != 1 {
				t.Errorf("failed %v, deferred calls ran %v, told %d times; want %v, true, 1", j.failed, deferred, l.goexits, coro.ErrGoexit)
			}
			if l.pool.Idle() != 0 || l.pool.Live() != 0 {
				t.Errorf("%d idle, %d live; want 0 and 0", l.pool.Idle(), l.pool.Live())
			}
			l.pool.Reap()
			l.pool.WaitReaped()
			if n := coro.Registered(); n != 1 {
				t.Errorf("%d goroutines registered, want 1", n)
			}
			l.start(func() {})
		})
	}
}

func TestBuryGoesOnWithTheGoexitInItsCaller(t *testing.T) {
	testkit.Watch(t)
	survived := 0
	var over sync.WaitGroup
	over.Go(func() {
		l := &loop{t: t, mail: make(chan struct{}, 1)}
		l.pool.Init(l, l, nil, func() {})
		runtime.LockOSThread() // the coroutines can be ended on this thread only
		defer l.pool.Enter()()
		for range 5 {
			l.start(runtime.Goexit)
		}
		defer l.pool.Bury()
		l.pool.Bury()
		survived++
	})
	over.Wait()
	if survived != 0 {
		t.Errorf("Bury returned %d times, want that it never does", survived)
	}
	if n := coro.Registered(); n != 0 {
		t.Errorf("%d goroutines are left in the registry, want 0", n)
	}
}

func TestEnterInsideALoopPanics(t *testing.T) {
	l := newLoop(t)
	var other coro.Pool
	try := func() {
		for name, f := range map[string]func(){
			"the same": func() { l.pool.Enter() }, "another": func() { other.Enter() }, "MustNotNest": coro.MustNotNest,
		} {
			if v, _ := testkit.PanicOf(f).(string); !strings.HasPrefix(v, "reactor: a loop cannot run inside a loop;") {
				t.Errorf("%s: panic %q, want one that says that a loop cannot run inside a loop", name, v)
			}
		}
	}
	try()
	l.start(try)
}

// A goroutine gets the descriptor of the one that ended last, so a registration that outlived its
// goroutine would be found by a stranger.
func TestAReusedGoroutineIsNotTakenForACoroutine(t *testing.T) {
	testkit.Watch(t)
	ends := map[string]func(l *loop){
		"drained": func(l *loop) { l.pool.Drain() },
		"reaped":  func(l *loop) { l.pool.Reap(); l.pool.WaitReaped() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			reused := 0
			for range 1000 {
				l := &loop{t: t, mail: make(chan struct{}, 1)}
				l.pool.Init(l, l, nil, func() {})
				leave := l.pool.Enter()
				var id gid.ID
				l.start(func() {
					id = gid.Self()
					if name == "reaped" {
						runtime.Goexit()
					}
				})
				end(l)
				var over sync.WaitGroup
				over.Go(func() {
					if gid.Self() == id {
						reused++
					}
					if coro.Current() != nil || coro.CurrentPool() != nil || l.pool.Inside() {
						t.Error("a plain goroutine is taken for a coroutine, want it known as none")
					}
				})
				over.Wait()
				leave()
				if l.pool.Inside() || coro.CurrentPool() != nil {
					t.Fatal("the test's goroutine is taken for a loop's after leave, want it known as none")
				}
			}
			if reused == 0 {
				t.Skip("no descriptor was reused")
			}
		})
	}
}

func TestWhoIsInside(t *testing.T) {
	l := newLoop(t)
	ask := func() []any { return []any{l.pool.Inside(), coro.CurrentPool() == &l.pool, coro.Current()} }
	check := func(where string, got []any, inside bool, c *coro.Coro) {
		t.Helper()
		if want := []any{inside, inside, c}; !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", where, got, want)
		}
	}
	var c *coro.Coro
	l.start(func() {
		c = l.pool.Running()
		check("in a coroutine", ask(), true, c)
		var over sync.WaitGroup
		over.Go(func() { check("beside a coroutine", ask(), false, nil) })
		over.Wait()
		c.Suspend()
	})
	check("in a callback", ask(), true, nil)
	var over sync.WaitGroup
	over.Go(func() { check("in a goroutine", ask(), false, nil) })
	over.Wait()
	c.Run()
}
