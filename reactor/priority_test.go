//go:build unix || windows

package reactor_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// item is an entry of the ready queue that has a class.
type item struct {
	class int
	run   func()
}

func (i item) Run()       { i.run() }
func (i item) Class() int { return i.class }

func TestPrioritiesRunTheMostUrgentFirst(t *testing.T) {
	for name, c := range map[string]struct {
		opts []reactor.Option
		want []string
	}{
		"first in, first out": {nil, []string{"2a", "0a", "9a", "callback", "1a", "-1a", "0b", "2b"}},
		"one class":           {[]reactor.Option{reactor.WithPriorities(1, 5)}, []string{"2a", "0a", "9a", "callback", "1a", "-1a", "0b", "2b"}},
		"three classes": {[]reactor.Option{reactor.WithPriorities(3, 5)},
			[]string{"0a", "callback", "-1a", "0b", "1a", "2a", "9a", "2b"}},
		"ten classes": {[]reactor.Option{reactor.WithPriorities(10, 5)},
			[]string{"0a", "callback", "-1a", "0b", "1a", "2a", "2b", "9a"}},
	} {
		t.Run(name, func(t *testing.T) {
			l := testkit.NewLoop(t, c.opts...)
			var got []string
			post := func(class int, name string) {
				core(l).Post(item{class, func() { got = append(got, fmt.Sprint(class, name)) }})
			}
			post(2, "a")
			post(0, "a")
			post(9, "a")
			l.CallSoon(func() { got = append(got, "callback") })
			post(1, "a")
			post(-1, "a")
			post(0, "b")
			post(2, "b")
			testkit.Turns(t, l, 1)
			if !slices.Equal(got, c.want) {
				t.Errorf("ran %v, want %v", got, c.want)
			}
		})
	}
}

func TestAnUrgentItemWaitsForOneTurnOfOthers(t *testing.T) {
	l := testkit.NewLoop(t, reactor.WithPriorities(2, 1000))
	ran, turn := 0, 0
	l.CallSoon(func() {
		for range 500 {
			core(l).Post(item{1, func() {
				if ran++; ran == 10 {
					core(l).Post(item{0, func() {
						if turn = ran; ran != 64 {
							t.Errorf("it ran after %d of the others, want 64", ran)
						}
					}})
				}
			}})
		}
	})
	testkit.Turns(t, l, 3)
	if turn == 0 {
		t.Error("it did not run in the turn after it came, want it to")
	}
	if n := stats(l).Ready; n != 500-ran || n == 0 {
		t.Errorf("%d of 500 have run, and Stats says that %d are ready; want %d", ran, n, 500-ran)
	}
	testkit.Turns(t, l, 10)
	if n := stats(l).Ready; ran != 500 || n != 0 {
		t.Errorf("%d of 500 have run, %d are ready; want 500 and 0", ran, n)
	}
}

// An age that nobody waits for means strict order. It used to overflow and reverse the order.
func TestTheLongestAgeKeepsTheOrderOfTheClasses(t *testing.T) {
	l := testkit.NewLoop(t, reactor.WithPriorities(3, math.MaxInt))
	var got []int
	l.CallSoon(func() {
		for _, class := range []int{2, 1, 0, 2, 1, 0} {
			core(l).Post(item{class, func() { got = append(got, class) }})
		}
	})
	testkit.Turns(t, l, 2)
	if want := []int{0, 0, 1, 1, 2, 2}; !slices.Equal(got, want) {
		t.Errorf("ran in the order %v, want %v", got, want)
	}
}

// flood keeps n items of class 0 ready until stop.
func flood(l *reactor.Loop, n int) (stop func()) {
	over := false
	for range n {
		var again item
		again.run = func() {
			if !over {
				core(l).Post(again)
			}
		}
		core(l).Post(again)
	}
	return func() { over = true }
}

// Under a flood of more urgent items, one of class c waits for those that are ready already, and
// for those that become ready in the next c times ageTurns turns, and for no more: that is the
// documented bound. It does wait for these.
func TestNoClassStarves(t *testing.T) {
	const flooders, perTurn = 300, 64
	for class := range 4 {
		for _, age := range []int{1, 7, 50} {
			t.Run(fmt.Sprintf("class %d, %d turns", class, age), func(t *testing.T) {
				l := testkit.NewLoop(t, reactor.WithPriorities(4, age))
				stop := flood(l, flooders)
				testkit.Turns(t, l, 20)
				var came, ran uint64
				l.CallSoon(func() { came = stats(l).Turns })
				core(l).Post(item{class, func() { ran = stats(l).Turns; stop() }})
				for ran == 0 && stats(l).Turns < 1000 {
					testkit.Turns(t, l, 1)
				}
				ahead := (flooders + perTurn*class*age) / perTurn // turns
				if waited := int(ran - came); ran == 0 || waited > ahead+1 {
					t.Errorf("it waited for %d turns, want at most %d", waited, ahead+1)
				} else if waited < class*age/2 {
					t.Errorf("it waited for %d turns only, want at least %d", waited, class*age/2)
				}
				testkit.Turns(t, l, 10)
			})
		}
	}
}

