// Package polltest holds a decorator of pollers for tests.
package polltest

import (
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
)

// Counter is a Poller that counts the calls made of another one, also those that failed. Waits are
// the ones that may block, Polls those with a timeout of 0.
type Counter struct {
	poller poll.Poller

	Adds, Modifies, Removes, Rearms atomic.Int64
	Waits, Polls, Wakes, Closes     atomic.Int64
}

var _ poll.Poller = (*Counter)(nil)

// Count returns a Counter of p's calls.
func Count(p poll.Poller) *Counter { return &Counter{poller: p} }

func (c *Counter) Add(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	c.Adds.Add(1)
	return c.poller.Add(fd, tag, want, mode)
}

func (c *Counter) Modify(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	c.Modifies.Add(1)
	return c.poller.Modify(fd, tag, want, mode)
}

func (c *Counter) Remove(fd int) error {
	c.Removes.Add(1)
	return c.poller.Remove(fd)
}

func (c *Counter) Rearm(fd int, want poll.Events) {
	c.Rearms.Add(1)
	c.poller.Rearm(fd, want)
}

func (c *Counter) NeedsRearm() bool     { return c.poller.NeedsRearm() }
func (c *Counter) KeepsProcessor() bool { return c.poller.KeepsProcessor() }
func (c *Counter) ForgetsClosed() bool  { return c.poller.ForgetsClosed() }

func (c *Counter) Wait(into []poll.Event, timeout time.Duration) (int, error) {
	if timeout == 0 {
		c.Polls.Add(1)
	} else {
		c.Waits.Add(1)
	}
	return c.poller.Wait(into, timeout)
}

func (c *Counter) Wake() error {
	c.Wakes.Add(1)
	return c.poller.Wake()
}

func (c *Counter) Close() error {
	c.Closes.Add(1)
	return c.poller.Close()
}
