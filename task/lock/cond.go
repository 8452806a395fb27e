package lock

import (
	"context"

	"github.com/corobridge/corobridge/internal/coro"
)

// Cond is a condition variable: it lets callers wait until what a Mutex guards has changed. It is
// used with L locked. L is set before the first use and stays.
//
//	c := lock.Cond{L: &mu}
type Cond struct {
	L *Mutex

	line coro.Line // guarded by L.mu: so a Signal and the end of a Wait's lock exclude each other
}

// Wait unlocks c.L, waits for a Signal or a Broadcast, and locks c.L again. As others may have had
// the lock in between, the caller looks again at what it waits for; WaitFor does that.
//
// When Wait returns, c.L is locked, whatever the error; it waits for the lock even if ctx is done.
// If ctx is done, already or before a Signal came, Wait returns the cause, and has taken no Signal
// from others. A Signal that came first is returned as nil, though ctx may be done since. Wait
// panics if c.L is not locked, and in a callback of a loop.
func (c *Cond) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	m := c.locked("Wait")
	w := c.line.Enter(ctx, &m.mu, "lock: Cond.Wait")
	self := w.Coro()
	m.pass()
	w.Begin(ctx, c).Suspend()
	err := c.line.Exit(ctx, &m.mu, w)
	if !m.take(self) {
		m.line.Wait(context.Background(), &m.mu, "lock: Cond.Wait", (*heldMutex)(m))
	}
	return err
}

// WaitFor waits until ok returns true, which is called with c.L locked. It looks before it waits,
// and again after each Signal and Broadcast. As with Wait, c.L is locked when it returns, also if
// ok panics. If ctx is done, already or before ok returned true, it returns the cause.
func (c *Cond) WaitFor(ctx context.Context, ok func() bool) error {
	c.locked("WaitFor").mu.Unlock()
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	for !ok() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Signal lets the first in line go on, if there is one. It is called with c.L locked, and panics
// otherwise; apart from that it may be called from anywhere.
func (c *Cond) Signal() {
	m := c.locked("Signal")
	w := c.line.Claim()
	m.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// Broadcast lets all that wait go on. It is called with c.L locked, and panics otherwise; apart
// from that it may be called from anywhere.
func (c *Cond) Broadcast() {
	m := c.locked("Broadcast")
	var claimed coro.Claimed
	c.line.ClaimAll(&claimed)
	m.mu.Unlock()
	claimed.Wake()
}

// locked returns c.L with its inner mutex held, and panics if c.L is not locked.
func (c *Cond) locked(method string) *Mutex {
	m := c.L
	if m == nil {
		panic("lock: a Cond without a lock; set its L first")
	}
	m.mu.Lock()
	if !m.locked {
		m.mu.Unlock()
		panic("lock: Cond." + method + " without the lock; lock its L first")
	}
	return m
}

// String names what is awaited.
func (c *Cond) String() string { return "condition" }
