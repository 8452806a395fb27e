//go:build unix || windows

package reactor_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// floods are what may keep a loop busy. Each has the loop call item again and again, or many times
// at once.
var floods = map[string]func(t *testing.T, l *reactor.Loop, item func()){
	"callbacks that queue themselves": func(_ *testing.T, l *reactor.Loop, item func()) {
		for range 100 {
			var again func()
			again = func() { item(); l.CallSoon(again) }
			l.CallSoon(again)
		}
	},
	"a batch of callbacks": func(_ *testing.T, l *reactor.Loop, item func()) {
		for range 3 * moreThanEnough {
			l.CallSoon(item)
		}
	},
	"calls of another goroutine": func(_ *testing.T, l *reactor.Loop, item func()) {
		l.CallSoon(func() {
			posted := make(chan bool)
			go func() {
				defer close(posted)
				for range 3 * moreThanEnough {
					core(l).Post(run(item))
				}
			}()
			<-posted
		})
	},
	"tasks that yield": func(_ *testing.T, l *reactor.Loop, item func()) {
		for range 8 {
			task.Spawn(l.Context(), func(ctx context.Context) error {
				for ctx.Err() == nil {
					item()
					task.Yield(ctx)
				}
				return nil
			})
		}
	},
	"tasks that never need wait": func(_ *testing.T, l *reactor.Loop, item func()) {
		for range 8 {
			task.Spawn(l.Context(), func(ctx context.Context) error {
				for n := 1; ctx.Err() == nil; n++ {
					if n%129 == 0 { // as often as it yields
						item()
					}
					task.Checkpoint(context.Background())
				}
				return nil
			})
		}
	},
	"readers": func(t *testing.T, l *reactor.Loop, item func()) {
		for range 40 {
			a, b := pair(t)
			b.write("x")
			testkit.Check(l.AddReader(a.fd, item))
		}
	},
	"flushes": func(_ *testing.T, l *reactor.Loop, item func()) {
		l.CallSoon(func() {
			for range 3 * moreThanEnough {
				core(l).At(loop.BatchEnd, run(item))
			}
		})
	},
	"ends of turns": func(_ *testing.T, l *reactor.Loop, item func()) {
		l.CallSoon(func() {
			for range 3 * moreThanEnough {
				core(l).At(loop.TurnEnd, run(item))
			}
		})
	},
	"timers": func(_ *testing.T, l *reactor.Loop, item func()) {
		for range 3 * moreThanEnough {
			l.CallLater(0, item)
		}
	},
}

// all is every flood at once.
func all(t *testing.T, l *reactor.Loop, item func()) {
	for _, flood := range floods {
		flood(t, l, item)
	}
}

const moreThanEnough = 2000 // items

// A look is one at the timers and the poller. The clock stands still except during items.
func TestBetweenTwoLooksLieFewItemsAndAboutAMillisecond(t *testing.T) {
	uncounted := map[string]bool{"timers": true, "flushes": true, "ends of turns": true, "all at once": true}
	for _, name := range append(slices.Sorted(maps.Keys(floods)), "all at once") {
		flood := floods[name]
		if flood == nil {
			flood = all
		}
		for _, cost := range []time.Duration{0, 20 * time.Microsecond, 300 * time.Microsecond, 5 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s/%v", name, cost), func(t *testing.T) {
				clock := &testkit.Clock{}
				// The last item of each of the five parts of a turn begins in time, or some
				// short ones do. That of a task may count twice.
				bound := 1500*time.Microsecond + 6*max(cost, 160*time.Microsecond)
				var items, since, most, misses int
				var looked, latest time.Duration
				l := testkit.NewLoop(t, clock.Option(), testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
					most = max(most, since)
					if clock.Now()-looked > bound {
						misses++
					}
					since, looked = 0, clock.Now()
					return p.Wait(into, d)
				}))
				tick(l, clock, &latest) // first, since it comes through the door
				flood(t, l, func() {
					if items++; items >= moreThanEnough {
						l.Stop()
						return
					}
					since++
					clock.Advance(cost)
				})
				testkit.Check(l.Run(context.Background()))
				if most > 64 && !uncounted[name] {
					t.Errorf("%d items between two looks, want at most 64", most)
				}
				allowed := 0
				if name == "all at once" {
					allowed = 4 // each part of a turn has items that are short at first
				}
				if misses > allowed {
					t.Errorf("%d times more than %v between two looks at the poller, want at most %d", misses, bound, allowed)
				}
				beforeIt := name == "timers" || name == "all at once" // were due
				if latest > bound && !beforeIt {
					t.Errorf("a timer was %v late, want at most %v", latest, bound)
				}
			})
		}
	}
}

