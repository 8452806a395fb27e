package reactor

import "time"

// Deadline is a time by which something has to happen, and which is put off again and again: the end of a connection's idleness, say.
// To put it off costs no timer operation, it only notes the time. The one timer behind it looks at that when it comes, and is
// set again if it came too early: once in the time that something may be idle, however many requests there are.
//
// It is a field of what it watches: the two are one piece of memory, and it must not be copied. Init comes first. The
// other methods may be called from any goroutine.
type Deadline struct {
	timer timer
	run   Runnable
}

// lapse is a Deadline as what its timer runs.
type lapse Deadline

func (d *lapse) Run() { d.run.Run() }

// Init makes the deadline one of the loop l that is not pending. r is run on the loop when it has passed. It is called once.
func (d *Deadline) Init(l *Loop, r Runnable) {
	if d.timer.loop != nil {
		panic("reactor: a Deadline has its Init once; use a new one")
	}
	d.timer.loop, d.timer.index, d.timer.run, d.run = l, -1, (*lapse)(d), r
	d.timer.state.Store(timerOff)
}

// Extend sets the deadline to idle from now, earlier or later than it was, also if it has passed or was stopped. A negative idle is
// taken for zero; math.MaxInt64 suspends the deadline, likewise without a timer operation. On a closed loop Extend does nothing.
//
// On the loop, now is when the turn began, or in a long batch was last looked at: the time that callbacks of the same turn have taken by then
// counts as idle. Among timers of the same time a deadline comes where it stood when it was last set in earnest.
func (d *Deadline) Extend(idle time.Duration) {
	t := &d.timer
	l := t.loop
	if l == nil {
		panic("reactor: the Deadline belongs to no loop; call Init before Extend")
	}
	if !l.coros.Inside() {
		t.extendFromOutside(after(l.clock.Now(), idle))
		return
	}
	when := after(l.now, idle)
	if t.state.Load() == timerOff {
		t.arm(when)
		return
	}
	if old := t.at(); when == old {
		return
	} else if t.moveTo(when); when < old && t.index >= 0 && when < l.timers.a[t.index].when {
		l.timers.move(t)
	}
}

// arm sets the timer of a Deadline that is not pending, on the loop.
func (t *timer) arm(when time.Duration) {
	if t.loop.closed {
		return
	}
	t.moveTo(when)
	if t.state.CompareAndSwap(timerOff, timerPending) {
		t.Run() // it is still in the heap if another goroutine has stopped it, and that word is under way
	}
}

// extendFromOutside is Extend in another goroutine. The loop need be told only if it would look too late.
func (t *timer) extendFromOutside(when time.Duration) {
	at := moved(when)
	tell := t.moved.Swap(at) > at
	for {
		switch s := t.state.Load(); {
		case s == timerOff:
			if t.state.CompareAndSwap(timerOff, timerPending) {
				if t.loop.postForeign(t) != nil {
					t.state.Store(timerOff)
				}
				return
			}
		case s == timerMoved || t.state.CompareAndSwap(timerPending, timerMoved):
			if tell {
				t.loop.postForeign(t)
			}
			return
		}
	}
}

// Stop ends the wait, and reports whether the deadline was pending. It takes the timer out of the loop.
func (d *Deadline) Stop() bool { return d.timer.loop != nil && d.timer.stop() }

// Pending reports whether the deadline is still to come.
func (d *Deadline) Pending() bool { return d.timer.loop != nil && d.timer.state.Load() != timerOff }

// When returns the deadline as a time of day, as the clock stands now; the zero time if it is not pending.
func (d *Deadline) When() time.Time {
	if !d.Pending() {
		return time.Time{}
	}
	return d.timer.loop.wallAt(d.timer.at())
}