// Against a model that sorts: what is due first runs first.
func TestPrioritiesAgreeWithAModel(t *testing.T) {
	for seed := range uint64(30) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		classes, age := 2+rnd.IntN(5), 1+rnd.IntN(6)
		l := testkit.NewLoop(t, reactor.WithPriorities(classes, age))
		type entry struct{ id, class, due int }
		var model []entry
		var got, want []int
		for id, turn := 0, 1; id < 5000 || len(model) > 0; turn++ {
			if id < 5000 {
				for range rnd.IntN(150) {
					class := rnd.IntN(classes)
					model = append(model, entry{id, class, turn + class*age})
					i := id
					core(l).Post(item{class, func() { got = append(got, i) }})
					id++
				}
			}
			slices.SortStableFunc(model, func(a, b entry) int {
				if a.due != b.due {
					return a.due - b.due
				}
				return a.class - b.class
			})
			n := min(64, len(model))
			for _, e := range model[:n] {
				want = append(want, e.id)
			}
			model = slices.Delete(model, 0, n)
			testkit.Turns(t, l, 1)
			if !slices.Equal(got, want) {
				t.Fatalf("seed %d, turn %d: ran %v, want %v", seed, turn, got, want)
			}
			got, want = got[:0], want[:0]
		}
	}
}

// seeded is a chooser that a seed decides.
type seeded struct{ *rand.Rand }

func (s seeded) Choose(n int) int { return s.IntN(n) }

func TestASeededChooserChoosesWithinTheBatchOfPriorities(t *testing.T) {
	const n = 200
	run := func(seed uint64) (order []int) {
		l := testkit.NewLoop(t, reactor.WithPriorities(3, 2), reactor.WithWorld(worldtest.WithChooser(seeded{rand.New(rand.NewPCG(seed, 2))})))
		for i := range n {
			core(l).Post(item{i % 3, func() { order = append(order, i) }})
		}
		testkit.Turns(t, l, 4)
		if len(order) != n {
			t.Fatalf("%d have run, want %d", len(order), n)
		}
		for at, i := range order[:64] {
			if i%3 != 0 {
				t.Errorf("an item of class %d was number %d of the first turn, want 0", i%3, at)
			}
		}
		return order
	}
	a, b, c := run(1), run(1), run(2)
	if !slices.Equal(a, b) || slices.Equal(a, c) || slices.IsSorted(a[:64]) {
		t.Errorf("seed 1: %v, again: %v, seed 2: %v; want the first two the same, the third another, all shuffled", a, b, c)
	}
}

func TestWithPrioritiesAPanicKeepsNobodyFromRunning(t *testing.T) {
	var x testkit.Exceptions
	l := testkit.NewLoop(t, x.Option(), reactor.WithPriorities(2, 3))
	ran := 0
	for i := range 300 {
		core(l).Post(item{i % 2, func() {
			if ran++; ran%50 == 0 {
				panic("in a callback")
			}
		}})
	}
	testkit.Turns(t, l, 6)
	if ops := x.Ops(); ran != 300 || len(ops) != 6 {
		t.Errorf("%d of 300 have run, %d panics were reported; want 300 and 6", ran, len(ops))
	}
}

func TestCloseRunsWhatPrioritiesHoldBack(t *testing.T) {
	l := testkit.NewLoop(t, reactor.WithPriorities(5, 1000))
	ran := 0
	for i := range 1000 {
		core(l).Post(item{i % 5, func() { ran++ }})
	}
	testkit.Turns(t, l, 1)
	l.Close()
	if ran != 1000 {
		t.Errorf("%d of 1000 have run, want 1000", ran)
	}
}

func TestALoopWithPrioritiesDoesNotSleepWhileItemsAreHeldBack(t *testing.T) {
	l := testkit.NewLoop(t, reactor.WithPriorities(2, 3))
	ran := 0
	for range 1000 {
		core(l).Post(item{1, func() {
			if ran++; ran == 1000 {
				l.Stop()
			}
		}})
	}
	if err := l.Run(context.Background()); err != nil || ran != 1000 {
		t.Errorf("%v after %d of 1000; want nil and 1000", err, ran)
	}
}

func TestWithPrioritiesOfNothingPanics(t *testing.T) {
	for _, c := range [][2]int{{0, 1}, {1, 0}, {-1, -1}} {
		want := fmt.Sprintf("reactor: WithPriorities(%d, %d): give positive numbers of classes and turns", c[0], c[1])
		testkit.Panics(t, want, func() { reactor.WithPriorities(c[0], c[1]) })
	}
}
