package task

import (
	"context"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// Cond is a condition variable: a place to wait until what a Mutex guards has changed. It is used with L locked, by tasks of several loops
// and by goroutines at once. L is set before the first use and stays. A Cond must not be copied.
//
//	c := task.Cond{L: &mu}
type Cond struct {
	L *Mutex

	mu      sync.Mutex
	waiters waitlist[struct{}]
}

// Wait unlocks c.L, waits for a Signal or a Broadcast, and locks c.L again. As others may have had the lock in between, the caller looks
// again at what it waits for; WaitFor does that.
//
// When it returns, c.L is locked, whatever the error; for the lock it waits even if ctx is done. If ctx is done, already or before a Signal
// came, it returns the cause, and has taken no Signal from others. A Signal that came first is returned as nil, though ctx may be done since.
// It panics if c.L is not locked, and in a callback of a loop.
func (c *Cond) Wait(ctx context.Context) error {
	c.mustBeLocked("Wait")
	w, err := coro.Here(ctx, "task: Cond.Wait")
	if err != nil {
		return err
	}
	c.mu.Lock()
	p := c.waiters.add(w, struct{}{})
	c.mu.Unlock()
	c.L.Unlock()
	self := w.Coro()
	err = c.waiters.wait(ctx, &c.mu, w, p, c)
	if !c.L.take(self) {
		c.L.Lock(context.Background())
	}
	return err
}

// WaitFor waits until ok, which is called with c.L locked, returns true. It looks before it waits, and again after each Signal and
// Broadcast. As with Wait, c.L is locked when it returns, and if ctx is done, already or before ok returned true, it returns the cause. If ok panics, c.L
// is locked.
func (c *Cond) WaitFor(ctx context.Context, ok func() bool) error {
	c.mustBeLocked("WaitFor")
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

// Signal lets the first go on who waits, if there is one. It never waits, and may be called from anywhere, with c.L locked: it panics
// if that is not.
func (c *Cond) Signal() {
	c.mustBeLocked("Signal")
	c.mu.Lock()
	w := c.waiters.next()
	c.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// Broadcast lets everybody go on who waits. It never waits, and may be called from anywhere, with c.L locked: it panics if that is not.
func (c *Cond) Broadcast() {
	c.mustBeLocked("Broadcast")
	var woken batch
	c.mu.Lock()
	c.waiters.all(&woken)
	c.mu.Unlock()
	woken.wake()
}

func (c *Cond) mustBeLocked(method string) {
	if c.L == nil {
		panic("task: a Cond without a lock; set its L first")
	}
	if !c.L.isLocked() {
		panic("task: Cond." + method + " without the lock; lock its L first")
	}
}

// String names what is awaited.
func (c *Cond) String() string { return "condition" }
