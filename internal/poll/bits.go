//go:build unix && !aix

package poll

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// request returns poll(2)'s bits for want. Hangup and Error need no asking.
func request(want Events) uint32 {
	var bits uint32
	if want&Readable != 0 {
		bits |= unix.POLLIN | pollReadHangup
	}
	if want&Writable != 0 {
		bits |= unix.POLLOUT
	}
	if want&Priority != 0 {
		bits |= unix.POLLPRI
	}
	return bits
}

// report returns what poll(2)'s bits say.
func report(bits uint32) Events {
	var ev Events
	if bits&unix.POLLIN != 0 {
		ev |= Readable
	}
	if bits&unix.POLLOUT != 0 {
		ev |= Writable
	}
	if bits&unix.POLLPRI != 0 {
		ev |= Priority
	}
	if bits&pollReadHangup != 0 {
		ev |= ReadHangup
	}
	if bits&unix.POLLHUP != 0 {
		ev |= Hangup
	}
	if bits&(unix.POLLERR|unix.POLLNVAL) != 0 {
		ev |= Error
	}
	return ev
}

// milliseconds rounds up: a wait that ends just before its timer is due would make the loop spin
// until then. A timeout beyond the kernel's range, 24 days, becomes the longest there is.
func milliseconds(timeout time.Duration) int {
	if timeout < 0 {
		return -1
	}
	ms := timeout / time.Millisecond
	if timeout%time.Millisecond != 0 {
		ms++
	}
	return int(min(ms, math.MaxInt32))
}
