package world

import "golang.org/x/sys/unix"

const abstractNames = true // of Unix sockets

// newSocket returns a non-blocking stream socket that child processes do not inherit.
func newSocket(family int) (int, error) {
	return unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
}

func (*system) Undelivered(fd int) int {
	n, err := unix.IoctlGetInt(fd, unix.SIOCOUTQ)
	if err != nil {
		return 0
	}
	return n
}
