package reactor

import (
	"context"
	"fmt"
	"math/bits"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Stats are counts of what a loop has done, and of what it has at the moment: a snapshot, taken
// between two entries of the ready queue.
type Stats struct {
	// Counts, since the loop was made.

	Turns          uint64 // turns of the loop
	Callbacks      uint64 // entries of the ready queue run, resumed tasks included
	TaskSteps      uint64 // times a task was started or resumed
	Timers         uint64 // timers fired
	Polls          uint64 // visits to the poller
	Events         uint64 // readiness events delivered
	Wakeups        uint64 // times another goroutine had to wake the loop
	ForeignBatches uint64 // times the loop took in what other goroutines had queued
	// How many times a server stopped accepting for a while, for want of descriptors or memory.
	AcceptBackoffs uint64

	// What there is now.

	Ready         int // entries of the ready queue
	Door          int // entries that other goroutines have queued and the loop has not taken in
	PendingTimers int // timers to come
	Sources       int // descriptors watched
	Tasks         int // tasks that have begun and not ended
	BuffersLent   int // pieces of memory that connections hold for bytes on their way
	Offloaded     int // calls of Offload whose work runs
	OffloadQueue  int // calls of Offload whose work waits its turn

	// Times, measured from the first call of Loop.Stats on; from the beginning in debug mode, and
	// with an Observer that has Turn or Lag. Before that the loop does not look at the clock so
	// often.

	Busy time.Duration // spent at work
	Idle time.Duration // spent in the poller
	// How late timers fired, and how long each round from poll to poll took. What is ready waits no
	// longer than a round.
	Lag Histogram
}

// BusyRatio is the part of the time that the loop was at work, 0 to 1; 0 if nothing was measured.
func (s Stats) BusyRatio() float64 { return ratio(float64(s.Busy), float64(s.Busy+s.Idle)) }

// EventsPerPoll is how many readiness events a visit to the poller has brought, on average.
func (s Stats) EventsPerPoll() float64 { return ratio(float64(s.Events), float64(s.Polls)) }

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// Histogram counts durations by their binary order of magnitude: element 0 those below a
// microsecond, element i those from 1<<(i-1) microseconds to below 1<<i, and the last one all that
// are longer.
type Histogram [32]uint64

func (h *Histogram) add(d time.Duration) {
	h[min(bits.Len64(uint64(max(d, 0)/time.Microsecond)), len(h)-1)]++
}

// Count returns how many durations were counted.
func (h Histogram) Count() (n uint64) {
	for _, c := range h {
		n += c
	}
	return n
}

// Quantile returns what the part q of the durations, 0 to 1, does not exceed: the upper bound of an
// element of the histogram, so up to twice the exact value. It is 0 if nothing was counted.
func (h Histogram) Quantile(q float64) time.Duration {
	left := q * float64(h.Count())
	for i, c := range h {
		if left -= float64(c); left <= 0 && c > 0 {
			return time.Microsecond << i
		}
	}
	return 0
}

// Stats returns a snapshot. Outside the loop it waits until the loop answers, in its next turn or
// when it ends; if ctx ends first, it returns the cause. A loop that is stalled does not answer.
//
// It waits as a plain goroutine does. In a task of another loop, call it through task.Blocking, or
// ask each loop on itself, as task.OnEach does.
func (l *Loop) Stats(ctx context.Context) (Stats, error) {
	answer := make(chan Stats, 1)
	withdraw := l.core.Look(func() { answer <- l.snapshot() })
	select {
	case s := <-answer:
		return s, nil
	case <-ctx.Done():
		if withdraw() {
			return Stats{}, fmt.Errorf("reactor: stats: %w", coro.Cause(ctx))
		}
		return <-answer, nil
	}
}

// snapshot is called on the loop, or by Look.
func (l *Loop) snapshot() Stats {
	n := l.core.Counts()
	s := Stats{
		Turns: n.Turns, Callbacks: n.Callbacks, TaskSteps: n.TaskSteps, Timers: n.Timers,
		Polls: n.Polls, Events: n.Events, Wakeups: n.Wakeups, ForeignBatches: n.ForeignBatches,
		AcceptBackoffs: n.AcceptBackoffs,
		Ready:          n.Ready, Door: n.Door, PendingTimers: n.PendingTimers, Sources: n.Sources, Tasks: n.Tasks,
	}
	s.Offloaded, s.OffloadQueue = l.offload.counts()
	l.core.EachLocal(func(v any) { // some lend memory
		if b, ok := v.(interface{ BuffersLent() int }); ok {
			s.BuffersLent += b.BuffersLent()
		}
	})
	if l.meter == nil {
		l.meter = &meter{loop: l, on: l.InLoop(), began: l.core.World().Now()}
		l.core.Observe(l.meter.observer())
	}
	s.Busy, s.Idle, s.Lag = l.meter.busy+l.meter.round(), l.meter.idle, l.meter.lag
	return s
}

// meter is the observer that measures how the loop spends its time. Each round goes from one visit
// to the poller to the next.
type meter struct {
	loop  *Loop
	on    bool          // the loop runs
	began time.Duration // when the present round, or the present visit to the poller, has begun
	spent time.Duration // how long the round had lasted when the loop stopped running in it
	busy  time.Duration
	idle  time.Duration
	lag   Histogram

	items, events uint64 // run and delivered when the round began
}

func (m *meter) observer() *Observer {
	return &Observer{
		BeforeRun: m.resume, AfterRun: m.pause, BeforePoll: m.endRound, AfterPoll: m.beginRound, Lag: m.lag.add,
	}
}

func (m *meter) endRound() {
	d := m.round()
	m.began += d
	m.busy += d
	core := &m.loop.core
	core.Late(d)
	items, events := core.Ran()
	ran, delivered := int(items-m.items), int(events-m.events)
	core.Tell(func(o *Observer) {
		if o.Turn != nil {
			o.Turn(ran, delivered, d)
		}
	})
	m.items, m.events = items, events
}

func (m *meter) beginRound(int) {
	now := m.loop.core.World().Now()
	m.idle += now - m.began
	m.began = now
}

// round returns how long the round has lasted.
func (m *meter) round() time.Duration {
	if !m.on {
		return m.spent
	}
	return m.loop.core.World().Now() - m.began
}

// resume goes on with the round, when a goroutine begins to run the loop.
func (m *meter) resume() {
	if !m.on {
		m.on, m.began = true, m.loop.core.World().Now()-m.spent
	}
}

// pause stops the clock, when that goroutine gives the loop up.
func (m *meter) pause() { m.spent, m.on = m.round(), false }
