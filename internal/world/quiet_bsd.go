//go:build darwin || dragonfly || freebsd || netbsd

package world

import "golang.org/x/sys/unix"

// quiet makes a write to a connection that is gone fail with EPIPE and nothing else. Otherwise a
// program that has asked for SIGPIPE would get it.
func quiet(fd int) {
	// The result does not matter. On darwin, EINVAL means that the connection was reset already.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_NOSIGPIPE, 1)
}
