//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package world

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// This file has what all Unixes do alike. They differ in making a socket, in accepting, and in
// moving bytes: see the files of Linux and of the BSDs.

func (*system) Socket(network string, dual bool) (int, syscall.Errno) {
	family := unix.AF_UNIX
	switch network {
	case "tcp4":
		family = unix.AF_INET
	case "tcp6":
		family = unix.AF_INET6
	case "unix":
	default:
		return -1, unix.EAFNOSUPPORT
	}
	fd, err := newSocket(family)
	if err != nil {
		return -1, errnoOf(err)
	}
	if family != unix.AF_INET6 {
		return fd, 0
	}
	// This is set in both cases, because the administrator chooses the default.
	only := 1
	if dual {
		only = 0
	}
	if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, only); err != nil {
		unix.Close(fd)
		return -1, errnoOf(err)
	}
	return fd, 0
}

func (*system) Bind(fd int, addr Addr) syscall.Errno {
	sa, errno := addr.encode()
	if errno != 0 {
		return errno
	}
	return errnoOf(syscall.Bind(fd, sa))
}

func (*system) Listen(fd, backlog int) syscall.Errno {
	return errnoOf(unix.Listen(fd, backlog))
}

func (*system) Connect(fd int, addr Addr) syscall.Errno {
	sa, errno := addr.encode()
	if errno != 0 {
		return errno
	}
	errno = errnoOf(syscall.Connect(fd, sa))
	if errno == unix.EINTR {
		return unix.EINPROGRESS
	}
	return errno
}

func (*system) ReadUrgent(fd int) (byte, syscall.Errno) {
	var p [1]byte
	for {
		n, _, err := unix.Recvfrom(fd, p[:], unix.MSG_OOB|unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, errnoOf(err)
		case n == 0:
			return 0, unix.EINVAL
		default:
			return p[0], 0
		}
	}
}

func (*system) Shutdown(fd, how int) syscall.Errno {
	return errnoOf(unix.Shutdown(fd, how))
}

func (*system) SetLinger(fd, seconds int) syscall.Errno {
	var l unix.Linger
	if seconds >= 0 {
		l.Onoff, l.Linger = 1, int32(seconds)
	}
	return errnoOf(unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &l))
}

func (s *system) Reset(fd int) syscall.Errno {
	s.SetLinger(fd, 0) // if this fails, the rest is an ordinary Close
	return s.Close(fd)
}

// Close is an ordinary call, since it waits if SO_LINGER says so. When it returns EINTR, these
// systems have freed the descriptor, so that is success. A second call could close somebody else's
// file.
func (*system) Close(fd int) syscall.Errno {
	errno := errnoOf(unix.Close(fd))
	if errno == unix.EINTR {
		return 0
	}
	return errno
}

func (*system) SockoptInt(fd, level, name int) (int, syscall.Errno) {
	value, err := unix.GetsockoptInt(fd, level, name)
	return value, errnoOf(err)
}

func (*system) SetSockoptInt(fd, level, name, value int) syscall.Errno {
	return errnoOf(unix.SetsockoptInt(fd, level, name, value))
}

// errnoOf turns an error of x/sys/unix back into the Errno that it was. Any other error is
// x/sys/unix's own refusal of an argument.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if errno, ok := err.(syscall.Errno); ok {
		return errno
	}
	return unix.EINVAL
}
