package poll

import (
	"syscall"
	"time"
)

// rounder waits once. done is false if the kernel came back with something that means nothing to
// the caller of Wait.
type rounder interface {
	round(into []Event, timeout time.Duration) (n int, done bool, err error)
}

// rounds is the Wait of a poller that has to go on for the time that is left.
func rounds(p rounder, into []Event, timeout time.Duration) (int, error) {
	if len(into) == 0 {
		return 0, syscall.EINVAL
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		n, done, err := p.round(into, timeout)
		if done || err != nil {
			return n, err
		}
		if timeout > 0 {
			timeout = max(time.Until(deadline), 0)
		}
	}
}
