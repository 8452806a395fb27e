package loop

import (
	"math"
	"sync/atomic"
	"time"
)

// The life of a timer. Any goroutine may stop or move it while the loop fires it, so its state is
// one atomic word, and each step is one compare-and-swap.
//
//	state    the call …                                the timer is
//	pending  is to come                                in the heap, or on its way there
//	moved    is to come, and its time was changed      in the heap or not; word of the change is
//	         by another goroutine, or from inside      on its way to the loop, except for an Every
//	         the call of an Every                      that has moved itself
//	calling  of an Every runs, and the next is to come nowhere
//	off      has been made, or was prevented           in the heap only if another goroutine has
//	                                                   stopped it, and word of that is on its way
//
//	from     to       by whom
//	pending  calling  the loop, when an Every is due
//	pending  off      the loop, when any other timer is due
//	pending  moved    another goroutine: Reset, and Extend of a Deadline
//	calling  moved    anyone: Reset
//	moved    pending  the loop, before it looks at the new time
//	calling  pending  the loop, when the call has returned
//	off      pending  anyone: Extend of a Deadline. No other timer leaves off.
//	any      off      anyone: Stop. The loop: Close.
//
// A goroutine that moves a timer stores the new time first, then the state, then sends the timer
// through the door. The loop sets the state back first and then looks at the time. So a change that
// the loop does not see yet comes through the door once more.
//
// Everything else in a timer is touched on the loop only, or before it is first sent there.
const (
	timerPending uint32 = iota
	timerMoved
	timerCalling
	timerOff
	timerState uint32 = 3 // the bits of the state
)

// Two more bits of the state word say what the timer is for. They never change.
const (
	timerRepeats uint32 = 4 << iota // of an Every: its function is called again and again
	timerKept                       // of a Deadline: it keeps what it runs, and is moved lazily
)

// timer is one entry of the heap.
type timer struct {
	core  *Core
	run   Runnable      // nil when it is off for good
	when  time.Duration // as it was made
	moved atomic.Int64  // the time it was given since, plus one; zero for none
	index int32         // in the heap, -1 outside
	state atomic.Uint32
}

// Timer is a scheduled callback. It is a small value to be copied freely; the zero Timer, which a
// closed loop returns, is not pending. Its methods may be called from any goroutine.
type Timer struct{ t *timer }

// PostLater queues r after d, but never in the turn that calls PostLater. A negative d is taken for
// zero. On a closed loop it returns the zero Timer.
func (c *Core) PostLater(d time.Duration, r Runnable) Timer {
	return c.begun(c.newTimer(after(c.world.Now(), d), r))
}

// PostAt is PostLater for a time of day. Calls for the same time run in the order they were made
// in.
func (c *Core) PostAt(t time.Time, r Runnable) Timer {
	return c.begun(c.newTimer(max(c.day.when(c.world, t), c.world.Now()), r))
}

func (c *Core) newTimer(when time.Duration, r Runnable) *timer {
	if r == nil {
		panic("loop: PostLater or PostAt of nil; give something to run")
	}
	return &timer{core: c, run: r, when: when, index: -1}
}

// after is d later than now; now if d is negative.
func after(now, d time.Duration) time.Duration { return now + min(max(d, 0), math.MaxInt64-now) }

// begun puts a new timer into the heap, at once or through the door.
func (c *Core) begun(t *timer) Timer {
	if c.coros.Inside() {
		if c.closed {
			c.Refused("CallLater, CallAt or Every")
			return Timer{}
		}
		c.timers.add(t)
	} else if c.postForeign(t) != nil {
		c.Refused("CallLater, CallAt or Every")
		return Timer{}
	}
	return Timer{t}
}

// is reports whether the timer is in a state.
func (t *timer) is(state uint32) bool { return t.state.Load()&timerState == state }

// step takes the timer from one state to another, and reports whether it was in the first.
func (t *timer) step(from, to uint32) bool {
	s := t.state.Load()
	return s&timerState == from && t.state.CompareAndSwap(s, s&^timerState|to)
}

