// Package poll tells when descriptors become ready: one contract, one file for each facility of an operating system.
//
// # The contract
//
// A Poller holds registrations. A registration joins a descriptor to a tag, the caller's 64 bits, which come back
// with each event; the caller puts a generation into the tag, so that an event for a descriptor that was closed, and
// its number used again, is recognised and dropped. The poller never looks into a tag; one value, ReservedTag, is
// its own.
//
// Edge registrations report a change once: a direction that was reported is reported again only after the caller has
// seen it block (a would-block error, or a transfer shorter than asked for) and new readiness has come. The caller
// tells so by Rearm. A facility that is edge-triggered itself (epoll, kqueue) has nothing to do there and says
// so by NeedsRearm, so that no call is wasted; one that is level-triggered (poll, select) watches a direction of an
// edge registration only between Rearm, Add or Modify, and the next report. A caller must therefore cope with a report
// too many (it reads and finds nothing), never with one too few.
//
// Level registrations report in each Wait whatever is ready and wanted.
//
// Hangup and Error are always reported, wanted or not. They count as a report of every direction that is wanted: the
// caller tries each, and an edge registration may tell no more until Rearm. ReadHangup, the peer's half-close, is
// wanted by wanting Readable and comes together with it: it tells that a read may find the end, not that data may be
// thrown away.
//
// Add, Modify, Remove and Rearm may be called from any goroutine, also while Wait blocks, and then take effect in that
// Wait. An event that had been collected before Remove may still be returned once; the tag's generation catches it.
// Wait is for one goroutine at a time. Wake may be called from any goroutine and makes the current Wait, or
// the next one if none is under way, return early; Wakes may be merged. Close is for when no Wait is under way; calls that
// come after it, also from other goroutines, fail with EBADF and touch nothing.
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
	// for a regular file with epoll).
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
