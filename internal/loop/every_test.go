//go:build unix || windows

package loop_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestEveryCallsAtWholeMultiples(t *testing.T) {
	fromEverywhere(t, func(t *testing.T, l *reactor.Loop, j *journal, do func(func())) {
		var timer reactor.Timer
		do(func() { timer = l.Every(3, j.note("tick")) })
		elapse(t, l, j.clock, 10)
		j.want(t, "tick@3", "tick@6", "tick@9")
		if at := timer.When().Sub(testkit.Epoch); at != 12 || !timer.Pending() {
			t.Errorf("the next comes at %d, pending %v; want 12, true", at, timer.Pending())
		}
		do(func() {
			if !timer.Stop() || timer.Stop() || timer.Pending() || timer.Reset(1) {
				t.Error("Stop = false, or it did not end the timer; want one Stop that succeeds, and then nothing pending")
			}
		})
		elapse(t, l, j.clock, 10)
		j.want(t)
	})
}

// However long the calls take, and however late they come, they stay at multiples of the interval.
// Missed calls are skipped.
func TestEveryDoesNotDrift(t *testing.T) {
	j := &journal{clock: &testkit.Clock{}}
	l := testkit.NewLoop(t, j.clock.Option())
	takes := []time.Duration{1, 0, 9, 10, 35, 0}
	l.CallSoon(func() {
		l.Every(10, func() {
			j.note("tick")()
			j.clock.Advance(takes[0])
			takes = takes[1:]
		})
	})
	testkit.Turns(t, l, 1)
	j.clock.Advance(13) // the first comes late
	testkit.Turns(t, l, 1)
	for len(takes) > 0 {
		elapse(t, l, j.clock, 1)
	}
	j.want(t, "tick@13", "tick@20", "tick@30", "tick@40", "tick@60", "tick@100")
}

func TestStopInsideEvery(t *testing.T) {
	foreign := func(f func()) {
		var over sync.WaitGroup
		over.Go(f)
		over.Wait()
	}
	for name, from := range map[string]func(func()){"loop": func(f func()) { f() }, "goroutine": foreign} {
		t.Run(name, func(t *testing.T) {
			clock := &testkit.Clock{}
			l := testkit.NewLoop(t, clock.Option())
			calls := 0
			var timer reactor.Timer
			timer = l.Every(1, func() {
				if calls++; calls == 3 {
					from(func() {
						if !timer.Pending() || !timer.Stop() || timer.Pending() {
							t.Error("Stop inside the call = false, or it did not end the timer; want true, and then nothing pending")
						}
					})
				}
			})
			elapse(t, l, clock, 10)
			if calls != 3 || len(core(l).TimerHeap()) != 0 {
				t.Errorf("%d calls, %d timers left; want 3 and 0", calls, len(core(l).TimerHeap()))
			}
		})
	}
}

func TestResetOfEveryMovesAllThatFollow(t *testing.T) {
	fromEverywhere(t, func(t *testing.T, l *reactor.Loop, j *journal, do func(func())) {
		var timer reactor.Timer
		inside := false
		do(func() {
			timer = l.Every(10, func() {
				j.note("tick")()
				if inside {
					inside = false
					timer.Reset(0)
				}
			})
		})
		elapse(t, l, j.clock, 4)
		do(func() { timer.Reset(3) })
		elapse(t, l, j.clock, 20)
		j.want(t, "tick@7", "tick@17")
		inside = true
		elapse(t, l, j.clock, 14)
		// At once means in a later turn, and 27 is the time that the next ones count from.
		j.want(t, "tick@27", "tick@28", "tick@37")
		timer.Stop()
	})
}

func TestEveryGoesOnAfterAPanicAndAGoexit(t *testing.T) {
	var x testkit.Exceptions
	l := testkit.StartLoop(t, x.Option())
	calls := make(chan int)
	n := 0
	timer := l.Every(10*time.Microsecond, func() {
		n++
		switch n {
		case 1:
			panic("in a callback")
		case 2:
			runtime.Goexit()
		}
		calls <- n
	})
	if got := <-calls; got != 3 {
		t.Errorf("call %d came after the two that failed, want 3", got)
	}
	for stopped := false; !stopped; {
		select {
		case <-calls:
		default:
			stopped = timer.Stop()
		}
	}
	go func() {
		for range calls { // one that was under way
		}
	}()
	testkit.OnLoop(t, l, func() {})
	close(calls)
	if ops := x.Ops(); len(ops) == 0 || ops[0] != "timer" {
		t.Errorf("reported: %v, want \"timer\" first", ops)
	}
}

func TestEveryOfNothingPanics(t *testing.T) {
	l := testkit.NewLoop(t)
	for d, want := range map[time.Duration]string{
		0:  "reactor: Every(0s): give a positive time between two calls",
		-1: "reactor: Every(-1ns): give a positive time between two calls",
	} {
		testkit.Panics(t, want, func() { l.Every(d, func() {}) })
	}
}

func TestEveryOnAClosedLoopAndTheLongestInterval(t *testing.T) {
	clock := testkit.ClockAt(time.Hour)
	l := testkit.NewLoop(t, clock.Option())
	timer := l.Every(math.MaxInt64, func() { t.Error("it came, want nothing for the longest interval") })
	testkit.Turns(t, l, 2)
	l.Close()
	if timer.Pending() || timer.Stop() {
		t.Errorf("on a closed loop the timer is pending (%v) or Stop succeeds, want neither", timer.Pending())
	}
	if l.Every(1, func() {}) != (reactor.Timer{}) {
		t.Error("Every on a closed loop made a timer, want the zero Timer")
	}
}

// After a Stop from outside, and the end of a call that was under way, none comes.
func TestStopOfEveryRacesWithTheLoop(t *testing.T) {
	l := testkit.StartLoop(t)
	for range 200 {
		var stopped atomic.Bool
		timer := l.Every(time.Duration(1+rand.IntN(3))*time.Microsecond, func() {
			if stopped.Load() {
				t.Error("a call came after Stop, want none")
			}
		})
		for range rand.IntN(100) {
			runtime.Gosched()
		}
		timer.Reset(time.Microsecond)
		running := make(chan struct{})
		timer.Stop()
		testkit.Check(l.CallSoon(func() { close(running) })) // a call that was under way is over
		<-running
		stopped.Store(true)
	}
	testkit.OnLoop(t, l, func() {
		if n := len(core(l).TimerHeap()); n != 0 {
			t.Errorf("%d timers are left, want 0", n)
		}
	})
}
