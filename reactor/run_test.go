//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestStopBeforeRunMakesOneTurn(t *testing.T) {
	var waited []time.Duration
	l := testkit.NewLoop(t, testkit.NoWaiting(&waited))
	first, second := 0, 0
	l.CallSoon(func() {
		first++
		l.CallSoon(func() { second++ })
	})
	l.Stop()
	if err := l.Run(context.Background()); err != nil {
		t.Errorf("Run: %v, want nil", err)
	}
	if first != 1 || second != 0 {
		t.Errorf("the first batch ran %d times, the next one %d; want 1 and 0", first, second)
	}
	l.Stop()
	l.Run(context.Background())
	if second != 1 {
		t.Errorf("what was queued ran %d times in the next Run, want once", second)
	}
	if !slices.Equal(waited, []time.Duration{0}) { // the first has left work
		t.Errorf("it waited for %v, want %v", waited, []time.Duration{0})
	}
}

func TestStopInACallbackLetsTheBatchEnd(t *testing.T) {
	l := testkit.NewLoop(t)
	ran := 0
	l.CallSoon(l.Stop)
	for range 3 {
		l.CallSoon(func() { ran++ })
	}
	if err := l.Run(context.Background()); err != nil || ran != 3 {
		t.Errorf("Run: %v, %d ran; want nil and 3", err, ran)
	}
}

func TestStopFromAGoroutineWakesTheLoop(t *testing.T) {
	l := testkit.NewLoop(t)
	for range 200 {
		go l.Stop()
		if err := l.Run(context.Background()); err != nil {
			t.Errorf("Run: %v, want nil", err)
		}
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	cancelled := func(cause error) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(context.Background())
		return ctx, func() { cancel(cause) }
	}
	timeout := func() (context.Context, func()) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		t.Cleanup(cancel)
		return ctx, func() {}
	}
	tests := []struct {
		name string
		ctx  func() (context.Context, func())
		is   []error
	}{
		{"cancel", func() (context.Context, func()) { return cancelled(nil) }, []error{context.Canceled}},
		{"cause", func() (context.Context, func()) { return cancelled(errMine) }, []error{errMine, context.Canceled}},
		{"deadline", timeout, []error{context.DeadlineExceeded}},
	}
	for _, tt := range tests {
		for _, when := range []string{"before", "during", "beside"} {
			t.Run(tt.name+" "+when, func(t *testing.T) {
				l := testkit.NewLoop(t)
				ctx, end := tt.ctx()
				switch when {
				case "before":
					end()
				case "during":
					l.CallSoon(end)
				default:
					go end()
				}
				err := l.Run(ctx)
				for _, is := range tt.is {
					if !errors.Is(err, is) {
						t.Errorf("Run: %v, want %v", err, is)
					}
				}
			})
		}
	}
}

// The end of a context that comes while Run returns for another reason must not stop the next Run.
func TestALateContextDoesNotStopTheNextRun(t *testing.T) {
	l := testkit.NewLoop(t)
	for range 300 {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		l.Stop()
		l.Run(ctx)
		reached := false
		l.CallSoon(func() { l.CallSoon(func() { reached = true; l.Stop() }) })
		l.Run(context.Background())
		if !reached {
			t.Fatal("the next Run made one turn only, want it to go on until Stop")
		}
		cancel()
	}
}

func TestRunPanicsWhereItCannotRun(t *testing.T) {
	inside := "reactor: a loop cannot run inside a loop; await what you need, or give the other loop a goroutine with Start"
	l, other := testkit.NewLoop(t), testkit.NewLoop(t)
	try := func(want string, loops ...*reactor.Loop) {
		for _, k := range loops {
			testkit.Panics(t, want, func() { k.Run(context.Background()) })
			testkit.Panics(t, want, func() { k.Turn(0) })
		}
	}
	l.CallSoon(func() {
		try(inside, l, other)
		var over sync.WaitGroup
		over.Go(func() { try(runningAlready, l) })
		over.Wait()
		testkit.Panics(t, runningAlready, func() { l.Start() })
	})
	start(l, func() { try(inside, l, other) })
	testkit.Turns(t, l, 2)
	testkit.Turns(t, other, 1) // a refused Run has not left it running
}

