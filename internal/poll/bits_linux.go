package poll

import (
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// poll(2) and epoll(7) number their conditions alike on every architecture of Go, so one pair of translations serves
// both. This line does not compile where that is wrong.
var _ [0]struct{} = [(unix.POLLIN ^ unix.EPOLLIN) | (unix.POLLPRI ^ unix.EPOLLPRI) | (unix.POLLOUT ^ unix.EPOLLOUT) |
	(unix.POLLERR ^ unix.EPOLLERR) | (unix.POLLHUP ^ unix.EPOLLHUP) | (unix.POLLRDHUP ^ unix.EPOLLRDHUP)]struct{}{}

// request returns the kernel's bits for want. Hangup and Error need no asking.
func request(want Events) uint32 {
	var bits uint32
	if want&Readable != 0 {
		bits |= unix.EPOLLIN | unix.EPOLLRDHUP
	}
	if want&Writable != 0 {
		bits |= unix.EPOLLOUT
	}
	if want&Priority != 0 {
		bits |= unix.EPOLLPRI
	}
	return bits
}

// report returns what the kernel's bits say.
func report(bits uint32) Events {
	var ev Events
	if bits&unix.EPOLLIN != 0 {
		ev |= Readable
	}
	if bits&unix.EPOLLOUT != 0 {
		ev |= Writable
	}
	if bits&unix.EPOLLPRI != 0 {
		ev |= Priority
	}
	if bits&unix.EPOLLRDHUP != 0 {
		ev |= ReadHangup
	}
	if bits&unix.EPOLLHUP != 0 {
		ev |= Hangup
	}
	if bits&(unix.EPOLLERR|unix.POLLNVAL) != 0 {
		ev |= Error
	}
	return ev
}

// milliseconds rounds up, since a wait that ends just before its timer is due would make the loop spin until then. A
// timeout over the kernel's range, 24 days, becomes the longest there is.
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
