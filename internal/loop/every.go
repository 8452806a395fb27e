package loop

import "time"

// Every calls fn on the loop each d, a positive time: at d, 2d, 3d from now and so on. See
// reactor.Loop.Every. On a closed loop it returns the zero Timer.
func (c *Core) Every(d time.Duration, fn func()) Timer {
	k := &ticker{every: d, fn: fn}
	k.timer = timer{core: c, run: k, when: after(c.world.Now(), d), index: -1}
	k.timer.state.Store(timerRepeats) // and pending, which is no bit
	return c.begun(&k.timer)
}

// ticker is what the timer of an Every runs: it makes one call, and sets the timer again.
type ticker struct {
	timer timer
	every time.Duration
	fn    func()
	tick  time.Duration // the time that the present call is for
}

// Run makes a call, and sets the timer again however that ends.
func (k *ticker) Run() {
	k.tick = k.timer.core.timers.due
	defer k.again()
	k.fn()
}

// Calls is part of Calling.
func (k *ticker) Calls() (op string, fn any) { return "", k.fn }

func (k *ticker) again() {
	t := &k.timer
	was := t.moved.Load()
	if t.is(timerCalling) && (was == 0 || was == moved(k.tick)) { // nobody else has moved it
		t.moved.CompareAndSwap(was, moved(k.next(t.core.world.Now())))
	}
	if t.step(timerCalling, timerPending) || t.step(timerMoved, timerPending) {
		t.core.timers.add(t)
	} else {
		t.forget()
	}
}

// next is the first time after now that is a whole number of intervals after the present one.
func (k *ticker) next(now time.Duration) time.Duration {
	passed := max(now-k.tick, 0) / k.every * k.every
	return after(k.tick+passed, k.every)
}