func TestALoopRunsAgainAndElsewhere(t *testing.T) {
	l := testkit.NewLoop(t)
	n := 0
	count := func() { n++ }
	l.CallSoon(count)
	testkit.Turns(t, l, 1)
	testkit.Check(l.Start())
	testkit.OnLoop(t, l, count)
	testkit.OnLoop(t, l, func() { l.CallSoon(l.Stop) })
	for { // Start's goroutine gives the loop up a little later
		if v := testkit.PanicOf(func() { testkit.Check(l.Turn(0)) }); v == nil {
			break
		} else if v != runningAlready {
			t.Fatalf("panic %v, want %v or none", v, runningAlready)
		}
		runtime.Gosched()
	}
	l.CallSoon(count)
	l.Stop()
	l.Run(context.Background())
	if n != 3 {
		t.Errorf("%d ran, want 3", n)
	}
}

func TestTurnWaitsAtMostItsTimeout(t *testing.T) {
	for _, limit := range []time.Duration{-1, 0, 5 * time.Millisecond, time.Hour} {
		var waited []time.Duration
		l := testkit.NewLoop(t, testkit.NoWaiting(&waited))
		testkit.Check(l.Turn(limit))
		if got := waited[len(waited)-1]; got != limit {
			t.Errorf("Turn(%v) waited for %v, want its limit", limit, got)
		}
		l.CallLater(time.Minute, func() {})
		testkit.Check(l.Turn(0))
		testkit.Check(l.Turn(limit))
		got, want := waited[len(waited)-1], limit
		if limit < 0 || limit > time.Minute {
			want = time.Minute
		}
		if got > want || got < want-time.Second {
			t.Errorf("with a timer, Turn(%v) waited for %v, want %v", limit, got, want)
		}
		l.CallSoon(func() {})
		testkit.Check(l.Turn(limit))
		if got := waited[len(waited)-1]; got != 0 {
			t.Errorf("with work, Turn(%v) waited for %v; want 0", limit, got)
		}
	}
}

func TestWhatTheLastTurnWroteIsFlushed(t *testing.T) {
	l := testkit.NewLoop(t)
	flushed := 0
	flush := run(func() { flushed++ })
	a, b := pair(t)
	testkit.Check(l.AddReader(a.fd, func() {
		a.read(10)
		core(l).At(loop.BatchEnd, flush)
		l.Stop()
	}))
	b.write("x")
	l.Run(context.Background())
	if flushed != 1 {
		t.Errorf("Run returned after %d flushes, want 1", flushed)
	}
	b.write("x")
	testkit.Turns(t, l, 1)
	if flushed != 2 {
		t.Errorf("Turn returned after %d flushes, want 2", flushed)
	}
	l.RemoveReader(a.fd)
}

func TestFlushesEndsAndHooksHaveTheirPlaceInTheTurn(t *testing.T) {
	l := testkit.NewLoop(t)
	var got []string
	say := func(s string) func() { return func() { got = append(got, s) } }
	a, b := pair(t)
	b.write("x")
	testkit.Check(l.AddReader(a.fd, func() { got = append(got, "reader"); a.read(1) }))
	l.CallLater(0, say("timer"))
	testkit.Turns(t, l, 1) // the timer comes in
	got = nil
	b.write("x")
	l.CallSoon(func() {
		got = append(got, "callback")
		core(l).At(loop.TurnEnd, run(say("end")))
		core(l).At(loop.BatchEnd, run(say("flush")))
		l.CallSoon(say("next callback"))
		beforePoll(l, say("hook"))
	})
	l.CallSoon(say("callback"))
	testkit.Turns(t, l, 2)
	want := "timer callback callback flush hook reader end next callback hook"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
	l.RemoveReader(a.fd)
}

func TestALongBatchFlushesEarly(t *testing.T) {
	clock := &testkit.Clock{}
	tests := []struct {
		name  string
		takes time.Duration // each callback
		after int           // callbacks before the first flush, at most
	}{
		{"many items", 0, 64},
		{"slow items", 200 * time.Microsecond, 16},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := testkit.NewLoop(t, clock.Option())
			ran, flushedAt := 0, 0
			for range 200 {
				l.CallSoon(func() {
					if ran++; ran == 1 {
						core(l).At(loop.BatchEnd, run(func() { flushedAt = ran }))
					}
					clock.Advance(tt.takes)
				})
			}
			testkit.Turns(t, l, 1)
			if flushedAt == 0 || flushedAt > tt.after {
				t.Errorf("flushed after %d callbacks, want at most %d", flushedAt, tt.after)
			}
		})
	}
}

