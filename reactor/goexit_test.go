//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// Where a callback, here fn, may be called from.
var places = []struct {
	name string
	arm  func(l *reactor.Loop, fn func())
}{
	{"callback", func(l *reactor.Loop, fn func()) { core(l).Post(run(fn)) }},
	{"timer", func(l *reactor.Loop, fn func()) { l.CallLater(0, fn) }},
	{"flush", func(l *reactor.Loop, fn func()) { core(l).At(loop.BatchEnd, run(fn)) }},
	{"end of turn", func(l *reactor.Loop, fn func()) { core(l).At(loop.TurnEnd, run(fn)) }},
	{"hook", func(l *reactor.Loop, fn func()) {
		var remove func()
		remove = beforePoll(l, func() { remove(); fn() })
	}},
	{"exception handler", func(l *reactor.Loop, fn func()) { core(l).Post(run(func() { panic(fn) })) }},
}

// handling calls the functions that were panicked with.
var handling = reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
	var p *reactor.PanicError
	if errors.As(e.Err, &p) {
		p.Value.(func())()
	}
})

func TestGoexitInACallbackOfAStartedLoopLosesNothing(t *testing.T) {
	for _, place := range places {
		t.Run(place.name, func(t *testing.T) {
			l := testkit.NewLoop(t, handling)
			var got []int
			l.CallSoon(func() {
				for i := range 10 {
					place.arm(l, func() {
						got = append(got, i)
						for range 3 { // what the batch adds must not overwrite it
							l.CallSoon(func() { got = append(got, i) })
						}
						if i%3 == 0 {
							runtime.Goexit()
						}
					})
				}
			})
			testkit.Check(l.Start())
			for n := 0; n < 40; {
				testkit.OnLoop(t, l, func() { n = len(got) })
			}
			l.Close()
			slices.Sort(got)
			for i := range 10 {
				if n := count(got, i); n != 4 {
					t.Errorf("number %d: %d calls of 4, want 4", i, n)
				}
			}
			if len(got) != 40 {
				t.Errorf("%d calls, want 40", len(got))
			}
		})
	}
}

func count(s []int, v int) (n int) {
	for _, x := range s {
		if x == v {
			n++
		}
	}
	return n
}

