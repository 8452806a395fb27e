//go:build unix || windows

package reactor_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/poll/polltest"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

func TestCallSoonIsInOrderAndNeverSynchronous(t *testing.T) {
	l := testkit.NewLoop(t)
	var got []int
	for i := range 5 {
		l.CallSoon(func() { got = append(got, i) })
	}
	l.CallSoon(func() {
		for i := 5; i < 10; i++ {
			l.CallSoon(func() { got = append(got, i) })
		}
		if len(got) != 5 {
			t.Errorf("CallSoon on the loop ran a callback: %v, want the first five only", got)
		}
	})
	if len(got) != 0 {
		t.Errorf("CallSoon outside the loop ran callbacks: %v, want none before a turn", got)
	}
	testkit.Turns(t, l, 2)
	if !slices.Equal(got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) {
		t.Errorf("got %v, want %v", got, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	}
}

func TestABatchIsASnapshot(t *testing.T) {
	l := testkit.NewLoop(t)
	ran := 0
	var again func()
	again = func() {
		ran++
		l.CallSoon(again)
	}
	l.CallSoon(again)
	for i := range 300 {
		if ran != i {
			t.Fatalf("%d calls after %d turns, want one a turn", ran, i)
		}
		testkit.Turns(t, l, 1)
	}
}

// The ring that holds the ready queue grows and wraps while a batch runs.
func TestAnyMixOfPostsStaysInOrder(t *testing.T) {
	for seed := range uint64(20) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := testkit.NewLoop(t)
			rnd := rand.New(rand.NewPCG(seed, 1))
			next, want := 0, 0
			var post func()
			post = func() {
				i := next
				next++
				l.CallSoon(func() {
					if i != want {
						t.Fatalf("%d ran instead of %d", i, want)
					}
					want++
					if next < 20_000 {
						for range rnd.IntN(4) * rnd.IntN(4) {
							post()
						}
					}
				})
			}
			for want == next && next < 20_000 { // the queue ran empty early
				for range 1 + rnd.IntN(200) {
					post() // through the door
				}
				for want != next {
					testkit.Turns(t, l, 1)
				}
			}
		})
	}
}

type reversed struct{}

func (reversed) Choose(n int) int { return n - 1 }

func TestTheChooserPicksFromTheBatch(t *testing.T) {
	l := testkit.NewLoop(t, reactor.WithWorld(worldtest.WithChooser(reversed{})))
	var got []int
	for i := range 4 {
		l.CallSoon(func() {
			got = append(got, i)
			l.CallSoon(func() { got = append(got, 10+i) })
		})
	}
	testkit.Turns(t, l, 2)
	slices.Sort(got[1:4])
	if got[0] != 3 || !slices.Equal(got[1:4], []int{0, 1, 2}) || len(got) != 8 {
		t.Errorf("got %v, want 3, then 0, 1 and 2, then four more", got)
	}
}

func TestNothingIsLostAtTheDoor(t *testing.T) {
	const posters, posts = 8, 5000
	l := testkit.StartLoop(t)
	var got [posters][]int
	var helpers sync.WaitGroup
	for p := range posters {
		helpers.Go(func() {
			for i := range posts {
				if err := l.CallSoon(func() { got[p] = append(got[p], i) }); err != nil {
					t.Error(err)
				}
				if i%100 == 0 {
					runtime.Gosched() // so that the loop falls asleep now and then
				}
			}
		})
	}
	helpers.Wait()
	testkit.OnLoop(t, l, func() {})
	for p := range got {
		if len(got[p]) != posts || !slices.IsSorted(got[p]) {
			t.Errorf("poster %d: %d calls came, sorted %v; want %d, true", p, len(got[p]), slices.IsSorted(got[p]), posts)
		}
	}
}

func TestEachPostWakesASleepingLoop(t *testing.T) {
	l := testkit.StartLoop(t)
	for range 20_000 {
		testkit.OnLoop(t, l, func() {})
	}
}

func TestABurstFromOutsideWakesTheLoopOnce(t *testing.T) {
	asleep, goOn := make(chan struct{}), make(chan struct{})
	var count *polltest.Counter
	var armed atomic.Bool
	l := testkit.NewLoop(t, testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		if d != 0 && armed.CompareAndSwap(true, false) {
			asleep <- struct{}{}
			<-goOn
		}
		return p.Wait(into, d)
	}), counting(&count))
	armed.Store(true)
	testkit.Check(l.Start())
	<-asleep
	var ran atomic.Int64
	for range 1000 {
		testkit.Check(l.CallSoon(func() { ran.Add(1) }))
	}
	if n := count.Wakes.Load(); n != 1 {
		t.Errorf("%d wake-ups for a burst, want 1", n)
	}
	goOn <- struct{}{}
	testkit.OnLoop(t, l, func() {})
	if ran.Load() != 1000 {
		t.Errorf("%d of 1000 ran, want 1000", ran.Load())
	}
}