// Run makes the heap agree with what other goroutines have done to the timer: they send it here,
// through the door.
func (t *timer) Run() {
	h := &t.core.timers
	reset := t.step(timerMoved, timerPending) && t.state.Load()&timerKept == 0
	switch off := t.is(timerOff); {
	case off && t.index >= 0:
		h.remove(t)
		t.forget()
	case off:
		t.forget()
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

// forget drops what a timer that is off for good would have run. So a Timer that somebody keeps
// does not keep anything else alive.
func (t *timer) forget() {
	if t.state.Load()&timerKept == 0 {
		t.run = nil
	}
}

// Stop prevents the call and reports whether it did. It is false if the timer has fired or was
// stopped before, or if the loop is closed. For an Every it prevents all calls to come, also while
// its function runs. A stopped timer takes no memory, and does not wake the loop.
func (t Timer) Stop() bool { return t.t != nil && t.t.stop() }

func (t *timer) stop() bool {
	if t.state.Or(timerOff)&timerState == timerOff {
		return false
	}
	if !t.core.coros.Inside() {
		t.core.postForeign(t) // a closed loop has no heap to tidy
		return true
	}
	if t.index >= 0 {
		t.core.timers.remove(t)
	}
	t.forget()
	return true
}

// Reset moves the call to d from now, behind the timers that are set for the same time already, and
// reports whether it did. If the timer has fired or was stopped, or the loop is closed, it does
// nothing and returns false. For an Every it moves the next call, and those after it follow that
// one.
func (t Timer) Reset(d time.Duration) bool {
	return t.t != nil && t.t.reset(after(t.t.core.world.Now(), d))
}

func (t *timer) reset(when time.Duration) bool {
	if t.is(timerOff) {
		return false
	}
	t.moveTo(when)
	inside := t.core.coros.Inside()
	if inside && t.index >= 0 {
		t.core.timers.move(t)
		return true
	}
	for {
		switch {
		case t.is(timerOff):
			return false
		case t.is(timerMoved): // and on its way to the loop, which will look at the time
			return true
		case t.step(timerPending, timerMoved), t.step(timerCalling, timerMoved):
			return inside || t.core.postForeign(t) == nil // inside, it is on its way into the heap
		}
	}
}

// Pending reports whether the call is still to come; of an Every, whether there are calls to come.
func (t Timer) Pending() bool { return t.t != nil && !t.t.is(timerOff) }

// When returns the time of the call, by the time of day as it is now. It is the zero time for the
// zero Timer.
func (t Timer) When() time.Time {
	if t.t == nil {
		return time.Time{}
	}
	return t.t.core.wallAt(t.t.at())
}

// runTimers fires what is due, or as much of it as there is time for. Timers made meanwhile wait
// for the next turn, even if they are due already.
func (c *Core) runTimers() {
	h := &c.timers
	if len(h.a) == 0 || h.a[0].when > c.now {
		return
	}
	c.begin(ofTimers)
	due, last, over := c.now, h.seq, false
	for !over && len(h.a) > 0 && h.a[0].when <= due && h.a[0].seq <= last {
		over = c.fireTimers(due, last)
	}
}

// fireTimers fires timers that are due, up to the first that panics. It reports whether their time
// is over.
func (c *Core) fireTimers(due time.Duration, last uint64) (over bool) {
	whole := false
	defer c.Caught("timer", &whole)
	h, watched := &c.timers, c.seen.Load() != nil
	for n, next := 1, c.pace.stride(); !over && len(h.a) > 0 && h.a[0].when <= due && h.a[0].seq <= last; n++ {
		place := h.a[0].when
		if run := h.take(); run != nil {
			c.counts.Timers++
			if c.steps.told {
				run = c.steps.of("timer", run)
			}
			if watched {
				c.fireWatched(run, due-place)
			} else {
				run.Run()
			}
		}
		if n >= next || c.pace.next == 0 {
			over = c.over()
			next = n + c.pace.stride()
		}
	}
	whole = true
	return over
}

// fireWatched runs a timer that fires late after its time. The observers are told of that last: one
// of them may call runtime.Goexit, too.
func (c *Core) fireWatched(run Runnable, late time.Duration) {
	defer c.Late(late)
	run.Run()
}

// take takes the first timer, which is due by its place in the heap, and returns what it runs. It
// returns nil if the timer was put off or stopped. In each case the timer has left its place.
func (h *timerHeap) take() Runnable {
	t, run := h.a[0].t, h.a[0].t.run
	t.step(timerMoved, timerPending) // before its time is looked at
	at := t.at()
	if at > h.a[0].when && !t.is(timerOff) {
		h.postpone(at)
		return nil
	}
	fired := timerOff
	if t.state.Load()&timerRepeats != 0 {
		fired = timerCalling
	}
	claimed := t.step(timerPending, fired)
	if !claimed && t.is(timerMoved) {
		return nil // just now: it is looked at again
	}
	h.remove(t)
	if fired == timerOff || !claimed {
		t.forget()
	}
	if !claimed {
		return nil
	}
	h.due = at
	return run
}
