package coro

import "github.com/corobridge/corobridge/internal/gid"

// Idle returns how many coroutines wait for a job.
func (p *Pool) Idle() int { return len(p.idle) }

// Registered returns how many goroutines are in the registry.
func Registered() (n int) {
	registry.Range(func(any, any) bool { n++; return true })
	return n
}

// ID returns the goroutine that the coroutine is.
func (c *Coro) ID() gid.ID { return c.id }

// Watched returns how many contexts c watches.
func (c *Coro) Watched() (n int) {
	if c.watched == nil {
		return 0
	}
	for _, w := range c.watched {
		if w.stop != nil {
			n++
		}
	}
	return n
}

// Waiter returns the wait of c.
func (c *Coro) Waiter() *Waiter { return &c.waiter }
