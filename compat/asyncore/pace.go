package asyncore

import "time"

// asyncore's loop waits at most its timeout, and then asks Readable and Writable again, whether or
// not anything has happened. Handlers pace themselves by that. Here it is done in two ways. Poll
// and a Loop with Count wait no longer themselves. Otherwise the loop is run by others, or as a
// whole, and a ticker makes it look up. There is one only while a handler of the map has
// predicates.

// defaultTimeout is that of asyncore.loop.
const defaultTimeout = 30 * time.Second

// AskEvery sets how long the handlers of a map whose loop others run (On) are not asked Readable
// and Writable at most, even if nothing happens. The default is 30 s; a negative duration is no
// bound. For a map of NewMap, Loop's Timeout says that.
func AskEvery(d time.Duration) Option { return func(m *Map) { m.every = d } }

// pace starts the ticker when there is a handler to ask, and stops it when there is none.
func (m *Map) pace() {
	wanted := m.pacing && m.every > 0 && len(m.asked) > 0
	switch {
	case wanted && !m.ticking:
		m.ticking = true
		m.ticker = m.core.Every(m.every, func() {}) // the turn that this makes is what is wanted
	case !wanted && m.ticking:
		m.ticking = false
		m.ticker.Stop()
	}
}

// paced has the predicates asked at least each timeout, until over is called.
func (m *Map) paced(timeout time.Duration) (over func()) {
	before := m.every
	m.every, m.pacing = timeout, true
	m.pace()
	return func() {
		m.pacing = false
		m.pace()
		m.every = before
	}
}

// turnsAtOnce is how many turns of the loop a poll that does not wait makes at most.
const turnsAtOnce = 64

// iterations runs count iterations (negative: no bound), while there is anything to run for.
func (m *Map) iterations(timeout time.Duration, count int) error {
	m.core.GoOn() // a Stop from before concerned an earlier run
	return m.core.Steps(func(step func(time.Duration) bool) {
		for ; m.goesOn() && count != 0; count-- {
			if !m.iterate(step, timeout) {
				return
			}
		}
	})
}

// iterate turns the loop until a handler was called, or the timeout is over. It reports whether to
// go on. A Connect takes several turns, and so may the loop's own business. Nobody is asked again
// in them, unless callbacks of others have run.
func (m *Map) iterate(step func(limit time.Duration) bool, timeout time.Duration) (more bool) {
	defer func() { m.within = false }()
	world := m.core.World()
	began, left := world.Now(), timeout
	for turns := 1; ; turns++ {
		called := m.callbacks.Load()
		items, events := m.core.Ran()
		if !step(left) {
			return false
		}
		if m.callbacks.Load() != called || !m.goesOn() {
			return true
		}
		ran, told := m.core.Ran()
		switch {
		case timeout == 0:
			if m.connects == 0 || ran == items && told == events || turns == turnsAtOnce {
				return true
			}
		case timeout > 0:
			if left = timeout - (world.Now() - began); left <= 0 {
				return true
			}
		}
		m.within = m.connects > 0 || ran == items
	}
}
