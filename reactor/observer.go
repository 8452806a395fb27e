package reactor

import (
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Observer is a set of functions that are told what a loop does. Each may be nil, and costs nothing then. They must not block; a panic
// of one goes to the exception handler. Those that are called outside the loop must not wait for what it does, nor for its end: Close waits for
// Stalled. Close may be called in each of them.
type Observer struct {
	// Turn is called on the loop before each visit to the poller: once in a turn, or in 64 entries of the ready queue while
	// there are more. ran is how many of those and of timers were run since the last visit, events how many readiness events were
	// delivered, and busy how long that took.
	Turn func(ran, events int, busy time.Duration)
	// Lag is called on the loop with each duration that is counted in Stats.Lag.
	Lag func(d time.Duration)
	// Slow is called on the loop when a callback, or a step of a task, has taken longer than WithDebug says, by default 100 ms. what
	// names it, and the task. stack is that of the callback or task while it ran, if the watchdog came by; else nil.
	Slow func(what string, d time.Duration, stack []byte)
	// Stalled is called outside the loop, while a callback or a step of a task runs that has taken that long already; again when that
	// has doubled. stack is where it is now. A program that gives the loop up then calls Close, which only begins that here.
	Stalled func(what string, since time.Duration, stack []byte)
	// Backoff is called when the loop's user stops trying something for d, because of err: a server that can't accept. It
	// may be called outside the loop, and must not use what it is told of.
	Backoff func(op string, err error, d time.Duration)
	// TaskDone is called on the loop when a task has ended, with its name (see task.Name), its error, and the time since it was
	// started.
	TaskDone func(name string, err error, age time.Duration)
}

// WithObserver sets who is told what the loop does. o is copied. Several loops may share an observer, whose functions must then be
// safe for that.
func WithObserver(o *Observer) Option {
	return func(c *config) { c.observer = o }
}

// Observer returns a copy of the loop's observer, whose fields are nil if there is none.
func (l *Loop) Observer() Observer {
	if l.observer == nil {
		return Observer{}
	}
	return *l.observer
}

// Backoff counts that op failed with err and is not tried again for d, and tells the observer. It may be called from any goroutine. It
// is for the packages of this module.
func (l *Loop) Backoff(op string, err error, d time.Duration) {
	l.backoffs.Add(1)
	if o := l.observer; o != nil && o.Backoff != nil {
		l.tellOutside(func() { o.Backoff(op, err, d) })
	}
}

// tell calls the observer, on the loop.
func (l *Loop) tell(fn func()) {
	defer l.caught("observer")
	fn()
}

// tellOutside calls the observer, perhaps outside the loop.
func (l *Loop) tellOutside(fn func()) {
	defer func() {
		if v := recover(); v != nil {
			e := Exception{Op: "observer", Err: coro.Recovered(v)}
			if l.Post(callback(func() { l.Report(e) })) != nil {
				logException(l, e) // a closed loop calls no handler
			}
		}
	}()
	fn()
}
