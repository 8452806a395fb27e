package coro

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"unsafe"

	"github.com/corobridge/corobridge/internal/gid"
	"github.com/corobridge/corobridge/internal/prefetch"
)

// Runnable is something a loop runs: an entry of its ready queue.
type Runnable interface{ Run() }

// Job is what a coroutine runs: a task. Its methods are called in the coroutine.
type Job interface {
	// Do is the body.
	Do()
	// Failed is called instead of the rest of Do when that did not return: err is a *PanicError or
	// ErrGoexit. It may suspend. If it does not return either, it is called again, with that error.
	Failed(err error)
	// Covers reports whether the job hears of the end of ctx by itself, because ctx is one of its
	// own cancel scopes, which it then is for good. If not, a wait with ctx watches it. A context
	// that is covered is a pointer that no other context is.
	Covers(ctx context.Context) bool
}

// signal is what a coroutine tells the goroutine that resumed it.
type signal uint8

const (
	parked      signal = iota // suspended in its job
	ended                     // the job is over, the coroutine can take another
	dying                     // a Goexit is on its way through the coroutine, which is spent
	interrupted               // suspended until Pool.first, which it has started, has made a step
)

// Coro is one pooled coroutine. Its goroutine, and so its role in the registry, stays the same
// for all the jobs it runs.
//
// It fills three cache lines: what wakes and resumes it, what a wait needs besides, and the rest,
// which most waits do not touch.
type Coro struct {
	waiter Waiter // the wait in progress

	// Touched on the loop only, as all that follows.
	pool *Pool
	id   gid.ID  // zero before the first resume
	sp   uintptr // about where its stack ended at the last suspension; a hint for Prefetch
	next func() (signal, bool)

	yield   func(signal) bool
	await   context.Context // nil while it does not wait
	on      fmt.Stringer    // what it waits for, or has waited for
	covered context.Context // the last context that the job has said it covers; nil if none
	watched *watches        // nil if it has never watched a context

	job   Job
	stop  func()
	terms Terms // of the wait
	_     [2]uintptr
}

func newCoro(p *Pool) *Coro {
	c := &Coro{pool: p}
	c.waiter.coro = c
	c.next, c.stop = iter.Pull(c.live)
	return c
}

// live is the coroutine's whole life: job after job, until the pool lets it go.
func (c *Coro) live(yield func(signal) bool) {
	c.yield = yield
	c.id = gid.Self()
	c.pool.current.Store(uintptr(c.id)) // the first resume could not know it
	register(c.id, c.pool.role(c))
	defer func() {
		unregister(c.id)
		c.pool.current.CompareAndSwap(uintptr(c.id), 0)
	}()
	for c.perform(); yield(ended); c.perform() {
	}
}

// perform runs one job. It does not return if a runtime.Goexit is on its way: then the coroutine is
// handed back as dying from inside the deferred call, since a Goexit that reached iter.Pull would
// go on in the loop's goroutine.
func (c *Coro) perform() {
	returned := false
	defer func() {
		if !returned {
			c.leaveJob()
			c.yield(dying)
		}
	}()
	c.carry(nil, 0)
	c.leaveJob()
	returned = true
}

// maxFailures bounds how often a job is told that it has failed: the end of one is a few calls of
// users' functions, and each of them may fail in its turn, but not for ever.
const maxFailures = 16

// carry calls Do of the job, or Failed if err is not nil, and then Failed again with what that has
// ended with, until a call returns. A Goexit goes on after that.
//
// A recovered panic does not tell that there is no Goexit: a deferred call may panic while one
// unwinds the stack, and it goes on once that panic is recovered. It shows only in that the call
// that recovers, attempt, does not return. Therefore two frames with a deferred call each.
func (c *Coro) carry(err error, failures int) {
	var failure error
	returned := false
	defer func() {
		if !returned && failures < maxFailures {
			c.carry(cmp.Or(failure, ErrGoexit), failures+1)
		}
	}()
	c.attempt(err, &failure)
	returned = true
	if failure != nil && failures < maxFailures {
		c.carry(failure, failures+1)
	}
}

// attempt makes one of carry's calls, and notes in failure what it has ended with if it did not
// return.
func (c *Coro) attempt(err error, failure *error) {
	returned := false
	defer func() {
		if !returned {
			*failure = Unwound(recover())
		}
	}()
	if err == nil {
		c.job.Do()
	} else {
		c.job.Failed(err)
	}
	returned = true
}

// leaveJob makes the coroutine forget its job, and what was watched for it.
func (c *Coro) leaveJob() {
	c.job, c.covered, c.on = nil, nil, nil
	c.waiter.jobs++
	if c.watched != nil {
		c.watched.end()
	}
}

// Suspend gives control back to the loop, until somebody queues the coroutine (it is a Runnable).
// Only the coroutine itself calls it; for nil, it does nothing. What it returns to may have to
// tell its stack: see Stack. (It is small enough to be inlined.)
func (c *Coro) Suspend() {
	if c != nil && !c.yield(parked) {
		panic("coro: a coroutine was ended in the middle of its job")
	}
}

// Yield puts the coroutine at the end of the ready queue and suspends it. Only the coroutine
// itself calls it.
func (c *Coro) Yield() {
	c.pool.queue.Push(c)
	c.Suspend()
	if c.waiter.asked {
		c.resumed()
	}
}

// Run resumes the coroutine. The loop calls it, from its ready queue.
func (c *Coro) Run() {
	p := c.pool
	p.steps++
	p.running = c
	if id := uintptr(c.id); p.current.Load() != id {
		p.current.Store(id)
	}
	if s, _ := c.next(); s != parked {
		p.leave(c, s)
	}
}

// mark notes where the stack is at. The caller is about to suspend.
func (c *Coro) mark() {
	var here byte
	c.sp = uintptr(unsafe.Pointer(&here))
}

// Prefetch has the memory fetched that a resume of c needs: the runtime's descriptor of its
// goroutine; its stack, up to the frames of the operation that waits, and down to where the next
// ones come; and the context of the wait, which the next operation asks. A loop calls it one item
// ahead.
func (c *Coro) Prefetch() {
	prefetch.Lines(uintptr(c.id), descriptorLines)
	prefetch.Lines(c.sp-linesBelow*prefetch.Line, linesBelow+linesAbove)
	prefetch.Lines(addressOf(c.await), 1)
}

// addressOf returns where the value of ctx lies, for a hint: what is there is not looked at.
func addressOf(ctx context.Context) uintptr { return (*[2]uintptr)(unsafe.Pointer(&ctx))[1] }

const (
	descriptorLines = 7
	linesBelow      = 8
	linesAbove      = 5
)

// Pool returns the pool c belongs to.
func (c *Coro) Pool() *Pool { return c.pool }

// Job returns the job that c runs.
func (c *Coro) Job() Job { return c.job }

// Class returns how urgent the job that c runs is, as that says by a method of this name; 0, the
// most urgent, if it has none.
func (c *Coro) Class() int {
	if j, ok := c.job.(interface{ Class() int }); ok {
		return j.Class()
	}
	return 0
}

// Awaits returns what c waits for, nil if it does not wait. It is called on the loop.
func (c *Coro) Awaits() fmt.Stringer {
	if c.await == nil {
		return nil
	}
	return c.on
}

// Recheck ends the wait of c, if it is in one, when the context of that wait is done. It is called
// on the loop by whoever knows of a cancellation; a call too many does no harm.
func (c *Coro) Recheck() {
	if c.await != nil && c.await.Err() != nil && atomic.CompareAndSwapUint32(&c.waiter.state, waiting, cancelled) {
		c.pool.queue.Push(c)
	}
}
