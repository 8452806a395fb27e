//go:build darwin || dragonfly || freebsd || netbsd || openbsd || windows

package world

import "net/netip"

// decode returns the zero Addr for a family that is not IP or Unix.
func decode(sa sockaddr) Addr {
	switch sa := sa.(type) {
	case *sockaddrInet4:
		return addrOf(netip.AddrFrom4(sa.Addr), 0, uint16(sa.Port))
	case *sockaddrInet6:
		return addrOf(netip.AddrFrom16(sa.Addr), sa.ZoneId, uint16(sa.Port))
	case *sockaddrUnix:
		return Addr{Path: sa.Name}
	}
	return Addr{}
}
