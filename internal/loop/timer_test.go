//go:build unix || windows

package loop_test

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

func TestTimersFireInOrderOfTimeAndThenOfMaking(t *testing.T) {
	clock := &testkit.Clock{}
	l := testkit.NewLoop(t, clock.Option())
	var got []string
	add := func(d time.Duration, name string) { l.CallLater(d, func() { got = append(got, name) }) }
	for i, d := range []time.Duration{3, 1, 2, 1, 3, 0, -5, 2} {
		add(d*time.Millisecond, fmt.Sprint(max(d, 0), "#", i))
	}
	testkit.Turns(t, l, 1) // they come in, and are looked at in the next turn
	for range 4 {
		testkit.Turns(t, l, 1)
		clock.Advance(time.Millisecond)
	}
	want := []string{"0s#5", "0s#6", "1ns#1", "1ns#3", "2ns#2", "2ns#7", "3ns#0", "3ns#4"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestATimerMadeInATimerWaitsATurn(t *testing.T) {
	l := testkit.NewLoop(t)
	n := 0
	var again func()
	again = func() {
		n++
		l.CallLater(-time.Second, again)
	}
	l.CallLater(0, again)
	testkit.Turns(t, l, 1)
	for i := range 50 {
		if n != i {
			t.Fatalf("%d calls after %d turns, want one a turn", n, i)
		}
		testkit.Turns(t, l, 1)
	}
}

func TestATimerNeverFiresInTheTurnThatMakesIt(t *testing.T) {
	clock := &testkit.Clock{}
	l := testkit.NewLoop(t, clock.Option())
	fired := false
	l.CallSoon(func() { l.CallLater(0, func() { fired = true }) })
	testkit.Turns(t, l, 1)
	if fired {
		t.Error("a timer of 0 fired in the turn that made it, want it in the next")
	}
	testkit.Turns(t, l, 1)
	if !fired {
		t.Error("a timer of 0 has not fired in the next turn, want it fired")
	}
}

func TestTimersDoNotFireEarly(t *testing.T) {
	l := testkit.StartLoop(t)
	const d = 3 * time.Millisecond
	done := make(chan time.Duration)
	for range 5 {
		start := time.Now()
		l.CallLater(d, func() { done <- time.Since(start) })
		if took := <-done; took < d {
			t.Errorf("it fired after %v, want at least %v", took, d)
		}
	}
}

func TestCallAt(t *testing.T) {
	clock := testkit.ClockAt(time.Hour)
	l := testkit.NewLoop(t, clock.Option())
	at := clock.Wall().Add(time.Second)
	fired, past := 0, 0
	timer := l.CallAt(at, func() { fired++ })
	l.CallAt(at.Add(-time.Minute), func() { past++ })
	if !timer.When().Equal(at) {
		t.Errorf("When is %v, want %v", timer.When(), at)
	}
	testkit.Turns(t, l, 2)
	clock.Advance(time.Second - 1)
	testkit.Turns(t, l, 1)
	if fired != 0 || past != 1 {
		t.Errorf("%d too early; %d of the one that has passed; want 0 and 1", fired, past)
	}
	clock.Advance(1)
	testkit.Turns(t, l, 1)
	if fired != 1 || timer.Pending() {
		t.Errorf("fired %d times, pending %v; want 1, false", fired, timer.Pending())
	}
}

// The time of day and the monotonic clock are read one after the other, and never at the same
// distance.
func TestCallAtKeepsTheOrderOfMakingForEqualTimes(t *testing.T) {
	const calls = 2000
	from := map[string]func(l *reactor.Loop, make func()){
		"loop":      func(l *reactor.Loop, make func()) { l.CallSoon(make) },
		"goroutine": func(_ *reactor.Loop, make func()) { make() },
	}
	for name, at := range map[string]time.Time{
		"with a monotonic reading": time.Now().Add(50 * time.Millisecond),
		"of a calendar":            time.Now().Add(50 * time.Millisecond).Round(0),
		"that has passed":          time.Now().Round(0),
	} {
		for where, makeThere := range from {
			t.Run(name+", "+where, func(t *testing.T) {
				l := testkit.StartLoop(t)
				var got []int
				done := make(chan struct{})
				makeThere(l, func() {
					for i := range calls {
						l.CallAt(at, func() {
							if got = append(got, i); len(got) == calls {
								close(done)
							}
						})
					}
				})
				<-done
				if !slices.IsSorted(got) {
					t.Errorf("the calls ran in the order %v, want the order they were made in", got)
				}
			})
		}
	}
}

func TestWhenOfCallAtIsTheTimeItWasGiven(t *testing.T) {
	l := testkit.NewLoop(t)
	for range 100 {
		at := time.Now().Round(0).Add(time.Hour)
		if when := l.CallAt(at, func() {}).When(); !when.Equal(at) {
			t.Fatalf("When is %v, want %v", when, at)
		}
	}
}

func TestAVeryLongTimerIsNotSoon(t *testing.T) {
	clock := testkit.ClockAt(time.Hour)
	l := testkit.NewLoop(t, clock.Option())
	timers := []reactor.Timer{
		l.CallLater(math.MaxInt64, func() { t.Error("it fired, want a timer for centuries to wait") }),
		l.CallAt(time.Unix(1<<40, 0), func() { t.Error("it fired, want a timer for centuries to wait") }),
	}
	testkit.Turns(t, l, 3)
	for _, timer := range timers {
		if !timer.Stop() {
			t.Error("Stop = false, want true: the timer is pending")
		}
	}
}

func TestStop(t *testing.T) {
	foreign := func(f func()) {
		var over sync.WaitGroup
		over.Go(f)
		over.Wait()
	}
	for name, from := range map[string]func(func()){"loop": func(f func()) { f() }, "goroutine": foreign} {
		t.Run(name, func(t *testing.T) {
			clock := &testkit.Clock{}
			l := testkit.NewLoop(t, clock.Option())
			l.CallSoon(func() {
				pending := l.CallLater(0, func() { t.Error("a stopped timer fired, want no call") })
				from(func() {
					if !pending.Pending() || !pending.Stop() || pending.Stop() || pending.Pending() {
						t.Error("Stop of a pending timer: want it pending, true, then false, and not pending")
					}
				})
				var fired reactor.Timer
				fired = l.CallLater(0, func() {
					from(func() {
						if fired.Pending() || fired.Stop() {
							t.Error("Stop of a fired timer = true, or it is pending; want neither")
						}
					})
				})
				from(func() {
					new := l.CallLater(0, func() { t.Error("a timer stopped before it came in fired, want no call") })
					if !new.Stop() {
						t.Error("Stop before the loop has seen the timer = false, want true")
					}
				})
			})
			testkit.Turns(t, l, 4)
			if n := counts(l).Timers; n != 1 {
				t.Errorf("%d timers fired, want 1", n)
			}
		})
	}
}

func TestATimerStopsALaterOneOfTheSameTurn(t *testing.T) {
	clock := &testkit.Clock{}
	l := testkit.NewLoop(t, clock.Option())
	var second reactor.Timer
	l.CallLater(1, func() { second.Stop() })
	second = l.CallLater(1, func() { t.Error("the second fired, want it stopped by the first") })
	third := false
	l.CallLater(1, func() { third = true })
	testkit.Turns(t, l, 1)
	clock.Advance(1)
	testkit.Turns(t, l, 1)
	if !third {
		t.Error("the third did not fire, want it to: the second alone was stopped")
	}
}

func TestTheZeroTimer(t *testing.T) {
	var zero reactor.Timer
	if zero.Stop() || zero.Pending() || !zero.When().IsZero() {
		t.Errorf("the zero Timer is pending (%v), comes at %v or can be stopped; want none of these", zero.Pending(), zero.When())
	}
}

func TestAStoppedTimerDoesNotWakeTheLoop(t *testing.T) {
	var waited []time.Duration
	l := testkit.NewLoop(t, testkit.NoWaiting(&waited))
	l.CallSoon(func() {
		l.CallLater(time.Hour, func() {})
		l.CallLater(time.Minute, func() {}).Stop()
	})
	testkit.Turns(t, l, 1)
	testkit.Check(l.Turn(-1))
	if last := waited[len(waited)-1]; last < 59*time.Minute {
		t.Errorf("waited for %v, want at least %v", last, 59*time.Minute)
	}
}

// Goroutines start and stop timers while the loop fires them. Each timer is either stopped or
// fires.
func TestStopRacesWithTheLoop(t *testing.T) {
	l := testkit.StartLoop(t)
	var stopped, fired atomic.Int64
	var helpers sync.WaitGroup
	const each = 2000
	for range 4 {
		helpers.Go(func() {
			rnd := rand.New(rand.NewPCG(1, 2))
			for range each {
				timer := l.CallLater(time.Duration(rnd.IntN(20))*time.Microsecond, func() { fired.Add(1) })
				if rnd.IntN(2) == 0 && timer.Stop() {
					stopped.Add(1)
				}
			}
		})
	}
	helpers.Wait()
	done := make(chan struct{})
	l.CallLater(time.Millisecond, func() { close(done) })
	<-done
	if n := stopped.Load() + fired.Load(); n != 4*each {
		t.Errorf("%d were stopped or fired, want %d", n, 4*each)
	}
}

// A million timers, half of them stopped in random order, fire in the order that sorting gives.
func TestTheHeapSorts(t *testing.T) {
	for _, n := range []int{1, 2, 5, 1000, 1_000_000} {
		if n > 1000 && (testing.Short() || raceEnabled) {
			continue
		}
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			clock := &testkit.Clock{}
			l := testkit.NewLoop(t, clock.Option())
			rnd := rand.New(rand.NewPCG(uint64(n), 3))
			type entry struct {
				when  time.Duration
				seq   int
				timer reactor.Timer
			}
			var entries []entry
			var got []int
			l.CallSoon(func() {
				for i := range n {
					d := time.Duration(rnd.IntN(n/2 + 1))
					entries = append(entries, entry{d, i, l.CallLater(d, func() { got = append(got, i) })})
				}
				rnd.Shuffle(n, func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
				for _, e := range entries[:n/2] {
					if !e.timer.Stop() {
						t.Fatal("Stop of a pending timer = false, want true")
					}
				}
			})
			testkit.Turns(t, l, 1)
			left := entries[n/2:]
			slices.SortFunc(left, func(a, b entry) int { return cmp.Or(cmp.Compare(a.when, b.when), a.seq-b.seq) })
			for range 3 { // in a few steps, so that the heap is taken apart in between
				clock.Advance(time.Duration(n/4 + 1))
				testkit.Turns(t, l, 1)
			}
			if len(got) != len(left) {
				t.Fatalf("%d fired, want %d", len(got), len(left))
			}
			for i, e := range left {
				if got[i] != e.seq {
					t.Fatalf("timer %d fired as number %d, want timer %d", got[i], i, e.seq)
				}
			}
		})
	}
}

func TestCloseDropsTimers(t *testing.T) {
	l := testkit.NewLoop(t)
	timers := []reactor.Timer{l.CallLater(time.Hour, func() { t.Error("it fired, want it dropped by Close") })}
	l.CallSoon(func() {
		timers = append(timers, l.CallLater(time.Hour, func() { t.Error("it fired, want it dropped by Close") }))
	})
	testkit.Turns(t, l, 1)
	l.Close()
	for i, timer := range timers {
		if timer.Pending() || timer.Stop() {
			t.Errorf("timer %d is pending or can be stopped after Close, want neither", i)
		}
	}
	if timer := l.CallLater(0, func() {}); timer != (reactor.Timer{}) {
		t.Error("CallLater on a closed loop made a timer, want the zero Timer")
	}
}

func TestNow(t *testing.T) {
	clock := testkit.ClockAt(time.Hour)
	l := testkit.NewLoop(t, clock.Option())
	if !l.Now().Equal(testkit.Epoch.Add(time.Hour)) {
		t.Errorf("Now() outside the loop = %v, want %v", l.Now(), testkit.Epoch.Add(time.Hour))
	}
	l.CallSoon(func() {
		before := l.Now()
		clock.Advance(time.Second)
		if !l.Now().Equal(before) {
			t.Errorf("Now() has moved within a turn to %v, want %v", l.Now(), before)
		}
	})
	testkit.Turns(t, l, 1)
}

var _ worldtest.Time = (*testkit.Clock)(nil)

func TestTimersOfNothingPanicWhereTheyAreMade(t *testing.T) {
	l := testkit.NewLoop(t)
	for name, f := range map[string]func(){
		"CallLater": func() { l.CallLater(0, nil) },
		"CallAt":    func() { l.CallAt(time.Now(), nil) },
		"Every":     func() { l.Every(time.Second, nil) },
	} {
		t.Run(name, func(t *testing.T) { testkit.Panics(t, "reactor: CallLater, CallAt and Every need a function", f) })
	}
}
