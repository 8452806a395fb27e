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
	// Add registers fd. It fails with EEXIST if fd is registered already. It fails for a descriptor
	// that can't be watched: with EPERM for a regular file and epoll, and for a descriptor above
	// the limit of select with an error that says so and wraps EINVAL.
	Add(fd int, tag uint64, want Events, mode Mode) error
	// Modify replaces what Add said of fd.
	Modify(fd int, tag uint64, want Events, mode Mode) error
	// Remove ends a registration. When it returns, the poller does not hold the open file: to close
	// the last descriptor then ends the file at once. Remove must come before the descriptor is
	// closed if another descriptor refers to the same open file. Otherwise closing is enough for a
	// poller whose ForgetsClosed is true.
	Remove(fd int) error
	// Rearm tells the poller that the caller has seen fd, an edge registration, block in the
	// directions of want.
	Rearm(fd int, want Events)
	// NeedsRearm reports whether Rearm does anything.
	NeedsRearm() bool
	// ForgetsClosed reports whether closing the last descriptor of an open file ends its
	// registration.
	ForgetsClosed() bool
	// Wait waits until something is ready, and returns how many events it has put into into. It
	// waits at most timeout: a negative one has no bound, with zero it does not wait, and any other
	// is rounded up to the facility's unit, never down. An interrupted wait returns 0 and no error.
	// An into without room is refused with EINVAL.
	Wait(into []Event, timeout time.Duration) (int, error)
	// KeepsProcessor reports whether the next Wait, if it waits, will keep its processor of the Go
	// scheduler. Then it costs no more than one that does not wait.
	KeepsProcessor() bool
	// Wake makes Wait return.
	Wake() error
	// Close frees the poller's own descriptors. The registered ones are not touched.
	Close() error
}
