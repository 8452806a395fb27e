//go:build unix || windows

package reactor_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// elsewhere runs fn in a goroutine, and waits for it.
func elsewhere(fn func()) {
	var over sync.WaitGroup
	over.Go(fn)
	over.Wait()
}

// 196: what is there when a turn begins runs in the order of the turn.
func TestOneTurnHasAnOrder(t *testing.T) {
	clock := &testkit.Clock{}
	l := testkit.NewLoop(t, clock.Option())
	var got []string
	say := func(s string) func() { return func() { got = append(got, s) } }
	a, b := pair(t)
	testkit.Check(l.AddReader(a.fd, func() { got = append(got, "reader"); l.RemoveReader(a.fd) }))
	var unhook func()
	l.CallSoon(func() {
		core(l).At(loop.TurnEnd, run(func() { // so that all of this is for the next turn
			l.CallLater(2*time.Millisecond, say("later timer"))
			l.CallLater(time.Millisecond, say("timer"))
			l.CallLater(time.Millisecond, func() {
				say("timer made after it")()
				l.CallSoon(say("callback of a timer"))
			})
			clock.Advance(time.Hour)
			elsewhere(func() { l.CallSoon(say("from a goroutine")) })
			l.CallSoon(func() {
				say("callback")()
				core(l).At(loop.TurnEnd, run(say("end")))
				core(l).At(loop.BatchEnd, run(say("flush")))
				l.CallSoon(say("callback of a callback"))
				l.CallLater(0, say("timer of a callback"))
			})
			l.CallSoon(say("second callback"))
			unhook = beforePoll(l, func() { say("hook")(); b.write("x"); unhook() })
		}))
	})
	testkit.Turns(t, l, 1)
	got = nil
	testkit.Turns(t, l, 1)
	want := []string{"timer", "timer made after it", "later timer",
		"callback", "second callback", "callback of a timer", "from a goroutine",
		"flush", "hook", "reader", "end"}
	if !slices.Equal(got, want) {
		t.Errorf("the turn:\ngot  %s\nwant %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
	got = nil
	testkit.Turns(t, l, 1)
	if want := []string{"timer of a callback", "callback of a callback"}; !slices.Equal(got, want) {
		t.Errorf("the next turn: got %s, want %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}

// 194, 195, 198: what a step of the turn adds runs in the same turn only if its own step is still
// to come.
func TestWhatATurnAddsRunsInItsPlace(t *testing.T) {
	places := []struct {
		name string
		arm  func(t *testing.T, l *reactor.Loop, fn func())
	}{
		{"timer", func(_ *testing.T, l *reactor.Loop, fn func()) { l.CallLater(0, fn) }},
		{"callback", func(_ *testing.T, l *reactor.Loop, fn func()) { l.CallSoon(fn) }},
		{"flush", func(_ *testing.T, l *reactor.Loop, fn func()) {
			l.CallSoon(func() { core(l).At(loop.BatchEnd, run(fn)) })
		}},
		{"hook", func(_ *testing.T, l *reactor.Loop, fn func()) {
			var remove func()
			remove = beforePoll(l, func() { remove(); fn() })
		}},
		{"reader", func(t *testing.T, l *reactor.Loop, fn func()) {
			a, b := pair(t)
			b.write("x")
			testkit.Check(l.AddReader(a.fd, func() { l.RemoveReader(a.fd); fn() }))
		}},
		{"end", func(_ *testing.T, l *reactor.Loop, fn func()) {
			l.CallSoon(func() { core(l).At(loop.TurnEnd, run(fn)) })
		}},
	}
	adds := []struct {
		name string
		add  func(l *reactor.Loop, fn func())
		want map[string]uint64 // turns until fn runs, for each place
	}{
		{"callback", func(l *reactor.Loop, fn func()) { l.CallSoon(fn) },
			map[string]uint64{"timer": 0, "callback": 1, "flush": 1, "hook": 1, "reader": 1, "end": 1}},
		{"callback of a goroutine", func(l *reactor.Loop, fn func()) { elsewhere(func() { l.CallSoon(fn) }) },
			map[string]uint64{"timer": 0, "callback": 1, "flush": 1, "hook": 1, "reader": 1, "end": 1}},
		{"timer", func(l *reactor.Loop, fn func()) { l.CallLater(0, fn) },
			map[string]uint64{"timer": 1, "callback": 1, "flush": 1, "hook": 1, "reader": 1, "end": 1}},
		{"flush", func(l *reactor.Loop, fn func()) { core(l).At(loop.BatchEnd, run(fn)) },
			map[string]uint64{"timer": 0, "callback": 0, "flush": 1, "hook": 1, "reader": 1, "end": 1}},
		{"end", func(l *reactor.Loop, fn func()) { core(l).At(loop.TurnEnd, run(fn)) },
			map[string]uint64{"timer": 0, "callback": 0, "flush": 0, "hook": 0, "reader": 0, "end": 1}},
	}
	for _, place := range places {
		for _, what := range adds {
			t.Run(what.name+" added in a "+place.name, func(t *testing.T) {
				// The clock stands still: a timer is due as soon as it is made.
				clock := &testkit.Clock{}
				l := testkit.NewLoop(t, clock.Option())
				var added, ran uint64
				place.arm(t, l, func() {
					added = stats(l).Turns
					what.add(l, func() { ran = stats(l).Turns; l.Stop() })
					if ran != 0 {
						t.Error("it ran at once, want it in a later turn")
					}
				})
				testkit.Check(l.Run(context.Background()))
				if got := ran - added; got != what.want[place.name] {
					t.Errorf("it ran %d turns later, not %d", got, what.want[place.name])
				}
			})
		}
	}
}
