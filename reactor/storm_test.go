//go:build unix || windows

package reactor_test

import (
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

const (
	stormers = 8
	// Calls that a goroutine may be ahead of the loop, so that memory is bounded.
	stormWindow = 1 << 16
)

// posted is a Runnable that is more than a function.
type posted struct{ fn func() }

func (p *posted) Run() { p.fn() }

// ways are the calls that hand work to a loop from outside.
var ways = []struct {
	name  string
	post  func(l *reactor.Loop, fn func()) error
	calls int64 // of each goroutine
	drops bool  // Close drops what has not run
	late  bool  // it is taken while the loop closes, too
}{
	{"CallSoon", (*reactor.Loop).CallSoon, 1_000_000, false, false},
	{"Post", func(l *reactor.Loop, fn func()) error { return core(l).Post(&posted{fn}) }, 1_000_000, false, true},
	{"CallLater", func(l *reactor.Loop, fn func()) error {
		if l.CallLater(0, fn) == (reactor.Timer{}) {
			return reactor.ErrClosed
		}
		return nil
	}, 200_000, true, true},
}

// storm is many goroutines that call a busy loop. Each counts the calls that were accepted; the
// loop counts those that have run, and checks their order.
type storm struct {
	loop  *reactor.Loop
	post  func(l *reactor.Loop, fn func()) error
	taken [stormers]int64
	ran   [stormers]atomic.Int64
	mixed atomic.Int64 // calls that ran out of order
	all   sync.WaitGroup
}

// begin makes each goroutine call n times, or until the loop refuses.
func (s *storm) begin(t *testing.T, n int64) {
	for p := range stormers {
		s.all.Go(func() {
			for i := range n {
				err := s.post(s.loop, func() {
					if s.ran[p].Load() != i {
						s.mixed.Add(1)
					}
					s.ran[p].Add(1)
				})
				if err != nil {
					if err != reactor.ErrClosed {
						t.Errorf("a call: %v, want nil or %v", err, reactor.ErrClosed)
					}
					return
				}
				s.taken[p]++
				for i-s.ran[p].Load() > stormWindow && !isDone(s.loop) {
					runtime.Gosched()
				}
			}
		})
	}
}

func (s *storm) total() (n int64) {
	for p := range s.ran {
		n += s.ran[p].Load()
	}
	return n
}

func TestAStormLosesNothingAndKeepsEachGoroutinesOrder(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			n := way.calls
			if raceEnabled || testing.Short() {
				n /= 50
			}
			s := storm{loop: busyLoop(t), post: way.post}
			s.begin(t, n)
			s.all.Wait()
			last := make(chan struct{})
			testkit.Check(s.post(s.loop, func() { close(last) }))
			<-last
			for p := range stormers {
				if s.taken[p] != n || s.ran[p].Load() != n {
					t.Errorf("goroutine %d: %d calls were taken and %d have run, want %d of both", p, s.taken[p], s.ran[p].Load(), n)
				}
			}
			if s.mixed.Load() > 0 {
				t.Errorf("%d calls ran out of order, want 0", s.mixed.Load())
			}
		})
	}
}

// Each call either runs or returns ErrClosed. Timers that were accepted and are not due yet are
// dropped.
func TestAStormOnALoopThatClosesRunsWhatItHasTaken(t *testing.T) {
	// How many calls all make before Close, and each goroutine at most while the loop closes.
	const before, more = 5000, 2000
	rounds := 10
	if raceEnabled || testing.Short() {
		rounds = 3
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			for range rounds {
				n := int64(math.MaxInt64)
				if way.late {
					n = more
				}
				s := storm{loop: busyLoop(t), post: way.post}
				s.begin(t, n)
				for s.total() < before {
					runtime.Gosched()
				}
				testkit.Check(s.loop.Close())
				ran := s.total()
				s.all.Wait()
				if s.total() != ran {
					t.Errorf("%d calls ran after Close, want 0", s.total()-ran)
				}
				for p := range stormers {
					if ran := s.ran[p].Load(); ran > s.taken[p] || ran < s.taken[p] && !way.drops {
						t.Errorf("goroutine %d: %d calls were taken and %d have run, want as many (or fewer, if %v)", p, s.taken[p], ran, way.drops)
					}
				}
				if s.mixed.Load() > 0 {
					t.Errorf("%d calls ran out of order, want 0", s.mixed.Load())
				}
			}
		})
	}
}

// A goroutine's call is accepted until the very moment in which the loop refuses everything else.
func TestACallThatComesLastIsNotLost(t *testing.T) {
	l := testkit.NewLoop(t)
	var err error
	ran := false
	core(l).Local("last", func() any {
		return closer(func() error { // all tasks have ended, and nothing was ready
			elsewhere(func() { err = core(l).Post(run(func() { ran = true })) })
			return nil
		})
	})
	testkit.Check(l.Close())
	if err != nil || !ran {
		t.Errorf("Post = %v, it ran: %v; want nil, true", err, ran)
	}
}
