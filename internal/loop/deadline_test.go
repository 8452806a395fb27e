//go:build unix || windows

package loop_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// idler is what a Deadline is a field of.
type idler struct {
	reactor.Deadline
	passed func()
}

func (i *idler) Run() { i.passed() }

func newIdler(l *reactor.Loop, passed func()) *idler {
	i := &idler{passed: passed}
	i.Init(l, i)
	return i
}

func TestADeadlineComesOnceNothingHasPutItOff(t *testing.T) {
	fromEverywhere(t, func(t *testing.T, l *reactor.Loop, j *journal, do func(func())) {
		d := newIdler(l, j.note("idle"))
		if d.Pending() || d.Stop() || !d.When().IsZero() {
			t.Errorf("at the beginning: Pending() = %v, When() = %v; want false and the zero time, and a Stop that fails", d.Pending(), d.When())
		}
		do(func() { d.Extend(10) })
		for range 5 {
			elapse(t, l, j.clock, 7)
			do(func() { d.Extend(10) })
		}
		j.want(t)
		if at := d.When().Sub(testkit.Epoch); at != 45 || !d.Pending() {
			t.Errorf("it comes at %d, pending %v; want 45, true", at, d.Pending())
		}
		elapse(t, l, j.clock, 20)
		j.want(t, "idle@45")
		if d.Pending() || d.Stop() {
			t.Errorf("when it has passed Pending() = %v, want false, and a Stop that fails", d.Pending())
		}
		do(func() { d.Extend(5) }) // it may be used again
		elapse(t, l, j.clock, 20)
		j.want(t, "idle@60")
	})
}

func TestADeadlineIsMovedForwardStoppedAndSuspended(t *testing.T) {
	fromEverywhere(t, func(t *testing.T, l *reactor.Loop, j *journal, do func(func())) {
		d := newIdler(l, j.note("idle"))
		do(func() { d.Extend(100); d.Extend(10) })
		elapse(t, l, j.clock, 15)
		j.want(t, "idle@10")

		do(func() {
			d.Extend(10)
			if !d.Stop() || d.Stop() || d.Pending() {
				t.Errorf("Stop = false, or true twice, or pending %v afterwards; want true, then false, and not pending", d.Pending())
			}
		})
		if n := len(core(l).TimerHeap()); n != 0 {
			t.Errorf("%d timers are left in the heap, want 0", n)
		}
		do(func() { d.Extend(10); d.Stop(); d.Extend(20) })
		elapse(t, l, j.clock, 30)
		j.want(t, "idle@35")

		do(func() { d.Extend(10); d.Extend(math.MaxInt64) })
		elapse(t, l, j.clock, 50)
		j.want(t)
		do(func() { d.Extend(-1) })
		testkit.Turns(t, l, 1)
		j.want(t, "idle@95")
	})
}

// However many requests there are, no timer is touched: the heap stays as it is, and the loop is
// told nothing. Once in the time that a connection may be idle, its timer comes and is set again.
func TestToPutADeadlineOffCostsNoTimerOperation(t *testing.T) {
	const connections, requests, idle = 50, 200, 1000
	fromEverywhere(t, func(t *testing.T, l *reactor.Loop, j *journal, do func(func())) {
		var all []*idler
		do(func() {
			for range connections {
				d := newIdler(l, func() { t.Error("a deadline that was put off has passed, want it to wait") })
				d.Extend(idle)
				all = append(all, d)
				l.CallLater(idle, func() {})
			}
		})
		before := core(l).TimerHeap()
		for range requests {
			j.clock.Advance(1)
			do(func() {
				for _, d := range all {
					d.Extend(idle)
				}
				if !core(l).DoorIsEmpty() {
					t.Error("putting it off has told the loop something, want nothing to come to the loop")
				}
			})
			do(func() {
				for _, d := range all {
					d.Extend(100 * idle) // while a request is served
					d.Extend(idle)
				}
			})
		}
		if !slices.Equal(before, core(l).TimerHeap()) {
			t.Error("a request has changed the heap of timers, want it as it was")
		}
		j.clock.Advance(idle - requests)
		testkit.Turns(t, l, 1)
		if n := counts(l).Timers; n != connections {
			t.Errorf("%d timers have fired, want those of CallLater", n)
		}
		for i, p := range core(l).TimerHeap() {
			if p.When != idle+requests {
				t.Fatalf("timer %d has been set to %d, want %d", i, p.When, idle+requests)
			}
		}
		for _, d := range all {
			d.Stop()
		}
	})
}

