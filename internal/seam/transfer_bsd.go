//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package seam

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// The calls of this file are ordinary ones: these systems' interface is their C library, not the kernel's, and
// the library's functions are called on a stack that the Go runtime has to provide.

// Read does nothing for an empty p, so 0, 0 tells the end of the stream only when there was room.
func (kernel) Read(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	for {
		n, err := unix.Read(fd, p)
		if err != unix.EINTR {
			return moved(n, err)
		}
	}
}

func (kernel) Write(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	for {
		n, err := unix.Write(fd, p)
		if err != unix.EINTR {
			return moved(n, err)
		}
	}
}

// Writev takes what gather does. It is sendmsg(2), which each of these systems has in x/sys/unix; of what is not a socket only
// the first slice is written, as after any short write.
func (k kernel) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	var room [maxSlices][]byte
	vec := gather(room[:0], bufs)
	if len(vec) == 0 {
		return 0, 0
	}
	for _, p := range vec {
		kernelReads(p)
	}
	for {
		n, err := unix.SendmsgBuffers(fd, vec, nil, nil, 0)
		switch err {
		case unix.EINTR:
		case unix.ENOTSOCK:
			return k.Write(fd, vec[0])
		default:
			return moved(n, err)
		}
	}
}

// moved returns 0 beside any errno.
func moved(n int, err error) (int, syscall.Errno) {
	if err != nil {
		return 0, errnoOf(err)
	}
	return n, 0
}
