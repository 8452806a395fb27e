package loop

import (
	"runtime"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// One turn of the loop, in this order:
//
//	due timers, by time and then by the order they were made in
//	the door: what other goroutines have posted joins the ready queue
//	the first of the ready queue, or with priorities the most urgent of it;
//	  what the batch adds runs in the next turn
//	BatchEnd
//	BeforePoll, BeforeSleep if the loop is about to block, the poller, and what it found
//	TurnEnd
//
// The clock and the poller cost more than a coroutine switch. So while the ready queue is not empty
// they are visited once in visitEvery items, and not in each turn.

const (
	visitEvery = 64                     // items between two visits while there is work
	yieldTurns = 64                     // turns without blocking between two runtime.Gosched
	yieldAfter = 100 * time.Microsecond // or this long
	overflow   = 128                    // coroutines: more do not all fit the processor's caches
)

// Counts are what a loop has done, and what it has at the moment; see reactor.Stats.
type Counts struct {
	Turns, Callbacks, TaskSteps, Timers, Polls, Events, Wakeups, ForeignBatches, AcceptBackoffs uint64

	Ready, Door, PendingTimers, Sources, Tasks int
}

// Counts returns a snapshot. It is called on the loop, or by Look.
func (c *Core) Counts() Counts {
	n := c.counts
	n.TaskSteps = c.coros.Steps()
	n.AcceptBackoffs = c.backoffs.Load()
	n.Ready = c.ready.len()
	n.PendingTimers = len(c.timers.a)
	n.Tasks = c.coros.Live()
	n.Sources = c.sources.len()
	c.door.mu.Lock()
	n.Wakeups, n.Door = c.door.wakes, len(c.door.inbox)
	c.door.mu.Unlock()
	return n
}

// Ran returns how many entries of the ready queue and timers the loop has run, and how many
// readiness events it has delivered. It is called on the loop.
func (c *Core) Ran() (items, events uint64) {
	return c.counts.Callbacks + c.counts.Timers, c.counts.Events
}

// Turn runs a turn. It waits at most limit (negative: no bound) for something to do. While nothing
// but the ready queue has anything to do, it runs several turns in one. It is called on the loop.
func (c *Core) Turn(limit time.Duration) {
	c.work()
	if c.ready.empty() || c.pace.items >= visitEvery {
		c.visit(limit)
	}
	c.endTurn()
}

// Step runs exactly one turn, with a visit to clock and poller. It waits at most limit for
// something to do, unless there was something. It is called on the loop.
func (c *Core) Step(limit time.Duration) {
	c.look()
	done := c.counts.Callbacks + c.counts.Timers
	c.single = true
	defer func() { c.single = false }()
	c.work()
	for c.counts.Callbacks < c.pace.step {
		c.look()
		c.begin(ofBatch)
		c.workBatch()
	}
	if done != c.counts.Callbacks+c.counts.Timers {
		limit = 0
	}
	c.visit(limit)
	c.endTurn()
}

// work is the part of a turn that is done without looking out.
func (c *Core) work() {
	c.counts.Turns++
	if c.pace.looked {
		c.pace.looked = false
		c.runTimers()
		c.begin(ofBatch)
	} else {
		c.pace.enter(ofBatch)
	}
	if c.door.mail.Load() {
		c.takeMail()
	}
	if c.single {
		c.pace.step = c.counts.Callbacks + uint64(c.ready.atOnce())
	}
	c.workBatch()
}

func (c *Core) workBatch() {
	c.runBatch()
	c.runInTime(BatchEnd)
}

// Flush runs what was given for BatchEnd. It is called on the loop, when a run ends.
func (c *Core) Flush() { c.runMoment(BatchEnd) }

// visit looks for events and delivers them.
func (c *Core) visit(limit time.Duration) {
	if c.ready.empty() {
		c.ready.shrink()
	}
	if c.moments[BeforePoll].some() {
		c.runMoment(BeforePoll)
	}
	watched := c.seen.Load() != nil
	if watched {
		c.tellBeforePoll()
	}
	c.poll(limit)
	if watched {
		c.tellAfterPoll()
	}
	c.look()
	c.deliver()
}

func (c *Core) endTurn() {
	c.runInTime(TurnEnd)
	c.rest()
}

// runBatch runs what is ready now. It resumes a batch that a runtime.Goexit in a callback broke
// off.
func (c *Core) runBatch() {
	q := &c.ready
	if q.head == q.end {
		q.begin(c.counts.Turns, c.room())
	}
	for q.head != q.end {
		c.runItems()
	}
}

// runItems runs the rest of the batch, or up to the first callback that panics.
//
// While nothing but the ready queue has anything to do in the turns that follow, it runs those as
// well. After a coroutine switch the processor mispredicts each return to a caller, so going up to
// Turn and down again would cost as much as a switch.
func (c *Core) runItems() {
	whole := false
	defer c.Caught("callback", &whole)
	q := &c.ready
	more := c.steps.told || c.coros.Live() > overflow // than to run each item
	for {
		for q.head != q.end {
			if c.chooser != nil {
				q.advance(uint(c.chooser.Choose(int(q.end - q.head))))
			}
			r := q.pop()
			if more {
				if next, ok := q.upcoming().(*coro.Coro); ok {
					next.Prefetch() // while r runs
				}
				if c.steps.told {
					r = c.steps.of("callback", r)
				}
			}
			c.pace.items++
			c.counts.Callbacks++
			r.Run()
			if c.pace.items >= c.pace.next && c.late() {
				q.breakOff()
				c.pace.items = visitEvery
			}
		}
		if !c.moreOfTheSame() {
			whole = true
			return
		}
		c.counts.Turns++
		q.begin(c.counts.Turns, c.room())
	}
}

// moreOfTheSame reports whether there is nothing to do in the rest of this turn, nor in the next
// one before its batch.
func (c *Core) moreOfTheSame() bool {
	return c.ready.head != c.ready.tail && c.pace.items < visitEvery && !c.single &&
		c.moments[BatchEnd].empty() && c.moments[TurnEnd].empty() &&
		!c.door.mail.Load() && !c.stop.Load() && !c.goexit
}

// rest lets other goroutines run when the loop has not blocked for a while and the process has few
// processors.
func (c *Core) rest() {
	p := &c.pace
	if p.turns++; p.turns <= 1 { // the first turn since
		p.rested = c.now
		return
	}
	if p.turns < yieldTurns && c.now-p.rested < yieldAfter {
		return
	}
	p.turns = 0
	runtime.Gosched()
}
