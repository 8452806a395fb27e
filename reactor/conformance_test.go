//go:build unix

package reactor_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"weak"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// What asyncio's loop does is listed, with the test for each item, in testdata/asyncio_reactor.txt.
// The tests here are for items that no other test is about. The numbers are those of the list.

// 195: between two batches asyncio always polls; here it is done once in 64 callbacks at least.
func TestAQueueThatNeverEndsIsInterruptedByThePoller(t *testing.T) {
	const batches, every = 640, 64
	l := testkit.NewLoop(t)
	n := 0
	var again func()
	again = func() {
		if n++; n < batches {
			l.CallSoon(again)
		} else {
			l.Stop()
		}
	}
	l.CallSoon(again)
	testkit.Check(l.Run(context.Background()))
	if s := stats(l); s.Turns < batches || s.Polls < batches/every || s.Polls > batches/every+2 {
		t.Errorf("%d turns and %d polls; want at least %d, and from %d to %d", s.Turns, s.Polls, batches, batches/every, batches/every+2)
	}
}

// 197, 203
func TestHowLongALoopMayBlock(t *testing.T) {
	const day = 24 * time.Hour
	nothing := func() {}
	tests := []struct {
		name string
		arm  func(l *reactor.Loop, clock *testkit.Clock)
		want time.Duration
	}{
		{"nothing to do", func(*reactor.Loop, *testkit.Clock) {}, -1},
		{"a callback is ready", func(l *reactor.Loop, _ *testkit.Clock) { l.CallSoon(nothing) }, 0},
		{"a flush is asked for", func(l *reactor.Loop, _ *testkit.Clock) { core(l).At(loop.BatchEnd, run(nothing)) }, 0},
		{"an end of the turn is asked for", func(l *reactor.Loop, _ *testkit.Clock) { core(l).At(loop.TurnEnd, run(nothing)) }, 0},
		{"stopping", func(l *reactor.Loop, _ *testkit.Clock) { l.CallLater(time.Hour, nothing); l.Stop() }, 0},
		{"a timer", func(l *reactor.Loop, _ *testkit.Clock) { l.CallLater(time.Hour, nothing) }, time.Hour},
		{"two timers", func(l *reactor.Loop, _ *testkit.Clock) {
			l.CallLater(time.Hour, nothing)
			l.CallLater(time.Minute, nothing)
		}, time.Minute},
		{"two timers, the first of which was stopped", func(l *reactor.Loop, _ *testkit.Clock) {
			l.CallLater(time.Hour, nothing)
			l.CallLater(time.Minute, nothing).Stop()
		}, time.Hour},
		{"a timer that is due", func(l *reactor.Loop, _ *testkit.Clock) { l.CallLater(-1, nothing) }, 0},
		{"a timer that has become due", func(l *reactor.Loop, clock *testkit.Clock) {
			l.CallLater(time.Minute, nothing)
			clock.Advance(time.Hour)
		}, 0},
		{"a timer in two days", func(l *reactor.Loop, _ *testkit.Clock) { l.CallLater(2*day, nothing) }, 2 * day},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var l *reactor.Loop
			var waited []time.Duration
			clock := &testkit.Clock{}
			l = testkit.NewLoop(t, clock.Option(), testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
				waited = append(waited, d)
				l.Stop()
				return p.Wait(into, 0)
			}))
			var remove func()
			// The last thing before the loop decides.
			remove = beforePoll(l, func() { remove(); tt.arm(l, clock) })
			testkit.Check(l.Run(context.Background()))
			if !slices.Equal(waited, []time.Duration{tt.want}) {
				t.Errorf("waited for %v, want %v", waited, tt.want)
			}
		})
	}
}

// jumpingClock is one whose time of day somebody sets.
type jumpingClock struct {
	testkit.Clock
	jump time.Duration
}

func (c *jumpingClock) Wall() time.Time        { return c.Clock.Wall().Add(c.jump) }
func (c *jumpingClock) Option() reactor.Option { return reactor.WithWorld(worldtest.WithTime(c)) }

// 201: the loop's time never goes back, and timers go by it.
func TestAJumpOfTheTimeOfDayMovesNoTimer(t *testing.T) {
	for name, jump := range map[string]time.Duration{"forward": 48 * time.Hour, "back": -48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			clock := &jumpingClock{}
			l := testkit.NewLoop(t, clock.Option())
			fired := 0
			count := func() { fired++ }
			timers := []reactor.Timer{l.CallLater(time.Hour, count), l.CallAt(clock.Wall().Add(time.Hour), count)}
			testkit.Turns(t, l, 2)
			clock.jump = jump
			testkit.Turns(t, l, 2)
			for _, timer := range timers {
				if left := timer.When().Sub(l.Now()); left != time.Hour {
					t.Errorf("%v are left, want %v", left, time.Hour)
				}
			}
			clock.Advance(time.Hour - 1)
			testkit.Turns(t, l, 2)
			if fired != 0 {
				t.Errorf("%d timers fired too early, want 0", fired)
			}
			clock.Advance(1)
			testkit.Turns(t, l, 2)
			if fired != 2 {
				t.Errorf("%d of 2 timers fired, want 2", fired)
			}
		})
	}
}

// 201
func TestNowHasAMonotonicReading(t *testing.T) {
	l := testkit.StartLoop(t)
	check := func() {
		if now := l.Now(); !strings.Contains(now.String(), " m=") {
			t.Errorf("Now() = %v, want a monotonic reading in it", now)
		}
	}
	check()
	testkit.OnLoop(t, l, check)
}

