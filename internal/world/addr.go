package world

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
)

// addrOf makes an Addr of its parts. The IPv4 peer of an IPv6 socket becomes an IPv4 address.
func addrOf(ip netip.Addr, scope uint32, port uint16) Addr {
	ip = ip.Unmap()
	if scope != 0 {
		ip = ip.WithZone(zoneName(scope))
	}
	return Addr{IP: netip.AddrPortFrom(ip, port)}
}

// zoneName is the interface's name, as elsewhere in Go, or its number. zoneScope reads both.
func zoneName(scope uint32) string {
	if i, err := net.InterfaceByIndex(int(scope)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(scope), 10)
}

func zoneScope(zone string) (uint32, bool) {
	if i, err := net.InterfaceByName(zone); err == nil {
		return uint32(i.Index), true
	}
	n, err := strconv.ParseUint(zone, 10, 32)
	return uint32(n), err == nil
}

// refused returns why a path is refused before the kernel sees it. The kernel would cut a path at a
// NUL; and not all systems have abstract names. Where there are some, binding to no path at all
// means one that the kernel chooses.
func refused(path string, abstract bool) syscall.Errno {
	if abstract && (path == "" || path[0] == '@') {
		return 0
	}
	if path == "" || path[0] == '@' || strings.IndexByte(path, 0) >= 0 {
		return syscall.EINVAL
	}
	return 0
}
