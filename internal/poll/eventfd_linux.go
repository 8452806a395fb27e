package poll

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

func newEventfd() (int, error) {
	return unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
}

// signal makes an eventfd readable, anew if it is so already. It never blocks, so the call is raw; it is not inlined, so
// that its prologue is a preemption point. A counter that is full has to be read once: where nobody reads it otherwise,
// only a write that succeeds is a new edge.
//
//go:noinline
func signal(fd int) error {
	one := uint64(1)
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&one)), unsafe.Sizeof(one))
		switch errno {
		case 0:
			return nil
		case unix.EAGAIN:
			drain(fd)
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
