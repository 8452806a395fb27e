package reactor

import "github.com/corobridge/corobridge/internal/loop"

// Observer is a set of functions that are told what a loop does: see WithObserver. Each may be nil,
// and costs nothing then. A loop may have several observers, and tells them in the order they were
// given in.
//
// The functions must not block. A panic in one goes to the exception handler. Those that are called
// outside the loop must not wait for what it does, nor for its end: Close waits for Stalled. Close
// may be called in each of them.
//
//	BeforeRun, AfterRun    func()
//	BeforePoll             func()
//	AfterPoll              func(ready int)
//	BeforeStep, AfterStep  func(s Step)
//	Turn                   func(ran, events int, busy time.Duration)
//	Lag                    func(d time.Duration)
//	Slow                   func(what string, d time.Duration, stack []byte)
//	Stalled                func(what string, since time.Duration, stack []byte)
//	Backoff                func(op string, err error, d time.Duration)
//	TaskDone               func(name string, err error, age time.Duration)
//
// BeforeRun and AfterRun are called on the loop when a goroutine begins to run it, and when that
// goroutine gives it up. BeforePoll is called on the loop before each visit to the poller: once in
// a turn, or once in 64 entries of the ready queue while there are more; AfterPoll after it, with
// how many descriptors are ready. BeforeStep and AfterStep are called on the loop around each
// callback, step of a task, timer and handler that it runs, with the same Step, AfterStep also
// after a panic.
//
// Turn is called on the loop before each visit to the poller: ran is how many entries of the ready
// queue and timers were run since the last visit, events how many readiness events were delivered,
// and busy how long that took. Lag is called on the loop with each duration that is counted in
// Stats.Lag.
//
// Slow is called on the loop when a callback, or a step of a task, has taken longer than WithDebug
// says, by default 100 ms. what names it, and the task. stack is its stack while it ran, if the
// watchdog came by; otherwise nil. Stalled is called outside the loop, while something runs that
// has taken that long already; again when that has doubled. stack is where it is now. A program
// that gives the loop up then calls Close, which only begins that here.
//
// Backoff is called when something is not tried again for d, because of err: by a server that can't
// accept. It may be called outside the loop, and must not use what it is told of. TaskDone is
// called on the loop when a task has ended, with its name (see task.Name), its error, and the time
// since it was started.
type Observer = loop.Observer

// Step is something that a loop runs: a callback, a step of a task, a timer, the handler of a
// descriptor. Its method Task returns the name of the task, "" if there is none; String says what
// the step is: its task, or the place of its function.
type Step = loop.Step

// looks makes what the loop itself has among its observers, and returns all of them.
func (l *Loop) looks(cfg *config) (all []*Observer) {
	slow, timed := cfg.debug, cfg.debug
	for _, o := range cfg.observers {
		slow = slow || o.Slow != nil || o.Stalled != nil
		timed = timed || o.Turn != nil || o.Lag != nil
	}
	if timed {
		l.meter = &meter{loop: l}
		all = append(all, l.meter.observer())
	}
	all = append(all, cfg.observers...)
	if slow {
		l.watchdog = &watchdog{loop: l, slow: cfg.slow}
		all = append(all, l.watchdog.observer())
	}
	return all
}
