//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package world

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// The calls of this file are ordinary ones. The interface of these systems is their C library, not
// the kernel, and the library's functions run on a stack that the Go runtime has to provide.

// Read makes no call for an empty p. So 0, 0 means the end of the stream only if p has room.
func (*system) Read(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	return repeat(func() (int, syscall.Errno) {
		n, err := unix.Read(fd, p)
		return n, errnoOf(err)
	})
}

func (*system) Write(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	p = p[:min(len(p), MaxTransfer)]
	return repeat(func() (int, syscall.Errno) {
		n, err := unix.Write(fd, p)
		return n, errnoOf(err)
	})
}

// Writev takes what gather takes. It is sendmsg(2), which x/sys/unix has for each of these systems.
// If the descriptor is not a socket, only the first slice is written, as after any short write.
func (s *system) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	var room [maxSlices][]byte
	vec := gather(room[:0], bufs)
	if len(vec) == 0 {
		return 0, 0
	}
	for _, p := range vec {
		kernelReads(p)
	}
	n, errno := repeat(func() (int, syscall.Errno) {
		n, err := unix.SendmsgBuffers(fd, vec, nil, nil, 0)
		return n, errnoOf(err)
	})
	if errno == unix.ENOTSOCK {
		return s.Write(fd, vec[0])
	}
	return n, errno
}
