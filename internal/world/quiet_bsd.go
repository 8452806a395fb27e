//go:build darwin || dragonfly || freebsd || netbsd

package world

import "golang.org/x/sys/unix"

// quiet makes a write to a connection that is gone fail with EPIPE and nothing else: a program may have asked for SIGPIPE.
func quiet(fd int) {
	// A matter of signals that nobody needs; EINVAL, of darwin, is that of a connection that was reset already.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NOSIGPIPE, 1)
}