func TestExtendAllocatesNothing(t *testing.T) {
	l := testkit.NewLoop(t)
	d := newIdler(l, func() {})
	l.CallSoon(func() {
		for name, f := range map[string]func(){
			"put off":           func() { d.Extend(time.Hour) },
			"moved forward":     func() { d.Extend(time.Hour); d.Extend(time.Minute) },
			"stopped and begun": func() { d.Stop(); d.Extend(time.Hour) },
		} {
			d.Extend(time.Hour)
			if n := testing.AllocsPerRun(100, f); n != 0 && !raceEnabled {
				t.Errorf("%s: %v allocations, want 0", name, n)
			}
		}
		d.Stop()
	})
	testkit.Turns(t, l, 1)
}

func TestADeadlineOfAClosedLoopDoesNotCome(t *testing.T) {
	l := testkit.NewLoop(t)
	set, unset := newIdler(l, func() { t.Error("it came, want it dropped with its loop") }), newIdler(l, func() { t.Error("it came, want it dropped with its loop") })
	l.CallSoon(func() { set.Extend(time.Hour) })
	testkit.Turns(t, l, 1)
	l.Close()
	unset.Extend(0)
	set.Extend(0)
	if set.Pending() || unset.Pending() || set.Stop() || unset.Stop() {
		t.Errorf("on a closed loop: pending %v and %v, want false of both, and a Stop that fails", set.Pending(), unset.Pending())
	}
}

func TestMisuseOfADeadline(t *testing.T) {
	l := testkit.NewLoop(t)
	var d reactor.Deadline
	if d.Pending() || d.Stop() || !d.When().IsZero() {
		t.Errorf("the zero Deadline: Pending() = %v, When() = %v; want false and the zero time, and a Stop that fails", d.Pending(), d.When())
	}
	testkit.Panics(t, "reactor: the Deadline belongs to no loop; call Init before Extend", func() { d.Extend(1) })
	d.Init(l, noted(func() {}))
	testkit.Panics(t, "reactor: a Deadline has its Init once; use a new one", func() { d.Init(l, noted(func() {})) })
}

// Goroutines put the deadline off and stop it while the loop lets it pass. It never comes before
// its time, and it does come when it is left alone in the end.
func TestExtendRacesWithTheLoop(t *testing.T) {
	for range 20 {
		var clock = world.System()
		l := testkit.StartLoop(t, reactor.WithWorld(worldtest.WithTime(clock)))
		var due atomic.Int64
		passed := make(chan struct{}, 1)
		d := newIdler(l, func() {
			if now := clock.Now(); now < time.Duration(due.Load()) {
				t.Errorf("it came %v too early, want it at the deadline or later", time.Duration(due.Load())-now)
			}
			select {
			case passed <- struct{}{}:
			default:
			}
		})
		var helpers sync.WaitGroup
		for i := range 3 {
			helpers.Go(func() {
				rnd := rand.New(rand.NewPCG(7, uint64(i)))
				for range 300 {
					switch rnd.IntN(8) {
					case 0:
						d.Stop()
					case 1:
						l.CallSoon(func() { d.Extend(time.Duration(rand.IntN(20)) * time.Microsecond) })
					default:
						d.Extend(time.Duration(rnd.IntN(20)) * time.Microsecond)
					}
				}
			})
		}
		helpers.Wait()
		testkit.OnLoop(t, l, func() {
			d.Stop()
			select {
			case <-passed:
			default:
			}
		})
		due.Store(int64(clock.Now() + 50*time.Microsecond))
		d.Extend(50 * time.Microsecond)
		<-passed
		if d.Pending() {
			t.Error("Pending() = true when it has passed, want false")
		}
		l.Close()
	}
}
