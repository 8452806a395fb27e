package poll

import "time"

// Events is a set of conditions of a descriptor.
type Events uint8

const (
	Readable   Events = 1 << iota // a read would not block
	Writable                      // a write would not block
	Priority                      // out-of-band data
	ReadHangup                    // the peer has shut down its writing side
	Hangup                        // both sides are down
	Error                         // an error is pending
)

// Mode says how often a condition is reported.
type Mode uint8

const (
	Edge  Mode = iota // once for each change
	Level             // as long as it holds
)

// ReservedTag marks a poller's own registrations. Add and Modify refuse it with EINVAL.
const ReservedTag = ^uint64(0)

// Event is one report of Wait.
type Event struct {
	Tag    uint64
	Events Events
}

// Poller is a readiness facility. Errors are those of the system call, as syscall.Errno.
type Poller interface {
	// Add registers fd. It fails for a descriptor that is registered already, or cannot be watched (EPERM
	// for a regular file with epoll; for one over its limit with select, an error that says so and wraps EINVAL).
	Add(fd int, tag uint64, want Events, mode Mode) error
	// Modify replaces what Add said of fd.
	Modify(fd int, tag uint64, want Events, mode Mode) error
	// Remove ends a registration. It comes before the descriptor is closed wherever another
	// descriptor may refer to the same open file; else closing is enough for a poller whose ForgetsClosed is true.
	Remove(fd int) error
	// Rearm tells that fd, an edge registration, has been seen to block in the directions of want.
	Rearm(fd int, want Events)
	// NeedsRearm reports whether Rearm does anything.
	NeedsRearm() bool
	// ForgetsClosed reports whether closing the last descriptor of an open file ends its registration.
	ForgetsClosed() bool
	// Wait waits until something is ready, at most timeout (negative: no bound, zero: not at all; else
	// rounded up to the facility's unit, never down), and returns how many events it has put into into. An interrupted
	// wait returns 0 and no error; an into without room is refused with EINVAL.
	Wait(into []Event, timeout time.Duration) (int, error)
	// Wake makes Wait return.
	Wake() error
	// Close frees the poller's own descriptors. The registered ones are not touched.
	Close() error
}
