//go:build unix || windows

package loop_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// journal notes what fires, and when on a fake clock.
type journal struct {
	clock *testkit.Clock
	lines []string
}

func (j *journal) note(name string) func() {
	return func() { j.lines = append(j.lines, fmt.Sprintf("%s@%d", name, j.clock.Now())) }
}

func (j *journal) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(j.lines, want) {
		t.Errorf("fired %v, want %v", j.lines, want)
	}
	j.lines = nil
}

// elapse lets the time go on in steps of one, with a turn after each.
func elapse(t *testing.T, l *reactor.Loop, c *testkit.Clock, d time.Duration) {
	t.Helper()
	for range d {
		c.Advance(1)
		testkit.Turns(t, l, 1)
	}
}

// fromEverywhere runs a test that calls from the loop, and from a goroutine. What the goroutine
// says reaches the loop before the timers of the next turn.
func fromEverywhere(t *testing.T, f func(t *testing.T, l *reactor.Loop, j *journal, do func(func()))) {
	for _, where := range []string{"loop", "goroutine"} {
		t.Run(where, func(t *testing.T) {
			j := &journal{clock: &testkit.Clock{}}
			l := testkit.NewLoop(t, j.clock.Option())
			f(t, l, j, func(fn func()) {
				if where == "loop" {
					testkit.Check(l.CallSoon(fn))
				} else {
					var over sync.WaitGroup
					over.Go(fn)
					over.Wait()
				}
				testkit.Turns(t, l, 1)
			})
		})
	}
}

func TestReset(t *testing.T) {
	fromEverywhere(t, func(t *testing.T, l *reactor.Loop, j *journal, do func(func())) {
		var later, sooner, same, other reactor.Timer
		do(func() {
			later, sooner, same = l.CallLater(10, j.note("later")), l.CallLater(10, j.note("sooner")), l.CallLater(10, j.note("same"))
			other = l.CallLater(10, j.note("other"))
		})
		do(func() {
			if !later.Reset(20) || !sooner.Reset(-1) || !same.Reset(10) {
				t.Error("Reset of a pending timer = false, want true")
			}
			if at := later.When(); !at.Equal(testkit.Epoch.Add(20)) || !later.Pending() {
				t.Errorf("reset to 20ns, the call comes at %v, pending %v; want 20ns, true", at.Sub(testkit.Epoch), later.Pending())
			}
		})
		testkit.Turns(t, l, 2)
		j.want(t, "sooner@0")
		elapse(t, l, j.clock, 10)
		// The one that was reset is behind those that were set before.
		j.want(t, "other@10", "same@10")
		elapse(t, l, j.clock, 15)
		j.want(t, "later@20")
		do(func() {
			other.Stop()
			for _, timer := range []reactor.Timer{later, sooner, same, other, {}} {
				if timer.Reset(1) {
					t.Error("Reset of a timer that is over = true, want false")
				}
			}
		})
		elapse(t, l, j.clock, 3)
		j.want(t)
	})
}

func TestResetOfATimerThatIsStillOnItsWay(t *testing.T) {
	j := &journal{clock: &testkit.Clock{}}
	l := testkit.NewLoop(t, j.clock.Option())
	first := l.CallLater(5, j.note("from outside"))
	second := l.CallLater(5, j.note("from the loop"))
	var over sync.WaitGroup
	over.Go(func() { first.Reset(10) })
	over.Wait()
	l.CallSoon(func() { second.Reset(12) })
	elapse(t, l, j.clock, 20)
	j.want(t, "from outside@10", "from the loop@13")
}

func TestResetInTheTurnOfTheTimers(t *testing.T) {
	j := &journal{clock: &testkit.Clock{}}
	l := testkit.NewLoop(t, j.clock.Option())
	var due, again reactor.Timer
	l.CallSoon(func() {
		l.CallLater(1, func() { due.Reset(3); again.Reset(0) })
		due, again = l.CallLater(1, j.note("put off")), l.CallLater(1, j.note("at once, but not in this turn"))
	})
	testkit.Turns(t, l, 1)
	j.clock.Advance(1)
	testkit.Turns(t, l, 1)
	j.want(t)
	testkit.Turns(t, l, 1)
	j.want(t, "at once, but not in this turn@1")
	elapse(t, l, j.clock, 3)
	j.want(t, "put off@4")
}

