package world

import (
	"net/netip"
	"sync"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// A descriptor is a SOCKET, whose value fits an int.

const abstractNames = false // of Unix sockets: the documents promise them, the systems refuse them

// Both are constants in effect: the address of a function, and that Winsock has been started.
var (
	// x/sys has only AcceptEx, which does not tell of readiness.
	procAccept = windows.NewLazySystemDLL("ws2_32.dll").NewProc("accept")
	winsock    = sync.OnceValue(func() error {
		const version2 = 2<<8 | 2
		var data windows.WSAData
		return windows.WSAStartup(version2, &data)
	})
)

func (*system) Socket(network string, dual bool) (int, syscall.Errno) {
	if err := winsock(); err != nil {
		return -1, errnoOf(err)
	}
	var family, protocol int32 = windows.AF_UNIX, 0
	switch network {
	case "tcp4":
		family, protocol = windows.AF_INET, windows.IPPROTO_TCP
	case "tcp6":
		family, protocol = windows.AF_INET6, windows.IPPROTO_TCP
	case "unix":
	default:
		return -1, syscall.EAFNOSUPPORT
	}
	const flags = windows.WSA_FLAG_OVERLAPPED | windows.WSA_FLAG_NO_HANDLE_INHERIT
	s, err := windows.WSASocket(family, windows.SOCK_STREAM, protocol, nil, 0, flags)
	if err != nil {
		return -1, errnoOf(err)
	}
	err = unblock(s)
	if err == nil && family == windows.AF_INET6 {
		only := 1
		if dual {
			only = 0
		}
		err = windows.SetsockoptInt(s, windows.IPPROTO_IPV6, windows.IPV6_V6ONLY, only)
	}
	if err != nil {
		windows.Closesocket(s)
		return -1, errnoOf(err)
	}
	return int(s), 0
}

// unblock makes a socket non-blocking.
func unblock(s windows.Handle) error {
	const fionbio = 0x8004667e
	on, got := uint32(1), uint32(0)
	return windows.WSAIoctl(s, fionbio, (*byte)(unsafe.Pointer(&on)), uint32(unsafe.Sizeof(on)), nil, 0, &got, nil, 0)
}

func (*system) Bind(fd int, addr Addr) syscall.Errno {
	sa, errno := addr.encode()
	if errno != 0 {
		return errno
	}
	return errnoOf(windows.Bind(windows.Handle(fd), sa))
}

func (*system) Listen(fd, backlog int) syscall.Errno {
	return errnoOf(windows.Listen(windows.Handle(fd), backlog))
}

// Connect takes the unspecified address for this machine, as Unix systems do.
func (*system) Connect(fd int, addr Addr) syscall.Errno {
	if ip := addr.IP.Addr(); ip.IsUnspecified() {
		local := netip.IPv6Loopback()
		if ip.Is4() {
			local = netip.AddrFrom4([4]byte{127, 0, 0, 1})
		}
		addr.IP = netip.AddrPortFrom(local, addr.IP.Port())
	}
	sa, errno := addr.encode()
	if errno != 0 {
		return errno
	}
	errno = errnoOf(windows.Connect(windows.Handle(fd), sa))
	if errno == syscall.EAGAIN { // what Winsock says of a connection that has begun
		return syscall.EINPROGRESS
	}
	return errno
}

// Accept reports WSAECONNRESET as ECONNABORTED, as the errno is called elsewhere: it is about the
// connection that would have been accepted.
func (*system) Accept(fd int) (int, Addr, syscall.Errno) {
	var raw windows.RawSockaddrAny
	size := int32(unsafe.Sizeof(raw))
	r, _, failure := syscall.SyscallN(procAccept.Addr(), uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	s := windows.Handle(r)
	if s == windows.InvalidHandle {
		errno := errnoOf(failure)
		if errno == syscall.ECONNRESET {
			errno = syscall.ECONNABORTED
		}
		return -1, Addr{}, errno
	}
	err := unblock(s)
	if err == nil {
		// A child could inherit it until here, but Go starts children with a list of what they
		// inherit.
		err = windows.SetHandleInformation(s, windows.HANDLE_FLAG_INHERIT, 0)
	}
	if err != nil {
		windows.Closesocket(s)
		return -1, Addr{}, errnoOf(err)
	}
	return int(s), peerOf(&raw), 0
}

// peerOf decodes a raw address. The address of an unnamed Unix socket may be empty.
func peerOf(raw *windows.RawSockaddrAny) Addr {
	if raw.Addr.Family == windows.AF_UNIX && raw.Addr.Data[0] == 0 {
		return Addr{}
	}
	sa, err := raw.Sockaddr()
	if err != nil {
		return Addr{}
	}
	return decode(sa)
}

func (*system) LocalAddr(fd int) (Addr, syscall.Errno) {
	sa, err := windows.Getsockname(windows.Handle(fd))
	return named(decode(sa)), errnoOf(err)
}

func (*system) PeerAddr(fd int) (Addr, syscall.Errno) {
	sa, err := windows.Getpeername(windows.Handle(fd))
	return named(decode(sa)), errnoOf(err)
}

// named turns "@", which x/sys makes of an unnamed Unix socket, back into no name.
func named(a Addr) Addr {
	if a.Path == "@" {
		return Addr{}
	}
	return a
}

func (*system) Shutdown(fd, how int) syscall.Errno {
	return errnoOf(windows.Shutdown(windows.Handle(fd), how))
}

func (*system) SetLinger(fd, seconds int) syscall.Errno {
	var l windows.Linger
	if seconds >= 0 {
		l.Onoff, l.Linger = 1, int32(seconds)
	}
	return errnoOf(windows.SetsockoptLinger(windows.Handle(fd), windows.SOL_SOCKET, windows.SO_LINGER, &l))
}

func (s *system) Reset(fd int) syscall.Errno {
	s.SetLinger(fd, 0)
	return s.Close(fd)
}

func (*system) Undelivered(int) int { return 0 }

// Close is closesocket: after CloseHandle, Winsock would still count the socket as open.
func (*system) Close(fd int) syscall.Errno { return errnoOf(windows.Closesocket(windows.Handle(fd))) }

// SockoptInt translates the value of SO_ERROR too.
func (*system) SockoptInt(fd, level, name int) (int, syscall.Errno) {
	value, err := windows.GetsockoptInt(windows.Handle(fd), level, name)
	const soError = 0x1007
	if err == nil && level == windows.SOL_SOCKET && name == soError && value != 0 {
		value = int(errnoOf(syscall.Errno(value)))
	}
	return value, errnoOf(err)
}

func (*system) SetSockoptInt(fd, level, name, value int) syscall.Errno {
	return errnoOf(windows.SetsockoptInt(windows.Handle(fd), level, name, value))
}
