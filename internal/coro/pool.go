package coro

import (
	"sync"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/gid"
)

// minIdle is how many idle coroutines a pool always may keep.
const minIdle = 64

// Pool makes, reuses and ends the coroutines of one loop.
//
// Coroutines are made, resumed and ended only by the goroutine that runs the loop. Which one that
// is may change between two runs, as long as its runtime.LockOSThread state does not: the Go
// runtime aborts the process otherwise.
type Pool struct {
	// Read by any goroutine, to compare with itself.
	loop    atomic.Uintptr // the goroutine that runs the loop, 0 while none does
	current atomic.Uintptr // the coroutine resumed last, 0 once it has ended

	running *Coro // the coroutine resumed last; read by a caller that has found itself in current

	owner   any
	outside Outside
	queue   Queue
	goexit  func()

	idle  []*Coro // last in, first out: the most recent stack is the warmest
	dying []*Coro // their Goexit is held back until Reap or Bury
	live  int     // coroutines with a job
	peak  int     // of live, sinking over time
	ends  int     // jobs ended since peak last sank
	steps uint64

	first  Job    // which a coroutine was interrupted for: see Before
	within uint64 // resumes as part of another's

	spent   int    // of the budget of the resume …
	spentAt uint64 // … that steps counted

	numbered     bool
	loopNumbered atomic.Bool
	calls        calls  // made by the loop's goroutine, or left to it
	told         []byte // by a coroutine that was asked for its stack

	ledger  Ledger               // of lost errors
	futures bool                 // debug mode: errors of futures are entered too; constant in use
	tree    atomic.Pointer[Node] // the root; nil until the first task

	reapers sync.WaitGroup
}

// Queue is the ready queue of a loop.
type Queue interface {
	Post(Runnable) error // from any goroutine; fails once the loop is closed
	Push(Runnable)       // on the loop
}

// Init sets the pool up for owner, whose ready queue is queue and whose goroutines outside starts.
// goexit is called on the loop when a job has called runtime.Goexit; Reap or Bury then end its
// coroutine. A nil outside means plain goroutines.
func (p *Pool) Init(owner any, queue Queue, outside Outside, goexit func()) {
	if outside == nil {
		outside = plain{}
	}
	p.owner, p.queue, p.outside, p.goexit = owner, queue, outside, goexit
}

// Owner returns what Init was given.
func (p *Pool) Owner() any { return p.owner }

// Running returns the coroutine that was resumed last: a coroutine of the pool that calls it gets
// itself.
func (p *Pool) Running() *Coro { return p.running }

// Steps returns how often a coroutine has been resumed. It is read on the loop.
func (p *Pool) Steps() uint64 { return p.steps + p.within }

// Live returns how many coroutines have a job. It is read on the loop.
func (p *Pool) Live() int { return p.live }

const nested = "reactor: a loop cannot run inside a loop; await what you need, or give the other loop a goroutine with Start"

// MustNotNest panics, as Enter does, in a goroutine that runs a loop or a coroutine already.
func MustNotNest() {
	if lookup() != nil {
		panic(nested)
	}
}

// Enter makes the calling goroutine the one that runs the loop; leave undoes it. It panics in a
// goroutine that runs a loop or a coroutine already.
func (p *Pool) Enter() (leave func()) {
	MustNotNest()
	id := gid.Self()
	// A plain goroutine that makes calls is in the registry, and goes on with them after this.
	before, calls := registry.Swap(id, p.role(nil))
	p.loop.Store(uintptr(id))
	return func() {
		p.loop.Store(0)
		if calls {
			registry.Store(id, before)
		} else {
			unregister(id)
		}
	}
}

// Inside reports whether the caller runs on the loop: in a callback or in a coroutine.
func (p *Pool) Inside() bool {
	switch uintptr(gid.Self()) {
	case p.current.Load(), p.loop.Load():
		return true
	}
	return false
}

// Take gives job to a coroutine, which the caller runs next. It is called on the loop, outside any
// coroutine.
func (p *Pool) Take(job Job) *Coro {
	var c *Coro
	if n := len(p.idle); n > 0 {
		c = p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
	} else {
		c = newCoro(p)
	}
	c.job = job
	if p.live++; p.live > p.peak {
		p.peak = p.live
	}
	return c
}

// leave takes back a coroutine whose job is over, or runs what it was interrupted for.
func (p *Pool) leave(c *Coro, s signal) {
	switch s {
	case ended:
		p.release(c)
	case interrupted:
		p.runFirst(c)
	default:
		p.live--
		p.dying = append(p.dying, c)
		p.goexit()
	}
}

// Reap lets each Goexit that is held back run out in a goroutine of its own: to end such a
// coroutine hands its Goexit on to the caller. It is for a loop on an ordinary goroutine; a
// coroutine that was made on a locked thread can't be ended elsewhere.
func (p *Pool) Reap() {
	for _, c := range p.dying {
		p.reapers.Add(1)
		p.outside.Go(func() {
			defer p.reapers.Done()
			c.stop()
		})
	}
	p.dying = nil
}

// Bury ends the coroutines whose Goexit is held back on the calling goroutine. If there is one, it
// does not return: the Goexit goes on in the caller.
func (p *Pool) Bury() {
	if n := len(p.dying); n > 0 {
		c := p.dying[n-1]
		p.dying = p.dying[:n-1]
		defer p.Bury()
		c.stop()
	}
}

func (p *Pool) release(c *Coro) {
	p.live--
	if p.ends++; p.ends >= 1024 {
		p.ends = 0
		p.peak = (p.peak + p.live) / 2
		p.trim()
	}
	if len(p.idle) < p.maxIdle() {
		p.idle = append(p.idle, c)
	} else {
		c.stop()
	}
}

// maxIdle bounds the idle coroutines by a quarter of the recent peak.
func (p *Pool) maxIdle() int { return max(minIdle, p.peak/4) }

func (p *Pool) trim() {
	for n := len(p.idle); n > p.maxIdle(); n-- {
		p.idle[n-1].stop()
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
	}
}

// Drain ends every idle coroutine. Suspended ones stay. It is called by the goroutine that runs
// the loop.
func (p *Pool) Drain() {
	for _, c := range p.idle {
		c.stop()
	}
	p.idle = nil
}

// WaitReaped waits until what Reap has begun is over.
func (p *Pool) WaitReaped() { p.reapers.Wait() }
