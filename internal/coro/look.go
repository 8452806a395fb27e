package coro

import (
	"bytes"
	"runtime/debug"
	"sync/atomic"
)

// Waiting returns whether c waits for something that has not come: if not, and it does not run, it
// is about to be resumed. It is called on the loop.
func (c *Coro) Waiting() bool { return c.await != nil && atomic.LoadUint32(&c.waiter.state) == waiting }

// Bounded reports whether c waits with a context that has a deadline. It is called on the loop.
func (c *Coro) Bounded() bool {
	if c.await == nil {
		return false
	}
	_, ok := c.await.Deadline()
	return ok
}

// Tenant is a coroutine in one of its jobs. The zero Tenant is nobody.
type Tenant struct {
	coro *Coro
	jobs uint16
}

// Held is what a wait is for, if somebody holds that: a lock, for instance. Those who look for
// cycles of waits ask for the holder, from any goroutine. The zero Tenant means that it is not
// held, or that the holder is not known.
type Held interface{ HeldBy() Tenant }

// Tenant returns c in its present job; nobody if c is nil. It is called in c, or by
// whoever has claimed the wait of c and not woken it yet.
func (c *Coro) Tenant() Tenant {
	if c == nil {
		return Tenant{}
	}
	return Tenant{c, c.waiter.jobs}
}

// Job returns the job, nil if that is over, or not of the pool p. It is called on the loop of p.
func (t Tenant) Job(p *Pool) Job {
	if t.coro == nil || t.coro.pool != p || t.coro.waiter.jobs != t.jobs {
		return nil
	}
	return t.coro.job
}

// Stack returns the stack of c, which is suspended, as a dump of all goroutines has it: the
// operation that waits comes first. It is called on the loop, and not for the caller.
//
// Only a goroutine itself can tell its stack without stopping all others. So c is resumed only to
// write down its stack, and suspends again; nobody else notices. That costs each resume a look at a
// flag that lies beside the state of the wait.
func (c *Coro) Stack() []byte {
	c.waiter.asked = true
	c.next()
	told := c.pool.told
	c.pool.told = nil
	return told
}

// resumed obeys the order. It is called, by what has suspended the coroutine, when that was
// resumed with an order, or to end.
func (c *Coro) resumed() {
	if !c.waiter.asked {
		panic("coro: a coroutine was ended in the middle of its job")
	}
	for c.waiter.asked {
		c.waiter.asked = false
		c.pool.told = whenSuspended(debug.Stack())
		c.Suspend()
	}
}

// whenSuspended makes of a stack of debug.Stack, called by resumed, one of before the resume.
func whenSuspended(stack []byte) []byte {
	heading, frames, _ := bytes.Cut(stack, []byte("\n"))
	const own = 3 * 2 // lines: of debug.Stack, of resumed, and of its caller
	for range own {
		_, frames, _ = bytes.Cut(frames, []byte("\n"))
	}
	heading = bytes.Replace(heading, []byte("[running"), []byte("[coroutine"), 1)
	return bytes.Join([][]byte{heading, frames}, []byte("\n"))
}