func TestGoexitKeepsTheOrderOfTheQueue(t *testing.T) {
	l := testkit.NewLoop(t)
	var got, want []int
	for i := range 200 {
		want = append(want, i)
		l.CallSoon(func() {
			got = append(got, i)
			l.CallSoon(func() { got = append(got, 200+i) })
			if i%7 == 0 || i == 199 { // the last of the batch, too
				runtime.Goexit()
			}
		})
	}
	for i := range 200 {
		want = append(want, 200+i)
	}
	testkit.Check(l.Start())
	testkit.OnLoop(t, l, func() { l.CallSoon(func() {}) })
	testkit.OnLoop(t, l, func() {
		if !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestGoexitInAReaderLosesNoEvent(t *testing.T) {
	l := testkit.NewLoop(t)
	const n = 8
	got := make(chan int, n)
	for i := range n {
		a, b := pair(t)
		// Edge-triggered: an event that is lost does not come again.
		testkit.Must(attach(l, a.fd, handler(func(e loop.Events) {
			if e&loop.Readable != 0 && a.read(1) != "" {
				got <- i
				runtime.Goexit()
			}
		})))
		b.write("x")
	}
	testkit.Check(l.Start())
	seen := map[int]bool{}
	for range n {
		seen[<-got] = true
	}
	if len(seen) != n {
		t.Errorf("%d descriptors were read, want %d", len(seen), n)
	}
	l.Close() // before the descriptors
}

func TestGoexitUnderRunUnwindsClosesAndEndsTheCaller(t *testing.T) {
	runs := map[string]func(l *reactor.Loop){
		"Run":  func(l *reactor.Loop) { l.Run(context.Background()) },
		"Turn": func(l *reactor.Loop) { l.Turn(0); l.Turn(0); l.Turn(0) },
		"Close": func(l *reactor.Loop) {
			l.Close()
		},
		"Run on a locked thread": func(l *reactor.Loop) {
			runtime.LockOSThread()
			l.Run(context.Background())
		},
	}
	arms := append(places[:len(places):len(places)], struct {
		name string
		arm  func(l *reactor.Loop, fn func())
	}{"task", func(l *reactor.Loop, fn func()) { start(l, fn) }})
	for name, runIt := range runs {
		for _, place := range arms {
			if place.name == "timer" && name == "Close" {
				continue // which drops timers
			}
			t.Run(fmt.Sprint(place.name, " under ", name), func(t *testing.T) {
				l := testkit.NewLoop(t, handling)
				rest, unwound, hook := false, false, false
				l.AtClose(func() { hook = true })
				l.CallSoon(func() {
					start(l, func() { await(l.Context()); unwound = true })
					place.arm(l, runtime.Goexit)
					core(l).Post(run(func() { rest = true }))
				})
				if !goexited(func() { runIt(l) }) {
					t.Error("the caller goes on, want it ended by Goexit")
				}
				if !isDone(l) || !rest || !unwound || !hook {
					t.Errorf("closed: %v, the rest ran: %v, the task unwound: %v, AtClose: %v; want true of all", isDone(l), rest, unwound, hook)
				}
				if coro.CurrentPool() != nil {
					t.Error("the goroutine is still a loop's, want it released")
				}
			})
		}
	}
}

// However often what unwinds calls Goexit, the loop is closed.
func TestGoexitWhileClosing(t *testing.T) {
	closed := 0
	arm := func(l *reactor.Loop) {
		for range 3 {
			start(l, func() { await(l.Context()); runtime.Goexit() })
			start(l, func() { await(l.Context()); core(l).Post(run(runtime.Goexit)) })
			l.AtClose(runtime.Goexit)
		}
		core(l).Local(1, func() any { return closer(func() error { runtime.Goexit(); return nil }) })
		core(l).Local(2, func() any { return closer(func() error { closed++; return nil }) })
		core(l).Local(3, func() any { return closer(func() error { runtime.Goexit(); return nil }) })
		l.AtClose(func() { l.CallLater(0, runtime.Goexit) })
		release := testkit.Must(core(l).Hold("test"))
		l.AtClose(func() { go release() })
	}
	closers := map[string]func(t *testing.T, l *reactor.Loop){
		"started": func(t *testing.T, l *reactor.Loop) {
			testkit.Check(l.Start())
			testkit.OnLoop(t, l, func() {})
			testkit.OnLoop(t, l, func() {})
			testkit.Check(l.Close())
		},
		"run": func(t *testing.T, l *reactor.Loop) {
			l.CallLater(time.Millisecond, func() { l.Close() })
			if !goexited(func() { l.Run(context.Background()) }) {
				t.Error("the caller goes on, want it ended by Goexit")
			}
		},
		"alone": func(t *testing.T, l *reactor.Loop) {
			testkit.Turns(t, l, 2)
			if !goexited(func() { l.Close() }) {
				t.Error("the caller goes on, want it ended by Goexit")
			}
		},
	}
	for name, close := range closers {
		t.Run(name, func(t *testing.T) {
			l := testkit.NewLoop(t)
			closed = 0
			arm(l)
			close(t, l)
			if !isDone(l) || closed != 1 {
				t.Errorf("the loop is closed: %v, a local %d times; want true, once", isDone(l), closed)
			}
		})
	}
}

func TestGoexitInATaskOfAStartedLoopEndsTheTaskOnly(t *testing.T) {
	l := testkit.StartLoop(t)
	var jobs []*job
	for range 100 {
		jobs = append(jobs, start(l, func() {
			core(l).Coroutines().Running().Yield()
			runtime.Goexit()
		}))
	}
	goexits := 0
	testkit.OnLoop(t, l, func() {})
	testkit.OnLoop(t, l, func() {
		for _, j := range jobs {
			if j.err == coro.ErrGoexit {
				goexits++
			}
		}
	})
	if goexits != len(jobs) {
		t.Errorf("%d tasks ended by Goexit, want %d", goexits, len(jobs))
	}
}

func TestGoexitInACallbackKeepsTheLoopsTasks(t *testing.T) {
	l := testkit.StartLoop(t)
	var c *coro.Coro
	steps := make(chan bool, 10)
	testkit.OnLoop(t, l, func() {
		start(l, func() {
			c = core(l).Coroutines().Running()
			for range 4 {
				c.Suspend()
				steps <- l.InLoop()
			}
		})
	})
	for range 4 {
		testkit.OnLoop(t, l, func() { l.CallSoon(runtime.Goexit) })
		testkit.OnLoop(t, l, func() { core(l).Post(c) })
		if !<-steps {
			t.Error("the task goes on outside its loop, want it inside")
		}
	}
}

// FailNow in a task or a callback is why the rules above are what they are.
func TestTestsMayFailInALoop(t *testing.T) {
	for _, where := range []string{"callback", "task"} {
		t.Run(where, func(t *testing.T) {
			l := testkit.NewLoop(t)
			fake := &testing.T{}
			var over sync.WaitGroup
			over.Go(func() {
				if where == "task" {
					start(l, fake.FailNow)
				} else {
					l.CallSoon(fake.FailNow)
				}
				l.Run(context.Background())
				t.Error("the test goes on after FailNow, want its goroutine ended")
			})
			over.Wait()
			if !fake.Failed() {
				t.Error("Failed() = false after FailNow, want true")
			}
		})
	}
}
