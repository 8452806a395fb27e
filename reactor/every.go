package reactor

import (
	"fmt"
	"time"
)

// Every calls fn on the loop each d: at d, 2d, 3d from now and so on, however long the calls take, so
// that nothing drifts. Two calls never run at once. A call that comes late, because the loop was busy
// or the clock has jumped, is made once; times that have passed when fn returns are skipped. The
// Timer's Stop ends it, from fn too. Its Reset(e) makes the next call at e from now, and the others d
// apart from that one. If fn panics, that is reported as any callback's panic, and the calls go on.
//
// It may be called from any goroutine. On a closed loop it returns the zero Timer. It panics if d is
// not positive, or fn is nil.
func (l *Loop) Every(d time.Duration, fn func()) Timer {
	if d <= 0 {
		panic(fmt.Sprintf("reactor: Every(%v): give a positive time between two calls", d))
	}
	k := &ticker{every: d, fn: needed(fn)}
	k.timer = timer{loop: l, run: k, when: after(l.clock.Now(), d), index: -1}
	k.timer.state.Store(timerRepeats) // and pending, which is no bit
	return l.begun(&k.timer)
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
	k.tick = k.timer.loop.timers.due
	defer k.again()
	k.fn()
}

// calls is what the watchdog is told that runs.
func (k *ticker) calls() any { return callback(k.fn) }

func (k *ticker) again() {
	t := &k.timer
	was := t.moved.Load()
	if t.is(timerCalling) && (was == 0 || was == moved(k.tick)) { // nobody else has moved it
		t.moved.CompareAndSwap(was, moved(k.next(t.loop.clock.Now())))
	}
	if t.step(timerCalling, timerPending) || t.step(timerMoved, timerPending) {
		t.loop.timers.add(t)
	} else {
		t.forget()
	}
}

// next is the first time after now that is a whole number of intervals after the present one.
func (k *ticker) next(now time.Duration) time.Duration {
	passed := max(now-k.tick, 0) / k.every * k.every
	return after(k.tick+passed, k.every)
}
