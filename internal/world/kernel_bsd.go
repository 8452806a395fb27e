//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package world

import (
	"syscall"

	"golang.org/x/sys/unix"
)

const abstractNames = false // of Unix sockets

// newSocket returns a non-blocking stream socket that child processes do not inherit. Some of these
// systems have no flags for that in socket(2), so the lock keeps a child from being started in
// between.
func newSocket(family int) (int, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	fd, err := unix.Socket(family, unix.SOCK_STREAM, 0)
	if err != nil {
		return -1, err
	}
	return prepare(fd)
}

// prepare makes a new socket non-blocking and not inherited, or closes it. The caller holds
// ForkLock.
func prepare(fd int) (int, error) {
	unix.CloseOnExec(fd)
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return -1, err
	}
	quiet(fd)
	return fd, nil
}

// Accept holds the lock only for a moment, because the listener does not block.
func (*system) Accept(fd int) (int, Addr, syscall.Errno) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var peer sockaddr
	nfd, errno := repeat(func() (int, syscall.Errno) {
		nfd, sa, err := syscall.Accept(fd)
		peer = sa
		return nfd, errnoOf(err)
	})
	if errno != 0 {
		return -1, Addr{}, errno
	}
	nfd, err := prepare(nfd)
	if err != nil {
		return -1, Addr{}, errnoOf(err)
	}
	return nfd, decode(peer), 0
}

func (*system) LocalAddr(fd int) (Addr, syscall.Errno) {
	sa, err := syscall.Getsockname(fd)
	return decode(sa), errnoOf(err)
}

func (*system) PeerAddr(fd int) (Addr, syscall.Errno) {
	sa, err := syscall.Getpeername(fd)
	return decode(sa), errnoOf(err)
}

func (*system) Undelivered(int) int { return 0 }
