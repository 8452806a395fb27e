package testkit

import (
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// waiting is a poller whose waits a test makes.
type waiting struct {
	poll.Poller
	wait func(inner poll.Poller, into []poll.Event, timeout time.Duration) (int, error)
}

func (p *waiting) Wait(into []poll.Event, timeout time.Duration) (int, error) {
	return p.wait(p.Poller, into, timeout)
}

// WithWait has a test make the waits of a loop's poller. inner is the real one.
func WithWait(wait func(inner poll.Poller, into []poll.Event, timeout time.Duration) (int, error)) reactor.Option {
	return reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller {
		return &waiting{p, wait}
	}))
}

// NoWaiting makes each wait of a loop's poller end at once. It appends to waited how long the loop
// would have waited.
func NoWaiting(waited *[]time.Duration) reactor.Option {
	return WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		*waited = append(*waited, d)
		return p.Wait(into, 0)
	})
}