// Timers are reset, stopped and fired at the same time. Each fires once or was stopped, also one
// that was reset.
func TestResetRacesWithTheLoop(t *testing.T) {
	l := testkit.StartLoop(t)
	var stopped, fired atomic.Int64
	var helpers sync.WaitGroup
	const each = 1000
	for i := range 4 {
		helpers.Go(func() {
			rnd := rand.New(rand.NewPCG(1, uint64(i)))
			for range each {
				timer := l.CallLater(time.Duration(rnd.IntN(20))*time.Microsecond, func() { fired.Add(1) })
				for range rnd.IntN(4) {
					timer.Reset(time.Duration(rnd.IntN(20)) * time.Microsecond)
				}
				if rnd.IntN(3) == 0 && timer.Stop() {
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
	testkit.OnLoop(t, l, func() {
		if n := len(core(l).TimerHeap()); n != 0 {
			t.Errorf("%d are left in the heap, want 0", n)
		}
	})
}

// A stopped timer leaves the heap at once, and the heap gives back its memory. The Timer that is
// left does not keep the function alive that was to be called.
func TestAMillionStoppedTimersHoldNoMemory(t *testing.T) {
	n := 1_000_000
	if testing.Short() || raceEnabled {
		n = 50_000
	}
	l := testkit.NewLoop(t)
	var timers []reactor.Timer
	var collected atomic.Bool
	l.CallSoon(func() {
		kept := &[1 << 10]byte{}
		runtime.AddCleanup(kept, func(c *atomic.Bool) { c.Store(true) }, &collected)
		timers = append(timers, l.CallLater(time.Hour, func() { runtime.KeepAlive(kept) }))
		for range n - 1 {
			timers = append(timers, l.CallLater(time.Hour, func() {}))
		}
		rand.Shuffle(n, func(i, j int) { timers[i], timers[j] = timers[j], timers[i] })
		for i, timer := range timers {
			timer.Stop()
			if left := n - i - 1; left%(n/10) == 0 {
				if count, room := len(core(l).TimerHeap()), core(l).TimerRoom(); count != left || room > 8*left+4096 {
					t.Fatalf("%d are pending, %d are in the heap, and there is room for %d; want %d and at most %d", left, count, room, left, 8*left+4096)
				}
			}
		}
	})
	testkit.Turns(t, l, 1)
	if room := core(l).TimerRoom(); room > 4096 {
		t.Errorf("room for %d timers is kept, want at most 4096", room)
	}
	// A cleanup runs some time after the collection.
	for n := 0; n < 1000 && !collected.Load(); n++ {
		runtime.GC()
		runtime.Gosched()
	}
	if !collected.Load() {
		t.Error("a stopped timer keeps what it would have called, want it collected")
	}
	runtime.KeepAlive(timers)
}

// movingWall is a fake clock whose time of day is set anew.
type movingWall struct {
	testkit.Clock
	wall atomic.Int64
}

func (c *movingWall) Wall() time.Time        { return c.Clock.Wall().Add(time.Duration(c.wall.Load())) }
func (c *movingWall) Option() reactor.Option { return reactor.WithWorld(worldtest.WithTime(c)) }

func TestSettingTheTimeOfDayMovesNoTimer(t *testing.T) {
	for name, by := range map[string]time.Duration{"forward": 24 * time.Hour, "back": -24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			c := &movingWall{}
			j := &journal{clock: &c.Clock}
			l := testkit.NewLoop(t, c.Option())
			later, at := l.CallLater(3, j.note("later")), l.CallAt(c.Wall().Add(4), j.note("at"))
			testkit.Turns(t, l, 2)
			before := later.When()
			c.wall.Store(int64(by))
			elapse(t, l, &c.Clock, 2)
			j.want(t)
			if moved := later.When().Sub(before); moved != by || !at.Pending() {
				t.Errorf("the time of day has moved by %v: When has moved by %v, want the same; the other is pending %v, want true", by, moved, at.Pending())
			}
			elapse(t, l, &c.Clock, 5)
			j.want(t, "later@3", "at@4")
		})
	}
}

// What a suspended machine has slept through comes at once: in the order of the times, each once.
func TestAfterAJumpOfTheClockWhatIsDueFiresOnceAndInOrder(t *testing.T) {
	j := &journal{clock: &testkit.Clock{}}
	l := testkit.NewLoop(t, j.clock.Option())
	var idle reactor.Deadline
	var every reactor.Timer
	l.CallSoon(func() {
		l.CallLater(30, j.note("30"))
		l.CallLater(10, j.note("10"))
		l.CallLater(20, j.note("20"))
		every = l.Every(25, j.note("every 25"))
		idle.Init(l, noted(j.note("idle")))
		idle.Extend(5)
		idle.Extend(28) // its timer stands at 5 still
		l.CallLater(2000, j.note("2000"))
	})
	testkit.Turns(t, l, 1)
	j.clock.Advance(1010)
	testkit.Turns(t, l, 1)
	j.want(t, "10@1010", "20@1010", "every 25@1010", "idle@1010", "30@1010")
	testkit.Turns(t, l, 3)
	j.want(t)
	elapse(t, l, j.clock, 20)
	// What was missed is not made up for, and the times are what they were.
	j.want(t, "every 25@1025")
	every.Stop()
}

// noted is a function as a Runnable.
type noted func()

func (f noted) Run() { f() }
