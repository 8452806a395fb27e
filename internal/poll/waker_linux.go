package poll

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// waker is a descriptor that becomes readable when it is signalled, for a wait to watch: an
// eventfd.
type waker struct{ eventfd int }

func newWaker() (waker, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	return waker{fd}, err
}

// fd is what to watch.
func (w waker) fd() int { return w.eventfd }

// signal makes the waker readable; if it is readable already, this is a new edge. It never blocks,
// so the call is raw. It is not inlined, so that its prologue is a preemption point. A full counter
// must be read once, because only a write that succeeds is a new edge.
//
//go:noinline
func (w waker) signal() error {
	one := uint64(1)
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(w.eventfd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
		switch errno {
		case 0:
			return nil
		case unix.EAGAIN:
			w.drain()
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// drain makes the waker unreadable again.
func (w waker) drain() {
	var count [8]byte
	for {
		if _, err := unix.Read(w.eventfd, count[:]); err != unix.EINTR {
			return
		}
	}
}

func (w waker) close() error { return unix.Close(w.eventfd) }
