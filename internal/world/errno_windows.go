package world

import (
	"syscall"

	"golang.org/x/sys/windows"
)

// errnoOf turns Winsock's numbers into the ones that Go's package syscall gives to POSIX's names.
// So the code above asks for syscall.EAGAIN on every system. A number that has no such name stays
// as it is.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	errno, ok := err.(syscall.Errno)
	if !ok {
		return syscall.EINVAL // x/sys's own refusal of an argument
	}
	if name, ok := errnos[errno]; ok {
		return name
	}
	return errno
}

// errnos is a constant in effect.
var errnos = map[syscall.Errno]syscall.Errno{
	windows.WSAEINTR: syscall.EINTR,
	// Only sockets come here, so this one was closed.
	windows.WSAEBADF:             syscall.EBADF,
	windows.WSAENOTSOCK:          syscall.EBADF,
	windows.ERROR_INVALID_HANDLE: syscall.EBADF,

	windows.WSAEACCES:               syscall.EACCES,
	windows.WSAEFAULT:               syscall.EFAULT,
	windows.WSAEINVAL:               syscall.EINVAL,
	windows.WSAEMFILE:               syscall.EMFILE,
	windows.WSAEWOULDBLOCK:          syscall.EAGAIN,
	windows.WSAEINPROGRESS:          syscall.EINPROGRESS,
	windows.WSAEALREADY:             syscall.EALREADY,
	windows.WSAEDESTADDRREQ:         syscall.EDESTADDRREQ,
	windows.WSAEMSGSIZE:             syscall.EMSGSIZE,
	windows.WSAEPROTOTYPE:           syscall.EPROTOTYPE,
	windows.WSAENOPROTOOPT:          syscall.ENOPROTOOPT,
	windows.WSAEPROTONOSUPPORT:      syscall.EPROTONOSUPPORT,
	windows.WSAEOPNOTSUPP:           syscall.EOPNOTSUPP,
	windows.WSAEAFNOSUPPORT:         syscall.EAFNOSUPPORT,
	windows.WSAEADDRINUSE:           syscall.EADDRINUSE,
	windows.WSAEADDRNOTAVAIL:        syscall.EADDRNOTAVAIL,
	windows.WSAENETDOWN:             syscall.ENETDOWN,
	windows.WSAENETUNREACH:          syscall.ENETUNREACH,
	windows.WSAENETRESET:            syscall.ENETRESET,
	windows.WSAECONNABORTED:         syscall.ECONNABORTED,
	windows.WSAECONNRESET:           syscall.ECONNRESET,
	windows.WSAENOBUFS:              syscall.ENOBUFS,
	windows.WSAEISCONN:              syscall.EISCONN,
	windows.WSAENOTCONN:             syscall.ENOTCONN,
	windows.WSAESHUTDOWN:            syscall.ESHUTDOWN,
	windows.WSAETIMEDOUT:            syscall.ETIMEDOUT,
	windows.WSAECONNREFUSED:         syscall.ECONNREFUSED,
	windows.WSAEHOSTDOWN:            syscall.EHOSTDOWN,
	windows.WSAEHOSTUNREACH:         syscall.EHOSTUNREACH,
	windows.ERROR_NOT_ENOUGH_MEMORY: syscall.ENOMEM,
	windows.ERROR_OUTOFMEMORY:       syscall.ENOMEM,
}
