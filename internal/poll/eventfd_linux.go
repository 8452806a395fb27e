package poll

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func newEventfd() (int, error) {
	return unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
}

// signal makes an eventfd readable. It never blocks, so the call is raw; it is not inlined, so that its prologue is a
// preemption point. A saturated counter (EAGAIN) is readable already.
//
//go:noinline
func signal(fd int) error {
	one := uint64(1)
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
		switch errno {
		case 0, unix.EAGAIN:
			return nil
		case unix.EINTR:
		default:
			return errno
		}
	}
}

// drain makes an eventfd unreadable again.
func drain(fd int) {
	var count [8]byte
	for {
		if _, err := unix.Read(fd, count[:]); err != unix.EINTR {
			return
		}
	}
}
