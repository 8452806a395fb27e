package reactor

import (
	"errors"
	"fmt"
	"time"
)

// What a loop does when its poller lets it down.
//
// A wait that fails does so at once, and would again: the loop would spin. So it naps instead, goes on with timers, tasks and what
// other goroutines post, and tries again. If that has not helped for giveUpAfter, the loop closes: it is deaf, and those
// who wait for their connections would do so for ever. Run, Close and the context of the loop tell that.
//
// The same nap comes when a poll brings nothing, again and again, but events of a descriptor that nobody watches any more. Closing a descriptor
// does not end its registration while a duplicate is open, in a child process perhaps, and after that nothing can: it takes the
// descriptor to say which one.
const (
	napAtMost    = 10 * time.Millisecond
	giveUpAfter  = time.Second
	strangePolls = 64          // in a row
	tellEvery    = time.Minute // of a stranger
)

// pollTrouble is touched on the loop only.
type pollTrouble struct {
	failing   bool          // the last wait has failed
	since     time.Duration // when that began
	strangers int           // polls in a row that brought events of nobody's
	told      bool          // of those
	tellAgain time.Duration
}

var (
	errDeaf     = errors.New("reactor: the poller has failed for a second; the loop closes")
	errStranger = errors.New("reactor: a descriptor was closed before it was removed, and a duplicate of it, which is open, makes the poller report it; " +
		"call RemoveReader, RemoveWriter or Detach before you close a descriptor")
)

// pollFailed makes the best of a wait that has failed.
func (l *Loop) pollFailed(err error, wait time.Duration) {
	t, now := &l.trouble, l.clock.Now()
	switch {
	case !t.failing:
		t.failing, t.since = true, now
		l.Report(Exception{Op: "poll", Err: err})
	case now-t.since >= giveUpAfter && !l.closing.Load():
		l.closeBecause(fmt.Errorf("%w: %w", errDeaf, err))
	}
	l.nap(wait)
}

// closeBecause begins to close the loop for a reason of its own.
func (l *Loop) closeBecause(err error) {
	l.cause = fmt.Errorf("%w: %w", ErrClosed, err)
	l.loc.err = errors.Join(l.loc.err, err)
	l.beginClosing()
	l.Report(Exception{Op: "poll", Err: err})
}

// stranger makes the best of a poll that has brought nothing but events of a descriptor that nobody watches.
func (l *Loop) stranger(wait time.Duration) {
	t := &l.trouble
	if t.strangers++; t.strangers < strangePolls { // one now and then is the last event of a descriptor that was closed
		return
	}
	if now := l.clock.Now(); !t.told || now >= t.tellAgain {
		t.told, t.tellAgain = true, now+tellEvery
		l.Report(Exception{Op: "poll", Err: errStranger})
	}
	l.nap(wait)
}

// nap waits instead of the poller, which can't be woken, so not for long.
func (l *Loop) nap(wait time.Duration) {
	if wait < 0 || wait > napAtMost {
		wait = napAtMost
	}
	l.world.Sleep(wait)
}