func TestAFlushThatAsksAgainDoesNotHoldTheLoop(t *testing.T) {
	l := testkit.NewLoop(t)
	for name, m := range map[string]loop.Moment{"flush": loop.BatchEnd, "end": loop.TurnEnd} {
		again := func(r loop.Runnable) { core(l).At(m, r) }
		n := 0
		var r run
		r = func() {
			if n++; n < 10 {
				again(r)
			}
		}
		l.CallSoon(func() { again(r) })
		for range 12 {
			testkit.Check(l.Turn(-1)) // must not block before the tenth
			l.CallSoon(func() {})
		}
		if testkit.Turns(t, l, 1); n != 10 {
			t.Errorf("%s: ran %d times, want 10", name, n)
		}
	}
}

func TestHooks(t *testing.T) {
	l := testkit.NewLoop(t)
	var got []string
	var removeB func()
	beforePoll(l, func() {
		got = append(got, "a")
		if len(got) == 1 {
			beforePoll(l, func() { got = append(got, "c") })
		}
	})
	removeB = beforePoll(l, func() { got = append(got, "b"); removeB() })
	testkit.Turns(t, l, 3)
	if s := strings.Join(got, ""); s != "abcacac" {
		t.Errorf("got %s, want %s", s, "abcacac")
	}
}

func TestAPollThatFailsIsReported(t *testing.T) {
	var x testkit.Exceptions
	broken := true
	l := testkit.NewLoop(t, x.Option(), testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		if broken {
			return 0, errMine
		}
		return p.Wait(into, d)
	}))
	testkit.Turns(t, l, 1)
	broken = false
	if len(x.All()) != 1 || x.All()[0].Op != "poll" || x.All()[0].Err != errMine {
		t.Errorf("reported: %v, want one of op poll, %v", x.All(), errMine)
	}
}

func TestNewFails(t *testing.T) {
	testkit.Guard(t)
	for _, kind := range []reactor.PollerKind{reactor.Kqueue, 77} {
		if l, err := reactor.New(reactor.WithPoller(kind)); l != nil || !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%v: %v, %v; want nil and %v", kind, l, err, errors.ErrUnsupported)
		}
	}
	testkit.Panics(t, "reactor: WithWorkers(0)…", func() { reactor.WithWorkers(0) })
}

// A callback that queues itself again never lets the ready queue become empty. Timers, descriptors
// and other goroutines still get their turn.
func TestABusyLoopStarvesNobody(t *testing.T) {
	for name, busy := range map[string]func(t *testing.T, l *reactor.Loop, stop *atomic.Bool){
		"callback": func(t *testing.T, l *reactor.Loop, stop *atomic.Bool) {
			var again func()
			again = func() {
				if !stop.Load() {
					l.CallSoon(again)
				}
			}
			l.CallSoon(again)
		},
		"task": func(t *testing.T, l *reactor.Loop, stop *atomic.Bool) {
			start(l, func() {
				for !stop.Load() {
					core(l).Coroutines().Running().Yield()
				}
			})
		},
		"timer": func(t *testing.T, l *reactor.Loop, stop *atomic.Bool) {
			var again func()
			again = func() {
				if !stop.Load() {
					l.CallLater(0, again)
				}
			}
			again()
		},
		"reader": func(t *testing.T, l *reactor.Loop, stop *atomic.Bool) {
			a, b := pair(t)
			b.write("never read")
			l.AddReader(a.fd, func() {
				if stop.Load() {
					l.RemoveReader(a.fd)
				}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := testkit.StartLoop(t)
			var stop atomic.Bool
			busy(t, l, &stop)
			a, b := pair(t)
			for range 20 {
				io, timer := make(chan struct{}), make(chan struct{})
				testkit.Check(l.AddReader(a.fd, func() { a.read(1); l.RemoveReader(a.fd); close(io) }))
				l.CallLater(time.Microsecond, func() { close(timer) })
				b.write("x")
				<-io
				<-timer
				testkit.OnLoop(t, l, func() {})
			}
			stop.Store(true)
			l.Close() // before the descriptors
		})
	}
}
