package loop

import "time"

// Deadline is a time by which something has to happen, and which is put off again and again: the
// end of a connection's idleness, say. Putting it off costs no timer operation, it only notes the
// time. The one timer behind it looks at that when it comes, and is set again if it came too early:
// once in the time that something may be idle, however many requests there are.
//
// It is a field of what it watches: the two are one piece of memory, and it must not be copied.
// Init comes first. The other methods may be called from any goroutine.
type Deadline struct{ timer timer }

// Init makes the deadline one of a loop, not pending. r is run on the loop when the deadline has
// passed. A second Init panics.
func (d *Deadline) Init(c *Core, r Runnable) {
	t := &d.timer
	if t.core != nil {
		panic("reactor: a Deadline has its Init once; use a new one")
	}
	t.core, t.index, t.run = c, -1, r
	t.state.Store(timerKept | timerOff)
}

// Extend sets the deadline to idle from now, earlier or later than it was, also if it has passed or
// was stopped. A negative idle is taken for zero. math.MaxInt64 suspends the deadline, likewise
// without a timer operation. On a closed loop Extend does nothing.
//
// On the loop, now is when the turn began, or in a long batch was last looked at: the time that
// callbacks of the same turn have taken by then counts as idle. Among timers of the same time a
// deadline keeps the place it had when its timer was last set.
func (d *Deadline) Extend(idle time.Duration) {
	t := &d.timer
	c := t.core
	if c == nil {
		panic("reactor: the Deadline belongs to no loop; call Init before Extend")
	}
	if !c.coros.Inside() {
		t.extendFromOutside(after(c.world.Now(), idle))
		return
	}
	when := after(c.now, idle)
	if t.is(timerOff) {
		t.arm(when)
		return
	}
	if old := t.at(); when == old {
		return
	} else if t.moveTo(when); when < old && t.index >= 0 && when < c.timers.a[t.index].when {
		c.timers.move(t)
	}
}

// arm sets the timer of a Deadline that is not pending, on the loop.
func (t *timer) arm(when time.Duration) {
	if t.core.closed {
		return
	}
	t.moveTo(when)
	if t.step(timerOff, timerPending) {
		t.Run() // it is still in the heap if word of another goroutine's Stop is on its way
	}
}

// extendFromOutside is Extend in another goroutine. The loop need be told only if it would look too
// late.
func (t *timer) extendFromOutside(when time.Duration) {
	at := moved(when)
	tell := t.moved.Swap(at) > at
	for {
		switch {
		case t.step(timerOff, timerPending):
			if t.core.postForeign(t) != nil {
				t.state.Or(timerOff)
			}
			return
		case t.is(timerMoved), t.step(timerPending, timerMoved):
			if tell {
				t.core.postForeign(t)
			}
			return
		}
	}
}

// Stop ends the wait, and reports whether the deadline was pending. It takes the timer out of the
// loop.
func (d *Deadline) Stop() bool { return d.timer.core != nil && d.timer.stop() }

// Pending reports whether the deadline is still to come.
func (d *Deadline) Pending() bool { return d.timer.core != nil && !d.timer.is(timerOff) }

// When returns the deadline, by the time of day as it is now; the zero time if it is not pending.
func (d *Deadline) When() time.Time {
	if !d.Pending() {
		return time.Time{}
	}
	return d.timer.core.wallAt(d.timer.at())
}
