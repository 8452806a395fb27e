package loop

import "slices"

// Moment is a point of each turn, or of a loop's life, at which the loop runs what At was given.
type Moment int

const (
	// BatchEnd is when the running batch ends: before the loop looks for events or blocks.
	BatchEnd Moment = iota
	// TurnEnd is when the turn ends, after all of its callbacks.
	TurnEnd
	// BeforePoll is before the loop looks for events.
	BeforePoll
	// BeforeSleep is before the loop looks for events and blocks until there are some. See
	// SleepsForever and LookAgain.
	BeforeSleep
	// Closing is when Close begins: to cancel what would keep it waiting.
	Closing

	loopMoments = int(Closing) // those before are touched on the loop only
)

var momentNames = [...]string{"flush", "end of turn", "before poll", "before sleep", "at close"}

// At has r run once, at the next moment m, after what At was given for it before. It is called on
// the loop, except for Closing.
//
// What is given for Closing is run in the reverse order, the latest first; soon, if Close has
// begun; never, if the loop is closed.
func (c *Core) At(m Moment, r Runnable) {
	if r == nil {
		panic("loop: At with nil; give something to run")
	}
	if m == Closing {
		c.atClosing(r)
		return
	}
	c.moments[m].add(r)
}

// Each has r run each time at moment m, before what At was given. If it is called at that moment, r
// has its first turn at once. It is called on the loop, and not for Closing.
func (c *Core) Each(m Moment, r Runnable) {
	q := &c.moments[m]
	q.each = append(q.each, r)
}

// Not takes back r, a pointer, which At was given and has not been run, or Each was given. It
// reports whether there was one. It is called where At is.
func (c *Core) Not(m Moment, r Runnable) bool {
	if m == Closing {
		c.life.mu.Lock()
		defer c.life.mu.Unlock()
		return c.life.closing.remove(r)
	}
	return c.moments[m].remove(r)
}

func (c *Core) atClosing(r Runnable) {
	c.life.mu.Lock()
	if !c.closed {
		c.life.closing.add(r)
	}
	c.life.mu.Unlock()
	if c.closing.Load() {
		c.lookAgain()
	}
}

// RunClosing runs what was given for Closing, and reports whether that is all. It is not all when
// something gives itself again and again. It is called on the loop.
func (c *Core) RunClosing() bool {
	const atOnce = 1 << 10
	for range atOnce {
		c.life.mu.Lock()
		r := c.life.closing.takeLast()
		c.life.mu.Unlock()
		if r == nil {
			return true
		}
		c.guarded(momentNames[Closing], r)
	}
	return false
}

// runMoment runs what there is for a moment now: what At adds meanwhile is for the next time. After
// a runtime.Goexit it goes on where that broke it off.
func (c *Core) runMoment(m Moment) {
	q := &c.moments[m]
	if len(q.each) > 0 {
		c.runEach(m)
	}
	for end := len(q.items); q.at < end; {
		c.runUntilPanic(m, end)
	}
	q.dropRun()
}

// runInTime is runMoment for a moment of each turn. What there is no time for comes the next time,
// before what is added meanwhile.
func (c *Core) runInTime(m Moment) {
	q := &c.moments[m]
	if q.empty() {
		return
	}
	if len(q.each) > 0 {
		c.runEach(m)
	}
	c.begin(ofMoments)
	for end, over := len(q.items), false; q.at < end && !over; {
		over = c.runUntilPanic(m, end)
	}
	q.dropRun()
}

func (c *Core) runEach(m Moment) {
	q := &c.moments[m]
	for i := 0; i < len(q.each); i++ {
		if r := q.each[i]; r != nil {
			c.guarded(momentNames[m], r)
		}
	}
	q.each = slices.DeleteFunc(q.each, func(r Runnable) bool { return r == nil })
}

// runUntilPanic runs items up to one that panics, or to the end of their time, which it reports.
func (c *Core) runUntilPanic(m Moment, end int) (over bool) {
	whole := false
	defer c.Caught(momentNames[m], &whole)
	q := &c.moments[m]
	for n, next := 1, c.pace.stride(); q.at < end && !over; n++ {
		r := q.items[q.at]
		q.items[q.at] = nil
		q.at++
		if r == nil { // taken back meanwhile
			continue
		}
		if c.steps.told {
			if _, own := r.(Composite); !own {
				r = c.steps.of(momentNames[m], r)
			}
		}
		r.Run()
		if n >= next || c.pace.next == 0 {
			over = c.over()
			next = n + c.pace.stride()
		}
	}
	whole = true
	return over
}

// list is what is to be run at a moment.
type list struct {
	items []Runnable // once; nil where one was taken back
	at    int        // how far they have run
	each  []Runnable // each time; nil where one was taken back
}

// dropRun takes out what has been run.
func (q *list) dropRun() {
	rest := copy(q.items, q.items[q.at:])
	clear(q.items[rest:])
	q.items, q.at = q.items[:rest], 0
}

func (q *list) add(r Runnable) { q.items = append(q.items, r) }

// empty reports whether nothing is to be run once.
func (q *list) empty() bool { return len(q.items) == 0 }

// some reports whether there is anything to be run.
func (q *list) some() bool { return len(q.items)+len(q.each) > 0 }

// remove takes r out, and reports whether it was there.
func (q *list) remove(r Runnable) bool {
	i, k := slices.Index(q.items[q.at:], r), slices.Index(q.each, r)
	switch {
	case i >= 0 && q.at == 0:
		q.items = slices.Delete(q.items, i, i+1)
	case i >= 0: // the list is being run: its places stay where they are
		q.items[q.at+i] = nil
	case k >= 0: // likewise, perhaps
		q.each[k] = nil
	}
	return i >= 0 || k >= 0
}

// takeLast takes out the latest that is to be run once, nil if there is none.
func (q *list) takeLast() Runnable {
	n := len(q.items) - 1
	if n < 0 {
		return nil
	}
	r := q.items[n]
	q.items = slices.Delete(q.items, n, n+1)
	return r
}
