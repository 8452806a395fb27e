package world

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// rawAddr is where the kernel writes a socket address. We decode it ourselves, without x/sys/unix,
// for two reasons: Accept must be one raw call, and only the size tells an unnamed Unix socket from
// an abstract one.
type rawAddr struct {
	any  unix.RawSockaddrAny
	size uint32
}

// bytes is the address behind the family: as much as the kernel said, or as there is room for.
func (r *rawAddr) bytes() []byte {
	whole := unsafe.Slice((*byte)(unsafe.Pointer(&r.any)), unsafe.Sizeof(r.any))
	const family = 2
	return whole[family:max(family, min(int(r.size), len(whole)))]
}

// decode returns the zero Addr for an unnamed Unix socket, and for a family that is not IP or Unix.
func (r *rawAddr) decode() Addr {
	b := r.bytes()
	switch r.any.Addr.Family {
	case unix.AF_INET:
		if len(b) < 6 {
			return Addr{}
		}
		return addrOf(netip.AddrFrom4([4]byte(b[2:6])), 0, binary.BigEndian.Uint16(b))
	case unix.AF_INET6:
		if len(b) < 26 { // port, flow label, address, scope
			return Addr{}
		}
		return addrOf(netip.AddrFrom16([16]byte(b[6:22])), binary.NativeEndian.Uint32(b[22:26]), binary.BigEndian.Uint16(b))
	case unix.AF_UNIX:
		return Addr{Path: unixPath(b)}
	}
	return Addr{}
}

// unixPath writes an abstract name as Go does, with an @ for the leading NUL. The size of a path
// may or may not count its terminating NUL.
func unixPath(b []byte) string {
	if len(b) == 0 {
		return ""
	}
	if b[0] == 0 {
		return "@" + string(b[1:])
	}
	path, _, _ := strings.Cut(string(b), "\x00")
	return path
}

func (*system) LocalAddr(fd int) (Addr, syscall.Errno) { return nameOf(unix.SYS_GETSOCKNAME, fd) }
func (*system) PeerAddr(fd int) (Addr, syscall.Errno)  { return nameOf(unix.SYS_GETPEERNAME, fd) }

func nameOf(trap uintptr, fd int) (Addr, syscall.Errno) {
	var raw rawAddr
	raw.size = unix.SizeofSockaddrAny
	_, _, errno := unix.Syscall(trap, uintptr(fd), uintptr(unsafe.Pointer(&raw.any)), uintptr(unsafe.Pointer(&raw.size)))
	if errno != 0 {
		return Addr{}, errno
	}
	return raw.decode(), 0
}
