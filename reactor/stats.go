package reactor

import (
	"math/bits"
	"time"
)

// Stats are counts of what a loop has done, and what it has at the moment: a snapshot between two entries of the ready queue.
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
	AcceptBackoffs uint64 // times a server stopped accepting for a while, for want of descriptors or memory

	// What there is now.

	Ready         int // entries of the ready queue
	Door          int // entries that other goroutines have queued and the loop has not taken in
	PendingTimers int // timers to come
	Sources       int // descriptors watched
	Tasks         int // tasks that have begun and not ended
	BuffersLent   int // pieces of memory that connections hold for bytes on their way

	// Times, measured from the first call of Loop.Stats on; from the beginning in debug mode, and with an Observer that has a use
	// for them. Before that the loop does not look at the clock so often.

	Busy time.Duration // spent at work
	Idle time.Duration // spent in the poller
	Lag  Histogram     // how late timers fired, and how long each round from poll to poll took: what is ready waits no longer
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

// Histogram counts durations by their binary order of magnitude: element 0 those below a microsecond, element i those from
// 1<<(i-1) microseconds below 1<<i, and the last one all that are longer.
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

// Quantile returns what the part q of the durations, 0 to 1, does not exceed: the upper bound of an element of the
// histogram, so up to twice the exact value. It is 0 if nothing was counted.
func (h Histogram) Quantile(q float64) time.Duration {
	left := q * float64(h.Count())
	for i, c := range h {
		if left -= float64(c); left <= 0 && c > 0 {
			return time.Microsecond << i
		}
	}
	return 0
}

// Stats returns a snapshot. Outside the loop it waits until the loop answers, in its next turn or when it ends: so it waits as long as the
// loop is stalled. On another loop it would stop that one meanwhile, and two loops that ask each other would wait for ever: call it there
// through task.Blocking, or ask each loop on itself, as task.OnEach does.
func (l *Loop) Stats() Stats {
	if l.InLoop() {
		return l.snapshot()
	}
	answer := make(chan Stats, 1)
	l.Look(func() { answer <- l.snapshot() })
	return <-answer
}

// snapshot is called on the loop, or under life when nobody runs it.
func (l *Loop) snapshot() Stats {
	s := l.stats
	s.TaskSteps = l.coros.Steps()
	s.AcceptBackoffs = l.backoffs.Load()
	s.Ready = l.readyCount()
	s.PendingTimers = len(l.timers.a)
	s.Tasks = l.coros.Live()
	s.Sources = l.fds.len()
	s.BuffersLent = l.loc.buffersLent()
	l.door.mu.Lock()
	s.Wakeups, s.Door = l.door.wakes, len(l.door.inbox)
	l.door.mu.Unlock()
	if l.meter == nil {
		l.meter = &meter{on: l.InLoop(), began: l.clock.Now()}
	}
	s.Busy, s.Idle, s.Lag = l.meter.busy+l.meter.round(l), l.meter.idle, l.meter.lag
	return s
}

func (t *sourceTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.slots) - len(t.free)
}

// buffersLent asks the values that lend memory.
func (s *locals) buffersLent() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.values {
		if b, ok := v.value.(interface{ BuffersLent() int }); ok {
			n += b.BuffersLent()
		}
	}
	return n
}

// meter measures how the loop spends its time. Each round goes from one visit to the poller to the next.
type meter struct {
	on    bool          // the loop runs
	began time.Duration // the present round, or the present visit to the poller
	spent time.Duration // of the round, when the loop stopped running in it
	busy  time.Duration
	idle  time.Duration
	lag   Histogram

	items, events uint64 // run and delivered when the round began
}

// endRound is called before a visit to the poller.
func (m *meter) endRound(l *Loop) {
	d := m.round(l)
	m.began += d
	m.busy += d
	m.late(l, d)
	items := l.stats.Callbacks + l.stats.Timers
	if o := l.observer; o != nil && o.Turn != nil {
		l.tell(func() { o.Turn(int(items-m.items), int(l.stats.Events-m.events), d) })
	}
	m.items, m.events = items, l.stats.Events
}

// beginRound is called after it.
func (m *meter) beginRound(l *Loop) {
	now := l.clock.Now()
	m.idle += now - m.began
	m.began = now
}

// fire runs a timer that fires d after its time. The observer is told of that last: it may call runtime.Goexit, too.
func (m *meter) fire(l *Loop, run Runnable, d time.Duration) {
	defer m.late(l, d)
	run.Run()
}

// late counts that something came d after its time.
func (m *meter) late(l *Loop, d time.Duration) {
	m.lag.add(d)
	if o := l.observer; o != nil && o.Lag != nil {
		l.tell(func() { o.Lag(d) })
	}
}

// round returns how long the round has lasted.
func (m *meter) round(l *Loop) time.Duration {
	if !m.on {
		return m.spent
	}
	return l.clock.Now() - m.began
}

// resume goes on with the round, when a goroutine begins to run the loop.
func (m *meter) resume(l *Loop) {
	if !m.on {
		m.on, m.began = true, l.clock.Now()-m.spent
	}
}

// pause stops the clock, when that goroutine gives the loop up.
func (m *meter) pause(l *Loop) { m.spent, m.on = m.round(l), false }