// 202, 204: a timer that was stopped, or has fired, keeps nothing alive. A heap never holds stopped
// timers, so there is nothing to sweep.
func TestATimerThatIsOverKeepsNothingAlive(t *testing.T) {
	ends := map[string]func(l *reactor.Loop, timer reactor.Timer){
		"stopped on the loop":    func(l *reactor.Loop, timer reactor.Timer) { l.CallSoon(func() { timer.Stop() }) },
		"stopped by a goroutine": func(_ *reactor.Loop, timer reactor.Timer) { timer.Stop() },
		"fired":                  func(*reactor.Loop, reactor.Timer) {},
		"dropped by Close":       func(l *reactor.Loop, _ reactor.Timer) { l.Close() },
	}
	for name, end := range ends {
		t.Run(name, func(t *testing.T) {
			const n = 200
			clock := &testkit.Clock{}
			l := testkit.NewLoop(t, clock.Option())
			held := make([]weak.Pointer[[1 << 10]byte], n)
			timers := make([]reactor.Timer, n)
			for i := range n {
				big := new([1 << 10]byte)
				held[i] = weak.Make(big)
				timers[i] = l.CallLater(time.Hour, func() { big[0]++ })
			}
			testkit.Turns(t, l, 1)
			for _, timer := range timers {
				end(l, timer)
			}
			if name == "fired" {
				clock.Advance(time.Hour)
			}
			if !isDone(l) {
				testkit.Turns(t, l, 3)
			}
			// The watchdog ends a test that waits for ever.
			for alive := n; alive > 0; runtime.GC() {
				alive = 0
				for _, p := range held {
					if p.Value() != nil {
						alive++
					}
				}
			}
			runtime.KeepAlive(timers)
		})
	}
}

// 207: calls of one goroutine keep their order. What another goroutine has called joins the queue
// when the loop next looks at its door, behind what callbacks have queued until then.
func TestACallFromAGoroutineJoinsTheQueueAtTheDoor(t *testing.T) {
	l := testkit.NewLoop(t)
	var got []string
	say := func(s string) func() { return func() { got = append(got, s) } }
	l.CallSoon(func() {
		elsewhere(func() { l.CallSoon(say("goroutine")); l.CallSoon(say("goroutine again")) })
		l.CallSoon(say("callback"))
	})
	testkit.Turns(t, l, 2)
	if want := []string{"callback", "goroutine", "goroutine again"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// 211
func TestNoExceptionHandlerMeansTheDefault(t *testing.T) {
	testkit.Guard(t)
	var log bytes.Buffer
	l := testkit.Must(reactor.New(reactor.WithExceptionHandler(nil), reactor.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))))
	defer l.Close()
	l.CallSoon(whereItPanics)
	testkit.Turns(t, l, 1)
	if !strings.Contains(log.String(), "op=callback error=") {
		t.Errorf("logged: %s, want op=callback and the error", &log)
	}
}

func TestAnExceptionHandlerIsGivenTheLoop(t *testing.T) {
	var got *reactor.Loop
	var e reactor.Exception
	l := testkit.NewLoop(t, reactor.WithExceptionHandler(func(l *reactor.Loop, x reactor.Exception) { got, e = l, x }))
	l.CallSoon(whereItPanics)
	testkit.Turns(t, l, 1)
	if got != l || e.Op != "callback" || !errors.Is(e.Err, errMine) {
		t.Errorf("got %p and %v, want %p and a callback's %v", got, e, l, errMine)
	}
}

// 214
func TestEventsOfTheTurnThatStopsAreDeliveredOnce(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		calls := map[string]int{}
		for _, name := range []string{"one", "two"} {
			a, b := pair(t)
			b.write("x")
			testkit.Must(attach(l, a.fd, handler(func(e loop.Events) {
				if e&loop.Readable != 0 {
					calls[name]++
					l.Stop()
				}
			})))
		}
		for range 3 {
			testkit.Check(l.Run(context.Background()))
			if calls["one"] != 1 || calls["two"] != 1 {
				t.Errorf("calls: %v, want one of each", calls)
			}
			l.Stop() // the next run must not block
		}
	})
}

// 219
func TestCloseRunsWhatIsReadyAndDropsWhatIsNotDue(t *testing.T) {
	l := testkit.NewLoop(t)
	ready, later := 0, 0
	l.CallSoon(func() { ready++; l.CallSoon(func() { ready += 100 }) }) // Close has begun: refused
	elsewhere(func() { l.CallSoon(func() { ready++ }) })
	l.CallLater(time.Hour, func() { later++ })
	testkit.Check(l.Close())
	if ready != 2 || later != 0 {
		t.Errorf("%d ready and %d later; want 2 and 0", ready, later)
	}
}

// 233: a descriptor has one owner on a loop.
func TestADescriptorIsWatchedByOneOwner(t *testing.T) {
	eachPoller(t, func(t *testing.T, l *reactor.Loop) {
		a, b := pair(t)
		source := testkit.Must(attach(l, a.fd, handler(func(loop.Events) {})))
		testkit.Check(l.AddReader(b.fd, func() {}))
		_, attach := attach(l, b.fd, handler(func(loop.Events) {}))
		for name, err := range map[string]error{
			"AddReader after Attach": l.AddReader(a.fd, func() { t.Error("the refused reader was called, want no call") }),
			"AddWriter after Attach": l.AddWriter(a.fd, func() { t.Error("the refused writer was called, want no call") }),
			"Attach after AddReader": attach,
		} {
			if !errors.Is(err, unix.EEXIST) {
				t.Errorf("%s: %v, want %v", name, err, unix.EEXIST)
			}
		}
		if l.RemoveReader(a.fd) || l.RemoveWriter(a.fd) {
			t.Error("a descriptor that was refused has a reader or a writer, want none")
		}
		testkit.Turns(t, l, 2)
		testkit.Check(source.Detach())
		testkit.Check(l.AddReader(a.fd, func() {}))
	})
}
