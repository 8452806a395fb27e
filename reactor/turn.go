package reactor

import (
	"runtime"
	"time"
)

// One turn of the loop, in this order:
//
//	due timers, by time and then by the order they were made in
//	the door: what other goroutines have posted joins the ready queue
//	the ready queue as it is now: what the batch adds runs in the next turn
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
	l.stats.Turns++
	if l.pace.items == 0 {
		l.now = l.clock.Now()
		l.runTimers()
	}
	l.takeMail()
	l.runBatch()
	l.runFlushes()
	if len(l.ready) == 0 || l.pace.items >= visitEvery {
		l.pace.items = 0
		l.runHooks()
		l.poll(limit)
		l.deliver()
	}
	l.runEnds()
	l.restNow()
}

// runBatch runs what is ready now. It resumes a batch that a runtime.Goexit in a callback broke off.
func (l *Loop) runBatch() {
	if l.at == len(l.batch) {
		l.batch, l.ready, l.at = l.ready, l.spare[:0], 0
		l.pace.flushed = l.now
	}
	for l.at < len(l.batch) {
		l.runItems()
	}
	l.spare, l.batch, l.at = l.batch[:0], nil, 0
}

// runItems runs the rest of the batch, or up to the first callback that panics.
func (l *Loop) runItems() {
	defer l.caught("callback")
	for l.at < len(l.batch) {
		if l.chooser != nil {
			k := l.at + l.chooser.Choose(len(l.batch)-l.at)
			l.batch[l.at], l.batch[k] = l.batch[k], l.batch[l.at]
		}
		r := l.batch[l.at]
		l.batch[l.at] = nil
		l.at++
		l.pace.items++
		l.stats.Callbacks++
		r.Run()
		if len(l.flushes) > 0 && l.at%clockEvery == 0 {
			l.flushEarly()
		}
	}
}

// flushEarly keeps what a long batch has written from waiting for the batch's end.
func (l *Loop) flushEarly() {
	now := l.clock.Now()
	if l.at%flushEvery == 0 || now-l.pace.flushed >= flushAfter {
		l.runFlushes()
		l.pace.flushed = now
	}
}

// AtBatchEnd queues r to run once, when the running batch ends: before the loop looks for events or blocks, and now and
// then inside a long batch. It is called on the loop.
func (l *Loop) AtBatchEnd(r Runnable) { l.flushes = append(l.flushes, r) }

func (l *Loop) runFlushes() {
	for n := 0; n < len(l.flushes); {
		n = l.runUntilPanic("flush", l.flushes, n)
	}
	clear(l.flushes)
	l.flushes = l.flushes[:0]
}

// AtTurnEnd queues r to run once, when the turn ends, after all callbacks of the turn. It is called on the loop.
func (l *Loop) AtTurnEnd(r Runnable) { l.ends = append(l.ends, r) }

func (l *Loop) runEnds() {
	for n := 0; n < len(l.ends); {
		n = l.runUntilPanic("end of turn", l.ends, n)
	}
	clear(l.ends)
	l.ends = l.ends[:0]
}

// runUntilPanic runs rs from index n and returns where to go on.
func (l *Loop) runUntilPanic(op string, rs []Runnable, n int) (next int) {
	defer l.caught(op)
	for next = n; next < len(rs); {
		r := rs[next]
		next++
		r.Run()
	}
	return next
}

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

func (l *Loop) runHooks() {
	kept := l.hooks[:0]
	for _, h := range l.hooks {
		if !h.gone {
			l.runHook(h)
		}
		if !h.gone {
			kept = append(kept, h)
		}
	}
	clear(l.hooks[len(kept):])
	l.hooks = kept
}

func (l *Loop) runHook(h *hook) {
	defer l.caught("before poll")
	h.fn()
}

// poll looks for events, and blocks for them when there is nothing else to do.
//
// A poll that does not block is a raw system call, and cheap; one that blocks costs the Go scheduler's part too. So a poll
// precedes the blocking wait, but only while polls keep finding something: with one connection that thinks
// between its requests they never do.
func (l *Loop) poll(limit time.Duration) {
	l.stats.Polls++
	wait := l.patience(limit)
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
	l.pace.turns, l.pace.rested = 0, 0
	if l.pace.blocks++; n > 1 || l.pace.blocks >= blocksFirst {
		l.pace.pollFirst = true
	}
}

// patience is how long the loop may block.
func (l *Loop) patience(limit time.Duration) time.Duration {
	if len(l.ready) > 0 || len(l.flushes) > 0 || len(l.ends) > 0 || l.stop.Load() {
		return 0
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
	if p.turns++; p.turns < yieldTurns {
		if p.rested == 0 {
			p.rested = l.now
		}
		if l.now-p.rested < yieldAfter {
			return
		}
	}
	p.turns, p.rested = 0, 0
	runtime.Gosched()
}
