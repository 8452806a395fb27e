package reactor

import (
	"math"
	"sync/atomic"
	"time"
)

// Timer is a scheduled callback. It is a small value to be copied freely; the zero Timer, which a closed loop
// returns, is not pending. Its methods may be called from any goroutine.
type Timer struct{ t *timer }

const (
	timerPending uint32 = iota // the call is to come
	timerMoved                 // the same, and the loop has yet to see that its time has changed
	timerTicking               // the function of Every is being called, and the next call is to come
	timerOff                   // it has fired, or was stopped
)

// timer is one entry of the heap. Its state is what decides between the loop that fires it and the goroutine that
// stops or moves it; its place in the heap and its run are touched on the loop only.
type timer struct {
	loop  *Loop
	run   Runnable
	when  time.Duration // as it was made
	moved atomic.Int64  // and the time it was given since, plus one; zero for none
	index int32         // in the heap, -1 outside
	state atomic.Uint32
}

// CallLater runs fn on the loop after d, which is taken for zero if it is negative; fn never runs in the turn that
// calls CallLater. It may be called from any goroutine. On a closed loop it returns the zero Timer, and Close drops what is
// still pending.
//
// Timers go by the loop's monotonic clock: to set the time of day moves none of them. If the clock jumps, as it may where it counts
// the time that the machine was suspended, what is due by then fires at once, each once, in the order of the times.
func (l *Loop) CallLater(d time.Duration, fn func()) Timer { return l.callIn(d, needed(fn)) }

// CallAt runs fn on the loop at t, or soon if t has passed. The time that remains is measured once, on the monotonic clock.
func (l *Loop) CallAt(t time.Time, fn func()) Timer {
	return l.callIn(t.Sub(l.clock.Wall()), needed(fn))
}

// needed panics here for a function that is nil, since later nobody would know who has given it.
func needed(fn func()) callback {
	if fn == nil {
		panic("reactor: CallLater, CallAt and Every need a function")
	}
	return fn
}

// PostLater is CallLater for a Runnable.
func (l *Loop) PostLater(d time.Duration, r Runnable) Timer { return l.callIn(d, r) }

func (l *Loop) callIn(d time.Duration, r Runnable) Timer {
	return l.begun(&timer{loop: l, run: r, when: after(l.clock.Now(), d), index: -1})
}

// after is d, or nothing if it is negative, later than now.
func after(now, d time.Duration) time.Duration { return now + min(max(d, 0), math.MaxInt64-now) }

// begun puts a new timer into the heap, at once or through the door.
func (l *Loop) begun(t *timer) Timer {
	if l.coros.Inside() {
		if l.closed {
			l.refused("CallLater, CallAt or Every")
			return Timer{}
		}
		l.timers.add(t)
	} else if l.postForeign(t) != nil {
		l.refused("CallLater, CallAt or Every")
		return Timer{}
	}
	return Timer{t}
}

// Run makes the heap agree with what other goroutines have done to the timer. They send it through the door.
func (t *timer) Run() {
	h := &t.loop.timers
	reset := t.state.CompareAndSwap(timerMoved, timerPending) // before its time is looked at: who changes that now sends it again
	if _, lazy := t.run.(*lapse); lazy {
		reset = false
	}
	switch off := t.state.Load() == timerOff; {
	case off && t.index >= 0:
		h.remove(t)
		t.forget()
	case off:
		t.forget()
	case t.state.Load() == timerTicking: // Every adds it
	case t.index < 0:
		h.add(t)
	case reset || t.at() < h.a[t.index].when:
		h.move(t)
	}
}

// at is when the timer is due.
func (t *timer) at() time.Duration {
	if moved := t.moved.Load(); moved != 0 {
		return time.Duration(moved - 1)
	}
	return t.when
}

// moveTo changes the time of a timer. The heap is another matter.
func (t *timer) moveTo(when time.Duration) { t.moved.Store(moved(when)) }

func moved(when time.Duration) int64 { return int64(min(when, math.MaxInt64-1)) + 1 }

// forget drops what a timer that is off would have run, so that a Timer that is kept keeps nothing alive. A Deadline runs it again.
func (t *timer) forget() {
	if _, ok := t.run.(*lapse); !ok {
		t.run = nil
	}
}

// Stop prevents the call and reports whether it did: false when the timer has fired or was stopped before, or the loop is
// closed. For an Every it prevents those to come, also while its function runs. A stopped timer takes no memory, and
// does not wake the loop.
func (t Timer) Stop() bool { return t.t != nil && t.t.stop() }

func (t *timer) stop() bool {
	if t.state.Swap(timerOff) == timerOff {
		return false
	}
	if !t.loop.coros.Inside() {
		t.loop.postForeign(t) // a closed loop has no heap to tidy
		return true
	}
	if t.index >= 0 {
		t.loop.timers.remove(t)
	}
	t.forget()
	return true
}

// Reset moves the call to d from now, behind those that are set for the same time already, and reports whether it did: false, and
// nothing happens, when the timer has fired or was stopped, or the loop is closed. For an Every it moves the next call, and those
// after it follow that one.
func (t Timer) Reset(d time.Duration) bool {
	return t.t != nil && t.t.reset(after(t.t.loop.clock.Now(), d))
}

func (t *timer) reset(when time.Duration) bool {
	if t.state.Load() == timerOff {
		return false
	}
	t.moveTo(when)
	inside := t.loop.coros.Inside()
	if inside && t.index >= 0 {
		t.loop.timers.move(t)
		return true
	}
	for {
		s := t.state.Load()
		switch {
		case s == timerOff:
			return false
		case s == timerMoved: // and on its way to the loop, which will look at the time
			return true
		case t.state.CompareAndSwap(s, timerMoved):
			return inside || t.loop.postForeign(t) == nil // inside, it is on its way into the heap
		}
	}
}

// Pending reports whether the call is still to come; of an Every, whether there are calls to come.
func (t Timer) Pending() bool { return t.t != nil && t.t.state.Load() != timerOff }

// When returns the time of the call, as the clock stands now; the zero time for the zero Timer.
func (t Timer) When() time.Time {
	if t.t == nil {
		return time.Time{}
	}
	return t.t.loop.wallAt(t.t.at())
}

// wallAt is a time of the loop's monotonic clock as a time of day.
func (l *Loop) wallAt(when time.Duration) time.Time { return l.clock.Wall().Add(when - l.clock.Now()) }

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
		due := h.a[0].when
		if run := h.take(); run != nil {
			l.stats.Timers++
			if l.watchdog != nil {
				run = l.watchdog.watch("timer", run)
			}
			if l.meter != nil {
				l.meter.fire(l, run, l.now-due)
			} else {
				run.Run()
			}
		}
	}
}

// take claims the first timer, which its place says is due, and returns what it runs; nil if it was put off or stopped. Either way it
// has left its place.
func (h *timerHeap) take() Runnable {
	t := h.a[0].t
	run := t.run
	if t.state.Load() == timerMoved {
		t.state.CompareAndSwap(timerMoved, timerPending) // before the time is looked at, as in Run
	}
	if at := t.at(); at > h.a[0].when && t.state.Load() != timerOff {
		h.postpone(at)
		return nil
	}
	fired := timerOff
	k, every := run.(*ticker)
	if every {
		fired = timerTicking
	}
	claimed := t.state.CompareAndSwap(timerPending, fired)
	if !claimed && t.state.Load() == timerMoved {
		return nil // just now: it is looked at again
	}
	h.remove(t)
	if every && claimed {
		k.tick = t.at()
	} else {
		t.forget()
	}
	if !claimed {
		return nil
	}
	return run
}
