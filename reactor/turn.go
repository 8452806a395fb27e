package reactor

import (
	"runtime"
	"slices"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// One turn of the loop, in this order:
//
//	due timers, by time and then by the order they were made in
//	the door: what other goroutines have posted joins the ready queue
//	the ready queue as it is now, or with priorities the most urgent of it: what the batch adds runs in the next turn
//	the flushes that the batch asked for
//	the hooks, then the poller, and what it found
//	the ends
//
// The clock and the poller cost more than a coroutine switch. So while the ready queue is not empty they
// are visited once in visitEvery items, and not in each turn.

const (
	visitEvery  = 64                     // items between two visits to clock and poller while there is work
	flushEvery  = 64                     // items between two flushes inside a batch
	flushAfter  = time.Millisecond       // or this long after the last one
	clockEvery  = 8                      // items between two looks at flushAfter
	yieldTurns  = 64                     // turns without blocking between two runtime.Gosched
	yieldAfter  = 100 * time.Microsecond // or this long
	blocksFirst = 64                     // blocking waits after which poll-before-block is tried again
	crowd       = 128                    // coroutines, which do not all stay in the processor's caches when there are more
)

// pace is what the loop remembers to decide when to look at the clock, the poller and the Go scheduler.
type pace struct {
	items     int           // run since the last visit
	turns     int           // since the loop last blocked or yielded
	rested    time.Duration // when it last blocked or yielded
	flushed   time.Duration // when it last flushed, or began a batch
	pollFirst bool          // a poll that does not block has been finding events
	blocks    int           // blocking waits since pollFirst was given up
}

// turn runs one turn. It waits at most limit (negative: no bound) for something to do.
func (l *Loop) turn(limit time.Duration) {
	l.work()
	if l.ready.empty() || l.pace.items >= visitEvery {
		l.visit(limit)
	}
	l.endTurn()
}

// work is the part of a turn that is done without looking out.
func (l *Loop) work() {
	l.stats.Turns++
	if l.pace.items == 0 {
		l.now = l.clock.Now()
		l.runTimers()
	}
	if l.door.mail.Load() {
		l.takeMail()
	}
	l.runBatch()
	if !l.flushes.empty() {
		l.flushes.run(l, "flush")
	}
}

// visit looks for events and delivers them.
func (l *Loop) visit(limit time.Duration) {
	l.pace.items = 0
	if l.ready.empty() {
		l.ready.shrink()
	}
	l.runHooks()
	if l.meter != nil {
		l.meter.endRound(l)
	}
	l.poll(limit)
	if l.meter != nil {
		l.meter.beginRound(l)
	}
	l.deliver()
}

func (l *Loop) endTurn() {
	if !l.ends.empty() {
		l.ends.run(l, "end of turn")
	}
	l.restNow()
}

// runBatch runs what is ready now. It resumes a batch that a runtime.Goexit in a callback broke off.
func (l *Loop) runBatch() {
	q := &l.ready
	if q.head == q.end {
		if q.end = q.tail; l.scheduler != nil {
			l.arrange()
		}
		l.pace.flushed = l.now
	}
	for q.head != q.end {
		l.runItems()
	}
}

// runItems runs the rest of the batch, or up to the first callback that panics.
//
// While nothing but the ready queue has anything to do in the turns that follow, it runs those as well. After
// a coroutine switch the processor mispredicts each return to a caller, so going up to serve and down again would cost as much as
// a switch.
func (l *Loop) runItems() {
	defer l.caught("callback")
	q := &l.ready
	more := l.watchdog != nil || l.coros.Live() > crowd // than to run each item
	for {
		for q.head != q.end {
			if l.chooser != nil {
				q.advance(uint(l.chooser.Choose(int(q.end - q.head))))
			}
			r := q.pop()
			if more {
				if c, ok := q.upcoming().(*coro.Coro); ok {
					c.Prefetch() // while r runs
				}
				if l.watchdog != nil {
					r = l.watchdog.watch("callback", r)
				}
			}
			l.pace.items++
			l.stats.Callbacks++
			r.Run()
			if !l.flushes.empty() && l.pace.items%clockEvery == 0 {
				l.flushEarly()
			}
		}
		if !l.moreOfTheSame() {
			return
		}
		l.stats.Turns++
		if q.end = q.tail; l.scheduler != nil {
			l.arrange()
		}
	}
}

// moreOfTheSame reports whether the rest of this turn, and what the next one does before its batch, is nothing.
func (l *Loop) moreOfTheSame() bool {
	return !l.ready.empty() && l.pace.items < visitEvery && !l.oneTurn && l.flushes.empty() && l.ends.empty() &&
		!l.door.mail.Load() && !l.stop.Load() && !l.goexit
}

// flushEarly keeps what a long batch has written from waiting for the batch's end.
func (l *Loop) flushEarly() {
	now := l.clock.Now()
	if l.pace.items%flushEvery == 0 || now-l.pace.flushed >= flushAfter {
		l.flushes.run(l, "flush")
		l.pace.flushed = now
	}
}

// AtBatchEnd queues r to run once, when the running batch ends: before the loop looks for events or blocks, and now and
// then inside a long batch. It is called on the loop.
func (l *Loop) AtBatchEnd(r Runnable) { l.flushes.add(r) }

// AtTurnEnd queues r to run once, when the turn ends, after all callbacks of the turn. It is called on the loop.
func (l *Loop) AtTurnEnd(r Runnable) { l.ends.add(r) }

// hook is a function that is called until it is removed.
type hook struct {
	fn   func()
	gone bool
}

// BeforePoll calls fn each time before the loop looks for events, until remove is called: asyncore's predicates are asked
// there. Both are called on the loop.
func (l *Loop) BeforePoll(fn func()) (remove func()) {
	h := &hook{fn: fn}
	l.hooks = append(l.hooks, h)
	return func() { h.gone = true }
}

// runHooks calls the hooks, also those that a hook adds.
func (l *Loop) runHooks() {
	gone := 0
	for i := 0; i < len(l.hooks); i++ {
		if h := l.hooks[i]; !h.gone {
			l.guarded("before poll", h.fn)
		}
		if l.hooks[i].gone {
			gone++
		}
	}
	if gone > 0 {
		l.hooks = slices.DeleteFunc(l.hooks, func(h *hook) bool { return h.gone })
	}
}

// guarded calls fn and reports a panic of it.
func (l *Loop) guarded(op string, fn func()) {
	defer l.caught(op)
	if l.watchdog != nil {
		fn = l.watchdog.watch(op, callback(fn)).Run
	}
	fn()
}

// poll looks for events, and blocks for them when there is nothing else to do.
//
// A poll that does not block is a raw system call, and cheap; one that blocks costs the Go scheduler's part too. So a poll
// precedes the blocking wait, but only while polls keep finding something: with one connection that thinks
// between its requests they never do.
func (l *Loop) poll(limit time.Duration) {
	if l.foundAt < len(l.found) { // a runtime.Goexit broke off their delivery
		return
	}
	l.stats.Polls++
	wait := l.patience(limit)
	if wait != 0 && l.beforeSleep != nil {
		wait = l.lookBeforeSleep(limit, wait)
	}
	if wait == 0 || l.pace.pollFirst {
		if l.collect(0) > 0 || wait == 0 {
			return
		}
		l.pace.pollFirst, l.pace.blocks = false, 0
	}
	if !l.fallAsleep() {
		return
	}
	n := l.collect(wait)
	l.awake()
	l.pace.turns = -1 // this turn does not count: its clock is that of before
	if l.pace.blocks++; n > 1 || l.pace.blocks >= blocksFirst {
		l.pace.pollFirst = true
	}
}

// patience is how long the loop may block.
func (l *Loop) patience(limit time.Duration) time.Duration {
	if !l.ready.empty() || !l.flushes.empty() || !l.ends.empty() || l.goexit || l.stop.Load() {
		return 0
	}
	if l.ending && !l.held() {
		return 0 // the last of those whom Close waits for has ended in this turn
	}
	if when, ok := l.timers.first(); ok {
		if d := max(when-l.clock.Now(), 0); limit < 0 || d < limit {
			return d
		}
	}
	return limit
}

// restNow lets other goroutines of a process with few processors run, when the loop has not blocked for a while.
func (l *Loop) restNow() {
	p := &l.pace
	if p.turns++; p.turns <= 1 { // the first turn since, and the first that has read the clock
		p.rested = l.now
		return
	}
	if p.turns < yieldTurns && l.now-p.rested < yieldAfter {
		return
	}
	p.turns = 0
	runtime.Gosched()
}
