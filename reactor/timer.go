package reactor

import (
	"math"
	"sync/atomic"
	"time"
)

// Timer is a scheduled callback. It is a small value to be copied freely; the zero Timer, which a closed loop
// returns, is not pending.
type Timer struct{ t *timer }

const (
	timerPending uint32 = iota
	timerFired
	timerStopped
)

// timer is one entry of the heap. Its state is what decides between the loop that fires it and the goroutine that
// stops it; its place in the heap is touched on the loop only.
type timer struct {
	loop  *Loop
	run   Runnable
	when  time.Duration
	index int32 // in the heap, -1 outside
	state atomic.Uint32
}

// CallLater runs fn on the loop after d, which is taken for zero if it is negative; fn never runs in the turn that
// calls CallLater. It may be called from any goroutine. On a closed loop it returns the zero Timer, and Close drops what is
// still pending.
func (l *Loop) CallLater(d time.Duration, fn func()) Timer { return l.callIn(d, callback(fn)) }

// CallAt runs fn on the loop at t, or soon if t has passed. The time that remains is measured once, on the monotonic clock.
func (l *Loop) CallAt(t time.Time, fn func()) Timer {
	return l.callIn(t.Sub(l.clock.Wall()), callback(fn))
}

// PostLater is CallLater for a Runnable.
func (l *Loop) PostLater(d time.Duration, r Runnable) Timer { return l.callIn(d, r) }

func (l *Loop) callIn(d time.Duration, r Runnable) Timer {
	now := l.clock.Now()
	t := &timer{loop: l, run: r, when: now + min(max(d, 0), math.MaxInt64-now), index: -1}
	if l.coros.Inside() {
		if l.closed {
			return Timer{}
		}
		l.timers.add(t)
	} else if l.postForeign((*timerAdd)(t)) != nil {
		return Timer{}
	}
	return Timer{t}
}

// timerAdd and timerDrop are a timer on its way into and out of the heap, through the door.
type (
	timerAdd  timer
	timerDrop timer
)

func (a *timerAdd) Run() {
	if t := (*timer)(a); t.state.Load() == timerPending {
		t.loop.timers.add(t)
	}
}

func (d *timerDrop) Run() {
	if t := (*timer)(d); t.index >= 0 {
		t.loop.timers.remove(t)
	}
}

// Stop prevents the call and reports whether it did: false when the timer has fired or was stopped before, or the loop is
// closed. It may be called from any goroutine.
func (t Timer) Stop() bool {
	if t.t == nil || !t.t.state.CompareAndSwap(timerPending, timerStopped) {
		return false
	}
	if t.t.loop.coros.Inside() {
		(*timerDrop)(t.t).Run()
	} else {
		t.t.loop.postForeign((*timerDrop)(t.t)) // a closed loop has no heap to tidy
	}
	return true
}

// Pending reports whether the call is still to come.
func (t Timer) Pending() bool { return t.t != nil && t.t.state.Load() == timerPending }

// When returns the time of the call, as the clock stands now; the zero time for the zero Timer.
func (t Timer) When() time.Time {
	if t.t == nil {
		return time.Time{}
	}
	c := t.t.loop.clock
	return c.Wall().Add(t.t.when - c.Now())
}

// runTimers fires what is due. Timers made meanwhile wait for the next turn, even when they are due already.
func (l *Loop) runTimers() {
	h := &l.timers
	for last := h.seq; ; {
		if len(h.a) == 0 || h.a[0].when > l.now || h.a[0].seq > last {
			return
		}
		l.fireTimers(last)
	}
}

// fireTimers fires due timers, up to the first that panics.
func (l *Loop) fireTimers(last uint64) {
	defer l.caught("timer")
	h := &l.timers
	for len(h.a) > 0 && h.a[0].when <= l.now && h.a[0].seq <= last {
		t := h.a[0].t
		run := t.run
		h.remove(t)
		if t.state.CompareAndSwap(timerPending, timerFired) {
			l.stats.Timers++
			run.Run()
		}
	}
}

// timerHeap is a 4-ary heap ordered by time, and among equal times by the order of making. The keys are in the
// array itself, so that a comparison touches no timer.
type timerHeap struct {
	a   []timerEntry
	seq uint64
}

type timerEntry struct {
	when time.Duration
	seq  uint64
	t    *timer
}

func (e *timerEntry) before(f *timerEntry) bool {
	return e.when < f.when || e.when == f.when && e.seq < f.seq
}

// first returns when the earliest timer is due.
func (h *timerHeap) first() (when time.Duration, ok bool) {
	if len(h.a) == 0 {
		return 0, false
	}
	return h.a[0].when, true
}

func (h *timerHeap) add(t *timer) {
	h.seq++
	h.a = append(h.a, timerEntry{})
	h.up(len(h.a)-1, timerEntry{t.when, h.seq, t})
}

func (h *timerHeap) remove(t *timer) {
	i, n := int(t.index), len(h.a)-1
	t.index, t.run = -1, nil // a Timer that is kept keeps nothing alive
	last := h.a[n]
	h.a[n] = timerEntry{}
	h.a = h.a[:n]
	if i == n {
		return
	}
	if i > 0 && last.before(&h.a[(i-1)/4]) {
		h.up(i, last)
	} else {
		h.down(i, last)
	}
}

// drop makes every timer one that was stopped.
func (h *timerHeap) drop() {
	for _, e := range h.a {
		e.t.state.CompareAndSwap(timerPending, timerStopped)
		e.t.index, e.t.run = -1, nil
	}
	h.a = nil
}

func (h *timerHeap) put(i int, e timerEntry) {
	h.a[i] = e
	e.t.index = int32(i)
}

// up places e at i or above.
func (h *timerHeap) up(i int, e timerEntry) {
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h.a[parent]) {
			break
		}
		h.put(i, h.a[parent])
		i = parent
	}
	h.put(i, e)
}

// down places e at i or below.
func (h *timerHeap) down(i int, e timerEntry) {
	for {
		child := 4*i + 1
		if child >= len(h.a) {
			break
		}
		least := child
		for k := child + 1; k < min(child+4, len(h.a)); k++ {
			if h.a[k].before(&h.a[least]) {
				least = k
			}
		}
		if !h.a[least].before(&e) {
			break
		}
		h.put(i, h.a[least])
		i = least
	}
	h.put(i, e)
}
