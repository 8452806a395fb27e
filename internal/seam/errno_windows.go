package seam

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// errnoOf turns Winsock's numbers into those that POSIX's names have in Go's syscall package, so that what is above the seam
// asks for syscall.EAGAIN on every system. What has no such name stays as it is.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	errno, ok := err.(syscall.Errno)
	if !ok {
		return syscall.EINVAL // x/sys's own refusal of an argument
	}
	switch errno {
	case windows.WSAEINTR:
		return syscall.EINTR
	case windows.WSAEBADF, windows.WSAENOTSOCK, windows.ERROR_INVALID_HANDLE: // nothing but sockets comes here: it was closed
		return syscall.EBADF
	case windows.WSAEACCES:
		return syscall.EACCES
	case windows.WSAEFAULT:
		return syscall.EFAULT
	case windows.WSAEINVAL:
		return syscall.EINVAL
	case windows.WSAEMFILE:
		return syscall.EMFILE
	case windows.WSAEWOULDBLOCK:
		return syscall.EAGAIN
	case windows.WSAEINPROGRESS:
		return syscall.EINPROGRESS
	case windows.WSAEALREADY:
		return syscall.EALREADY
	case windows.WSAEDESTADDRREQ:
		return syscall.EDESTADDRREQ
	case windows.WSAEMSGSIZE:
		return syscall.EMSGSIZE
	case windows.WSAEPROTOTYPE:
		return syscall.EPROTOTYPE
	case windows.WSAENOPROTOOPT:
		return syscall.ENOPROTOOPT
	case windows.WSAEPROTONOSUPPORT:
		return syscall.EPROTONOSUPPORT
	case windows.WSAEOPNOTSUPP:
		return syscall.EOPNOTSUPP
	case windows.WSAEAFNOSUPPORT:
		return syscall.EAFNOSUPPORT
	case windows.WSAEADDRINUSE:
		return syscall.EADDRINUSE
	case windows.WSAEADDRNOTAVAIL:
		return syscall.EADDRNOTAVAIL
	case windows.WSAENETDOWN:
		return syscall.ENETDOWN
	case windows.WSAENETUNREACH:
		return syscall.ENETUNREACH
	case windows.WSAENETRESET:
		return syscall.ENETRESET
	case windows.WSAECONNABORTED:
		return syscall.ECONNABORTED
	case windows.WSAECONNRESET:
		return syscall.ECONNRESET
	case windows.WSAENOBUFS:
		return syscall.ENOBUFS
	case windows.WSAEISCONN:
		return syscall.EISCONN
	case windows.WSAENOTCONN:
		return syscall.ENOTCONN
	case windows.WSAESHUTDOWN:
		return syscall.ESHUTDOWN
	case windows.WSAETIMEDOUT:
		return syscall.ETIMEDOUT
	case windows.WSAECONNREFUSED:
		return syscall.ECONNREFUSED
	case windows.WSAEHOSTDOWN:
		return syscall.EHOSTDOWN
	case windows.WSAEHOSTUNREACH:
		return syscall.EHOSTUNREACH
	case windows.ERROR_NOT_ENOUGH_MEMORY, windows.ERROR_OUTOFMEMORY:
		return syscall.ENOMEM
	}
	return errno
}
