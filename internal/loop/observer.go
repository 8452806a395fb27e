package loop

import (
	"slices"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// Observer is a set of functions that are told what a loop does. Each may be nil, and costs nothing
// then. A loop may have several observers, and tells them in the order they were given in.
//
// The functions must not block. A panic in one goes to the exception handler. Those that are called
// outside the loop must not wait for what it does, nor for its end: Close waits for Stalled. Close
// may be called in each of them.
type Observer struct {
	// BeforeRun and AfterRun are called on the loop when a goroutine begins to run it, and when
	// that goroutine gives it up.
	BeforeRun, AfterRun func()
	// BeforePoll is called on the loop before each visit to the poller: once in a turn, or once in
	// 64 entries of the ready queue while there are more. AfterPoll is called after it, with how
	// many descriptors are ready.
	BeforePoll func()
	AfterPoll  func(ready int)
	// BeforeStep and AfterStep are called on the loop around each callback, step of a task, timer
	// and handler that it runs. AfterStep is called with the same Step, also after a panic.
	BeforeStep, AfterStep func(s Step)
	// Turn is called on the loop before each visit to the poller. ran is how many entries of the
	// ready queue and timers were run since the last visit, events how many readiness events were
	// delivered, and busy how long that took.
	Turn func(ran, events int, busy time.Duration)
	// Lag is called on the loop with each duration that is counted in Stats.Lag.
	Lag func(d time.Duration)
	// Slow is called on the loop when a callback, or a step of a task, has taken longer than
	// WithDebug says, by default 100 ms. what names it, and the task. stack is its stack while it
	// ran, if the watchdog came by; otherwise nil.
	Slow func(what string, d time.Duration, stack []byte)
	// Stalled is called outside the loop, while a callback or a step of a task runs that has taken
	// that long already; again when that has doubled. stack is where it is now. A program that
	// gives the loop up then calls Close, which only begins that here.
	Stalled func(what string, since time.Duration, stack []byte)
	// Backoff is called when something is not tried again for d, because of err: by a server that
	// can't accept. It may be called outside the loop, and must not use what it is told of.
	Backoff func(op string, err error, d time.Duration)
	// TaskDone is called on the loop when a task has ended, with its name (see task.Name), its
	// error, and the time since it was started.
	TaskDone func(name string, err error, age time.Duration)
}

// observers are those of a loop. They are replaced as a whole, since any goroutine reads them.
type observers []*Observer

// Observe adds an observer. It is called on the loop, or while nobody else can run it. An observer
// with steps is added by Init only.
func (c *Core) Observe(o *Observer) {
	all := append(slices.Clone(c.observing()), o)
	c.seen.Store(&all)
	if o.BeforeStep != nil || o.AfterStep != nil {
		c.steps.core, c.steps.told = c, true
	}
}

func (c *Core) observing() observers {
	if all := c.seen.Load(); all != nil {
		return *all
	}
	return nil
}

// Watched reports whether there is an observer that wants what is asked for.
func (c *Core) Watched(wants func(o *Observer) bool) bool {
	return slices.ContainsFunc(c.observing(), wants)
}

// Tell calls fn with each observer, on the loop.
func (c *Core) Tell(fn func(o *Observer)) {
	for _, o := range c.observing() {
		c.tellOne(o, fn)
	}
}

func (c *Core) tellOne(o *Observer, fn func(o *Observer)) {
	whole := false
	defer c.Caught("observer", &whole)
	fn(o)
	whole = true
}

// TellOutside calls fn with each observer, on any goroutine.
func (c *Core) TellOutside(fn func(o *Observer)) {
	for _, o := range c.observing() {
		c.tellOneOutside(o, fn)
	}
}

func (c *Core) tellOneOutside(o *Observer, fn func(o *Observer)) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if err := coro.Unwound(recover()); err != coro.ErrGoexit {
			e := Exception{Op: "observer", Err: err}
			if c.Post(Callback(func() { c.Report(e) })) != nil {
				c.log(e) // a closed loop calls no handler
			}
		}
	}()
	fn(o)
	returned = true
}

// Backoff counts that op failed with err and is not tried again for d, and tells the observers.
func (c *Core) Backoff(op string, err error, d time.Duration) {
	c.backoffs.Add(1)
	c.TellOutside(func(o *Observer) {
		if o.Backoff != nil {
			o.Backoff(op, err, d)
		}
	})
}

// TaskDone tells the observers that a task has ended. It is called on the loop.
func (c *Core) TaskDone(name string, err error, age time.Duration) {
	c.Tell(func(o *Observer) {
		if o.TaskDone != nil {
			o.TaskDone(name, err, age)
		}
	})
}

// Late tells the observers that something came d after its time. It is called on the loop.
func (c *Core) Late(d time.Duration) {
	c.Tell(func(o *Observer) {
		if o.Lag != nil {
			o.Lag(d)
		}
	})
}

func (c *Core) tellBeforePoll() {
	c.Tell(func(o *Observer) {
		if o.BeforePoll != nil {
			o.BeforePoll()
		}
	})
}

func (c *Core) tellAfterPoll() {
	ready := len(c.polling.found) - c.polling.at
	c.Tell(func(o *Observer) {
		if o.AfterPoll != nil {
			o.AfterPoll(ready)
		}
	})
}
