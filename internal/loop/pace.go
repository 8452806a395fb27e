package loop

import "time"

// Between two visits to clock and poller lie at most visitEvery items and about a millisecond. So
// long may a timer, or an event, have to wait because others always have something to do. Counts
// alone do not bound the time: an item may read some megabytes, or compute.
//
// The time between two visits has parts, of which none can use up another's. Each goes on until its
// time is over, and at least for one item, and then what is left of it waits for the next turn, in
// its order.
//
// To read the clock after each item would cost a fifth of a coroutine switch. So each part has its
// stride: after so many items the clock is read. That is 1 while they take long, and goes up to
// maxStride while they do not. So the end may be missed once, by that many items, when they begin
// to. What is known to take long says so: see TakesLong.
//
// A single Step runs all that is ready, and delivers all that was found, since its caller decides
// when the next one comes. It runs BatchEnd as often as a Turn.
type part uint8

const (
	ofEvents part = iota
	ofTimers
	ofBatch
	ofMoments // BatchEnd and TurnEnd
	parts
)

// shares are how much of the millisecond, and a little more, each part has. What one has left is
// added to that of the next.
var shares = [parts]time.Duration{
	ofEvents: 500 * time.Microsecond, ofTimers: 250 * time.Microsecond,
	ofBatch: 250 * time.Microsecond, ofMoments: 250 * time.Microsecond,
}

const (
	maxStride = 32
	longSpell = 100 * time.Microsecond // between two readings of the clock: the stride is too long
)

// pace is what the loop remembers to decide when to look at the clock, the poller and the Go
// scheduler.
type pace struct {
	// Since the last visit.
	looked bool          // there was one, and timers have not been looked at since
	part   part          // that runs
	items  int           // entries run and events delivered
	next   int           // of items, after which the clock is read
	clock  time.Duration // when it was read last
	until  time.Duration // when the part is to end
	step   uint64        // of the count of callbacks, where a Step ends

	strides [parts]int

	turns     int           // since the loop last blocked or yielded
	rested    time.Duration // when it last blocked or yielded
	pollFirst bool          // a poll that does not block has been finding events
	blocks    int           // blocking waits since pollFirst was given up
}

func (p *pace) init() {
	for i := range p.strides {
		p.strides[i] = 1
	}
}

// look reads the clock after a visit to the poller, and begins the delivery of events.
func (c *Core) look() {
	c.now = c.world.Now()
	p := &c.pace
	p.looked, p.items, p.clock = true, 0, c.now
	p.until = c.now + shares[ofEvents]
	p.enter(ofEvents)
}

// begin begins the next part.
func (c *Core) begin(next part) {
	p := &c.pace
	p.until = max(p.until, c.now) + shares[next]
	p.enter(next)
}

// enter goes on with a part.
func (p *pace) enter(next part) { p.part, p.next = next, p.items+p.strides[next] }

// stride is that of the part that runs.
func (p *pace) stride() int { return p.strides[p.part] }

// late reads the clock, and reports whether the part that runs is to end.
func (c *Core) late() bool {
	p := &c.pace
	c.now = c.world.Now()
	stride := &p.strides[p.part]
	if c.now-p.clock > longSpell {
		*stride = 1
	} else {
		*stride = min(2**stride, maxStride)
	}
	p.next, p.clock = p.items+*stride, c.now
	return c.now >= p.until
}

// over is late for a part that a Step runs to its end.
func (c *Core) over() bool { return c.late() && !c.single }

// room is how many entries the batch may run.
func (c *Core) room() uint {
	n := uint(max(visitEvery-c.pace.items, 1))
	if c.single {
		n = min(n, uint(c.pace.step-c.counts.Callbacks))
	}
	return n
}

// TakesLong says that the item that runs has done something that takes long. So the clock is read
// after it. It is called on the loop.
func (c *Core) TakesLong() { c.pace.next = 0 }
