//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestStatsTellWhatThereIs(t *testing.T) {
	l := testkit.NewLoop(t)
	a, b := pair(t)
	testkit.Check(l.AddReader(a.fd, func() {}))
	testkit.Check(l.AddReader(b.fd, func() {}))
	l.CallLater(time.Hour, func() {})
	l.CallLater(time.Hour, func() {}).Stop()
	start(l, func() { await(l.Context()) })
	var inside reactor.Stats
	l.CallSoon(func() {
		l.CallSoon(func() {})
		l.CallSoon(func() {})
		posted := make(chan bool)
		go func() {
			defer close(posted)
			for range 3 {
				l.CallSoon(func() {})
			}
		}()
		<-posted
		inside = stats(l)
	})
	testkit.Turns(t, l, 1)
	got := []int{inside.Ready, inside.Door, inside.PendingTimers, inside.Sources, inside.Tasks}
	if want := []int{2, 3, 1, 2, 1}; !slices.Equal(got, want) {
		t.Errorf("in a callback: ready, door, timers, sources, tasks are %v, want %v", got, want)
	}
	testkit.Turns(t, l, 3)
	l.RemoveReader(a.fd)
	s := stats(l)
	got = []int{s.Ready, s.Door, s.PendingTimers, s.Sources, s.Tasks, int(s.ForeignBatches)}
	if want := []int{0, 0, 1, 1, 1, 2}; !slices.Equal(got, want) {
		t.Errorf("after it: ready, door, timers, sources, tasks, batches are %v, want %v", got, want)
	}
	l.RemoveReader(b.fd)
}

// timedPolls makes each wait of the loop take d on the clock. A poll that does not wait takes no
// time.
func timedPolls(clock *testkit.Clock, d time.Duration) reactor.Option {
	return testkit.WithWait(func(p poll.Poller, into []poll.Event, wait time.Duration) (int, error) {
		if wait != 0 {
			clock.Advance(d)
		}
		return p.Wait(into, 0)
	})
}

func TestStatsTellHowTheTimeIsSpent(t *testing.T) {
	var clock testkit.Clock
	l := testkit.NewLoop(t, clock.Option(), timedPolls(&clock, 3*time.Second))
	work := func(d time.Duration) func() { return func() { clock.Advance(d) } }
	round := func() {
		l.CallSoon(work(time.Second))
		testkit.Turns(t, l, 1) // ran something, so it does not wait
		if err := l.Turn(-1); err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Hour) // while it does not run
	}
	round()
	if s := stats(l); s.Busy != 0 || s.Idle != 0 || s.Lag.Count() != 0 || s.BusyRatio() != 0 {
		t.Errorf("before somebody asked: %v busy, %v idle, lag %v; want nothing measured", s.Busy, s.Idle, s.Lag)
	}
	round()
	s := stats(l)
	if s.Busy != time.Second || s.Idle != 3*time.Second || s.BusyRatio() != 0.25 {
		t.Errorf("%v busy, %v idle, ratio %v; want %v, %v and 0.25", s.Busy, s.Idle, s.BusyRatio(), time.Second, 3*time.Second)
	}
	if s.Lag.Count() != 2 || s.Lag.Quantile(0.5) != time.Microsecond || s.Lag.Quantile(1) != 1<<20*time.Microsecond {
		t.Errorf("the rounds took %v, want two: %v and %v", s.Lag, time.Microsecond, 1<<20*time.Microsecond)
	}
	for _, late := range []time.Duration{0, 5 * time.Microsecond, time.Hour} {
		l.CallSoon(func() { l.CallLater(time.Second, func() {}) })
		testkit.Turns(t, l, 1)
		clock.Advance(time.Second + late)
		testkit.Turns(t, l, 1)
	}
	after := stats(l)
	for i := range after.Lag {
		after.Lag[i] -= s.Lag[i]
	}
	if want := (reactor.Histogram{0: 1 + 6, 3: 1, 31: 1}); after.Lag != want {
		t.Errorf("three timers and six rounds: %v, want %v", after.Lag, want)
	}
}

// A callback's time belongs to the round, also of a loop that stops then.
func TestTheLastRoundCounts(t *testing.T) {
	var clock testkit.Clock
	l := testkit.NewLoop(t, clock.Option(), reactor.WithDebug(time.Hour))
	l.CallSoon(func() {
		core(l).At(loop.TurnEnd, run(func() { clock.Advance(2 * time.Second) }))
		clock.Advance(time.Second)
		l.Stop()
	})
	testkit.Check(l.Run(t.Context()))
	if s := stats(l); s.Busy != 3*time.Second {
		t.Errorf("busy for %v, want %v", s.Busy, 3*time.Second)
	}
}

func TestAHistogramsQuantiles(t *testing.T) {
	for name, c := range map[string]struct {
		h    reactor.Histogram
		q    float64
		want time.Duration
	}{
		"of nothing":            {reactor.Histogram{}, 0.5, 0},
		"the least":             {reactor.Histogram{2: 1, 5: 9}, 0, 4 * time.Microsecond},
		"one in ten":            {reactor.Histogram{2: 1, 5: 9}, 0.1, 4 * time.Microsecond},
		"more than one in ten":  {reactor.Histogram{2: 1, 5: 9}, 0.11, 32 * time.Microsecond},
		"the most":              {reactor.Histogram{0: 99, 10: 1}, 1, 1024 * time.Microsecond},
		"99 of a hundred":       {reactor.Histogram{0: 99, 10: 1}, 0.99, time.Microsecond},
		"beyond the last bound": {reactor.Histogram{31: 1}, 0.5, 1 << 31 * time.Microsecond},
	} {
		if got := c.h.Quantile(c.q); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestEventsPerPoll(t *testing.T) {
	if got := (reactor.Stats{Polls: 4, Events: 6}).EventsPerPoll(); got != 1.5 {
		t.Errorf("got %v, want 1.5", got)
	}
	if got := (reactor.Stats{}).EventsPerPoll(); got != 0 {
		t.Errorf("without a poll: %v, want 0", got)
	}
}

func TestStatsOfAStalledLoopEndWithTheirContext(t *testing.T) {
	l := testkit.StartLoop(t)
	stalled, goOn := make(chan bool), make(chan bool)
	testkit.Check(l.CallSoon(func() { stalled <- true; <-goOn }))
	<-stalled
	ctx, cancel := context.WithCancelCause(context.Background())
	got := make(chan error)
	go func() {
		_, err := l.Stats(ctx)
		got <- err
	}()
	cancel(errMine)
	if err := <-got; !errors.Is(err, errMine) || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that matches the cause and context.Canceled", err)
	}
	close(goOn)
	if s, err := l.Stats(context.Background()); err != nil || s.Callbacks == 0 {
		t.Errorf("after the stall %d callbacks and error %v, want some and nil", s.Callbacks, err)
	}
}