func TestCallSoonAllocatesNothing(t *testing.T) {
	l := testkit.NewLoop(t)
	fn := func() {}
	per := func(calls int) float64 {
		return testing.AllocsPerRun(100, func() {
			for range calls {
				l.CallSoon(fn)
			}
			l.Turn(0)
		})
	}
	per(1000)
	if none, many := per(0), per(1000); many > none {
		t.Errorf("%v allocations for a Turn with 1000 calls from outside, want at most %v as without", many, none)
	}
	l.CallSoon(func() {
		l.CallSoon(func() {}) // the ring
		if n := testing.AllocsPerRun(10, func() { l.CallSoon(fn) }); n != 0 {
			t.Errorf("%v allocations for a call on the loop, want 0", n)
		}
	})
	testkit.Turns(t, l, 1)
}

func TestPostTakesAnyRunnable(t *testing.T) {
	l := testkit.NewLoop(t)
	n := 0
	r := run(func() { n++ })
	for range 3 {
		testkit.Check(core(l).Post(r))
	}
	testkit.Turns(t, l, 1)
	if n != 3 {
		t.Errorf("ran %d times, want 3", n)
	}
}

func TestInLoop(t *testing.T) {
	l, other := testkit.NewLoop(t), testkit.NewLoop(t)
	check := func(where string, want bool) {
		t.Helper()
		if l.InLoop() != want || other.InLoop() {
			t.Errorf("%s: InLoop() = %v, of another loop %v; want %v, false", where, l.InLoop(), other.InLoop(), want)
		}
	}
	check("before", false)
	l.CallSoon(func() {
		check("callback", true)
		done := make(chan struct{})
		go func() { check("goroutine", false); close(done) }()
		<-done
	})
	l.CallLater(0, func() { check("timer", true) })
	start(l, func() { check("task", true) })
	testkit.Turns(t, l, 2)
	check("after", false)
}

func TestContextCarriesTheLoop(t *testing.T) {
	l, other := testkit.NewLoop(t), testkit.NewLoop(t)
	ctx, cancel := context.WithCancel(l.Context())
	defer cancel()
	if got, ok := reactor.FromContext(ctx); got != l || !ok {
		t.Errorf("FromContext = %p, %v; want %p, true", got, ok, l)
	}
	if got, _ := reactor.FromContext(reactor.WithLoop(ctx, other)); got != other {
		t.Errorf("FromContext of WithLoop = %p, want %p, the other loop", got, other)
	}
	if got, ok := reactor.FromContext(context.Background()); got != nil || ok {
		t.Errorf("FromContext of the background = %p, %v; want nil, false", got, ok)
	}
	if ctx.Err() != nil {
		t.Errorf("before Close the loop's context has ended with %v, want nil", ctx.Err())
	}
	l.Close()
	if context.Cause(ctx) != reactor.ErrClosed {
		t.Errorf("the cause is %v, want %v", context.Cause(ctx), reactor.ErrClosed)
	}
}

func TestStats(t *testing.T) {
	l := testkit.NewLoop(t)
	if s := stats(l); s != (reactor.Stats{}) {
		t.Errorf("before the first turn: %+v, want %+v", s, (reactor.Stats{}))
	}
	l.CallSoon(func() {})
	l.CallLater(0, func() {})
	start(l, func() {})
	testkit.Turns(t, l, 3)
	s := stats(l)
	// Measured since it was asked for the first time.
	s.Busy, s.Idle, s.Lag = 0, 0, reactor.Histogram{}
	// One callback took the timer in.
	want := reactor.Stats{Turns: 3, Callbacks: 3, TaskSteps: 1, Timers: 1, Polls: 3, ForeignBatches: 1}
	if s != want {
		t.Errorf("got %+v, want %+v", s, want)
	}
}

func TestStatsAnswersWhateverTheLoopDoes(t *testing.T) {
	for name, end := range map[string]func(l *reactor.Loop) error{
		"stopped": func(l *reactor.Loop) error { l.Stop(); return nil },
		"closed":  (*reactor.Loop).Close,
	} {
		t.Run(name, func(t *testing.T) {
			l := testkit.StartLoop(t)
			var askers sync.WaitGroup
			for range 4 {
				askers.Go(func() {
					for range 50 {
						stats(l)
					}
				})
			}
			end(l)
			askers.Wait()
			stats(l)
		})
	}
}
