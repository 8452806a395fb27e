package loop

import (
	"errors"
	"fmt"
	"time"
)

// What a loop does when its poller lets it down.
//
// A wait that fails does so at once, and would fail again: the loop would spin. So it naps instead,
// goes on with timers, tasks and what other goroutines post, and tries again. If that has not
// helped for giveUpAfter, the loop closes: it is deaf, and everything that waits for its
// connections would do so for ever. Run, Close and the context of the loop tell that.
//
// The same nap comes when a poll brings nothing, again and again, but events of a descriptor that
// nobody watches any more. Closing a descriptor does not end its registration while a duplicate is
// open, in a child process perhaps. Then nothing can end the registration: to remove it one must
// name the descriptor, which is closed.
const (
	napAtMost    = 10 * time.Millisecond
	giveUpAfter  = time.Second
	strangePolls = 64          // in a row
	tellEvery    = time.Minute // of a stranger
)

// trouble is touched on the loop only.
type trouble struct {
	failing   bool          // the last wait has failed
	since     time.Duration // when that began
	deaf      error         // why the loop has given up
	strangers int           // polls in a row that brought nobody's events
	told      bool          // of those
	tellAgain time.Duration
}

var (
	errDeaf     = errors.New("reactor: the poller has failed for a second; the loop closes")
	errStranger = errors.New("reactor: the poller goes on reporting a descriptor that was closed: a duplicate of it is open, " +
		"here or in a child process; close the duplicate, and call RemoveReader and RemoveWriter before you close what they watch")
)

// Deaf returns why the loop closes by itself, its poller having failed for good; nil if it does
// not. It is called on the loop, or after its end.
func (c *Core) Deaf() error { return c.polling.trouble.deaf }

// pollFailed makes the best of a wait that has failed.
func (c *Core) pollFailed(err error, wait time.Duration) {
	t, now := &c.polling.trouble, c.world.Now()
	switch {
	case !t.failing:
		t.failing, t.since = true, now
		c.Report(Exception{Op: "poll", Err: err})
	case now-t.since >= giveUpAfter && !c.closing.Load():
		t.deaf = fmt.Errorf("%w: %w", errDeaf, err)
		c.BeginClosing()
		c.Report(Exception{Op: "poll", Err: t.deaf})
	}
	c.nap(wait)
}

// stranger makes the best of a poll that has brought nothing but events of a descriptor that nobody
// watches.
func (c *Core) stranger(wait time.Duration) {
	t := &c.polling.trouble
	// One now and then is the last event of a closed descriptor.
	if t.strangers++; t.strangers < strangePolls {
		return
	}
	if now := c.world.Now(); !t.told || now >= t.tellAgain {
		t.told, t.tellAgain = true, now+tellEvery
		c.Report(Exception{Op: "poll", Err: errStranger})
	}
	c.nap(wait)
}

// nap waits instead of the poller, which can't be woken, so not for long.
func (c *Core) nap(wait time.Duration) {
	if wait < 0 || wait > napAtMost {
		wait = napAtMost
	}
	c.world.Sleep(wait)
}
