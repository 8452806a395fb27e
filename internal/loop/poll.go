package loop

import (
	"errors"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
)

// eventsAtOnce is how many events one poll brings at most: enough that the poll's own cost does not
// count, and few enough that what the kernel has touched for the first is not gone when the last is
// handled.
const eventsAtOnce = 32

// blocksFirst is after how many blocking waits a poll that does not block is tried again.
const blocksFirst = 64

// polling is the poller, and what its last visit has found. It is touched on the loop only, except
// for poller, which any goroutine uses, and which changes only while nobody else uses the loop.
type polling struct {
	poller  poll.Poller
	kind    poll.Kind
	events  []poll.Event
	found   []*Source     // for which there are events …
	at      int           // … and how far those have been delivered
	forever bool          // at BeforeSleep: see SleepsForever
	again   time.Duration // at BeforeSleep: see LookAgain
	trouble trouble
}

func (p *polling) init(poller poll.Poller, kind poll.Kind) {
	p.poller, p.kind, p.events = poller, kind, make([]poll.Event, eventsAtOnce)
}

// delivered reports whether everything that was found has been delivered.
func (p *polling) delivered() bool { return p.at == len(p.found) }

// poll looks for events, and blocks for them when there is nothing else to do.
//
// A poll that does not block is a raw system call, and cheap. One that blocks costs the Go
// scheduler's part as well, unless the poller keeps the processor. So the loop polls before it
// blocks, but only while polls keep finding something: they never do with one connection that
// thinks between its requests.
func (c *Core) poll(limit time.Duration) {
	c.counts.Polls++
	wait := c.patience(limit)
	if wait != 0 && c.moments[BeforeSleep].some() {
		wait = c.lookBeforeSleep(limit, wait)
	}
	kept := wait != 0 && c.polling.poller.KeepsProcessor()
	if wait == 0 || c.pace.pollFirst && !kept {
		if c.collect(0) > 0 || wait == 0 {
			return
		}
		c.pace.pollFirst, c.pace.blocks = false, 0
	}
	if !c.fallAsleep() {
		return
	}
	n := c.collect(wait)
	c.awake()
	if kept { // others have had no turn at the processor
		return
	}
	c.pace.turns = 0
	if c.pace.blocks++; n > 1 || c.pace.blocks >= blocksFirst {
		c.pace.pollFirst = true
	}
}

// patience is how long the loop may block.
func (c *Core) patience(limit time.Duration) time.Duration {
	if !c.ready.empty() || !c.polling.delivered() || !c.moments[BatchEnd].empty() || !c.moments[TurnEnd].empty() || c.goexit || c.stop.Load() {
		return 0
	}
	if c.ending && !c.Held() {
		return 0 // the last that Close waits for has ended in this turn
	}
	if when, ok := c.timers.first(); ok {
		if d := max(when-c.world.Now(), 0); limit < 0 || d < limit {
			return d
		}
	}
	return limit
}

// lookBeforeSleep runs what was given for BeforeSleep, and returns how long the loop may block
// after that.
func (c *Core) lookBeforeSleep(limit, wait time.Duration) time.Duration {
	if c.door.mail.Load() {
		return wait
	}
	p := &c.polling
	p.forever, p.again = wait < 0 && c.forsaken(), 0
	c.runMoment(BeforeSleep)
	if wait = c.patience(limit); p.again > 0 && (wait < 0 || p.again < wait) {
		return p.again
	}
	return wait
}

// SleepsForever reports whether the loop that is about to block knows of nothing that could ever
// end that, except for another goroutine, or a signal that ends the program. It is called at
// BeforeSleep.
func (c *Core) SleepsForever() bool { return c.polling.forever }

// LookAgain bounds by d how long the loop is about to block. BeforeSleep comes again then. It is
// called at BeforeSleep.
func (c *Core) LookAgain(d time.Duration) {
	if p := &c.polling; p.again == 0 || d < p.again {
		p.again = d
	}
}

// Waking is a value of Local that may give the loop something to do, although the loop does not see
// what it waits for.
type Waking interface{ MayWake() bool }

// forsaken reports whether the loop watches nothing, runs nothing elsewhere and is held for nothing
// that could give it something to do.
func (c *Core) forsaken() bool {
	if c.ending || c.sources.len() > 0 {
		return false
	}
	waking := false
	c.EachLocal(func(v any) {
		w, ok := v.(Waking)
		waking = waking || ok && w.MayWake()
	})
	c.life.mu.Lock()
	defer c.life.mu.Unlock()
	return !waking && len(c.life.holds) == 0
}

// collect asks the poller, keeps what it found for deliver, behind what that has left, and returns
// how many descriptors that are.
func (c *Core) collect(wait time.Duration) int {
	p := &c.polling
	n, err := p.poller.Wait(p.events, wait)
	if err != nil {
		c.pollFailed(err, wait)
		return 0
	}
	p.trouble.failing = false
	if n == 0 {
		return 0
	}
	before, left := len(p.found), !p.delivered()
	p.found = c.sources.find(p.found, p.events[:n])
	if n = len(p.found) - before; n == 0 && !left {
		c.stranger(wait)
	} else {
		p.trouble.strangers = 0
	}
	return n
}

// deliver calls the handlers of what was found, or as many as there is time for. It goes on where
// that, or a callback that called runtime.Goexit, broke it off.
func (c *Core) deliver() {
	p := &c.polling
	for over := false; !p.delivered() && !over; {
		over = c.deliverSome()
	}
	left := copy(p.found, p.found[p.at:])
	clear(p.found[left:])
	p.found, p.at = p.found[:left], 0
}

// deliverSome calls handlers up to the first that panics. It reports whether their time is over.
func (c *Core) deliverSome() (over bool) {
	whole := false
	defer c.Caught("ready", &whole)
	p := &c.polling
	for !p.delivered() && !over {
		s := p.found[p.at]
		p.at++
		events := s.due
		s.due = 0
		if s.gone.Load() { // an earlier one of this turn may have closed it
			continue
		}
		c.pace.items++
		c.counts.Events++
		h := s.handler
		if c.steps.told {
			h = c.steps.ofHandler("ready", h)
		}
		h.Ready(events)
		over = c.pace.items >= c.pace.next && c.over()
	}
	whole = true
	return over
}

// SetPoller moves all registrations to a poller of another kind. It is for a loop that does not run
// and that no other goroutine uses meanwhile, and panics while the loop runs. On a loop that is
// closing or closed it returns ErrClosed. Where there is no such poller the error matches
// errors.ErrUnsupported, and the loop keeps the one it has.
func (c *Core) SetPoller(k poll.Kind) error {
	if c.polling.kind == k {
		return nil
	}
	c.life.mu.Lock() // so that nobody begins to run it, or to close it
	defer c.life.mu.Unlock()
	if c.closing.Load() {
		return ErrClosed
	}
	if c.life.running {
		panic(RunningAlready)
	}
	p, err := c.world.OpenPoller(k)
	if err != nil {
		return fmt.Errorf("reactor: set poller: %w", err)
	}
	if err := c.sources.moveTo(p); err != nil {
		return errors.Join(fmt.Errorf("reactor: set poller: %w", err), p.Close())
	}
	old := c.polling.poller
	c.polling.poller, c.polling.kind = p, k
	return old.Close()
}