// tick sets a timer again and again, and notes how late it is at most.
func tick(l *reactor.Loop, clock *testkit.Clock, latest *time.Duration) {
	const every = 2 * time.Millisecond
	due := clock.Now() + every
	l.CallLater(every, func() {
		*latest = max(*latest, clock.Now()-due)
		tick(l, clock, latest)
	})
}

// The stride between two looks at the clock is long while items are short. When that changes, the
// end is missed by a stride once, and after that by an item.
func TestItemsThatBecomeSlowAreNoticed(t *testing.T) {
	const cheap, slow = 1000, 200
	clock := &testkit.Clock{}
	ran, misses := 0, 0
	var looked time.Duration
	l := testkit.NewLoop(t, clock.Option(), testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		if clock.Now()-looked > 4*time.Millisecond {
			misses++
		}
		looked = clock.Now()
		return p.Wait(into, d)
	}))
	var again func()
	again = func() {
		if ran++; ran > cheap {
			clock.Advance(time.Millisecond)
		}
		if ran == cheap+slow {
			l.Stop()
		}
		l.CallSoon(again)
	}
	l.CallSoon(again)
	testkit.Check(l.Run(context.Background()))
	if misses > 1 {
		t.Errorf("%d times more than 4 ms between two looks, want once at most", misses)
	}
}

func TestAnItemThatTakesLongAndSaysSoEndsTheBatch(t *testing.T) {
	clock := &testkit.Clock{}
	ran, before := 0, -1
	l := testkit.NewLoop(t, clock.Option(), testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		if before < 0 && clock.Now() > 0 {
			before = ran
		}
		return p.Wait(into, d)
	}))
	var again func()
	again = func() {
		if ran++; ran == 1000 { // the stride is long
			clock.Advance(2 * time.Millisecond)
			core(l).TakesLong()
		}
		if ran == 1100 {
			l.Stop()
		}
		l.CallSoon(again)
	}
	l.CallSoon(again)
	testkit.Check(l.Run(context.Background()))
	if before != 1000 {
		t.Errorf("the loop has looked after %d items, want 1000", before)
	}
}

// What is left of a batch, with priorities, stays before what has come later.
func TestABatchThatIsBrokenOffKeepsItsOrder(t *testing.T) {
	for _, opts := range [][]reactor.Option{nil, {reactor.WithPriorities(3, 4)}} {
		t.Run(fmt.Sprint(len(opts), " options"), func(t *testing.T) {
			clock := &testkit.Clock{}
			l := testkit.NewLoop(t, append(opts, clock.Option())...)
			const n = 300
			var got []int
			for i := range n {
				l.CallSoon(func() {
					clock.Advance(time.Duration(i%7) * 100 * time.Microsecond)
					got = append(got, i)
					l.CallSoon(func() {
						clock.Advance(time.Duration(i%3) * 700 * time.Microsecond)
						if got = append(got, n+i); len(got) == 2*n {
							l.Stop()
						}
					})
				})
			}
			testkit.Check(l.Run(context.Background()))
			if len(got) != 2*n || !slices.IsSorted(got) {
				t.Errorf("%d callbacks ran in the order %v, want %d in that of their numbers", len(got), got, 2*n)
			}
		})
	}
}

// Reports of a descriptor that have not been delivered are one, with all that was found.
func TestEventsThatAreBrokenOffAreDeliveredOnceEach(t *testing.T) {
	for _, kind := range poll.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			clock := &testkit.Clock{}
			l := testkit.NewLoop(t, clock.Option(), reactor.WithPoller(kind))
			const n = 20
			got, total := make([]int, n), 0
			for i := range n {
				a, b := pair(t)
				b.write("xx")
				testkit.Check(l.AddReader(a.fd, func() {
					clock.Advance(2 * time.Millisecond)
					if a.read(1) == "" {
						t.Errorf("reader %d was called and there is nothing to read, want a byte", i)
					}
					got[i]++
					if total++; total == 2*n {
						l.Stop()
					}
				}))
				t.Cleanup(func() { l.RemoveReader(a.fd) })
			}
			testkit.Check(l.Run(context.Background()))
			for i, calls := range got {
				if calls != 2 {
					t.Errorf("reader %d: %d calls, want 2", i, calls)
				}
			}
		})
	}
}
