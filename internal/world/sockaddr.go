//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package world

import "syscall"

// encode refuses what refused refuses, and a link-local address with a zone that no interface has.
// The zone of any other address means nothing.
func (a Addr) encode() (sockaddr, syscall.Errno) {
	ip, port := a.IP.Addr(), int(a.IP.Port())
	switch {
	case ip.Is4():
		return &sockaddrInet4{Port: port, Addr: ip.As4()}, 0
	case ip.Is6():
		sa := &sockaddrInet6{Port: port, Addr: ip.As16()}
		if zone := ip.Zone(); zone != "" {
			scope, ok := zoneScope(zone)
			if !ok && (ip.IsLinkLocalUnicast() || ip.IsLinkLocalMulticast()) {
				return nil, syscall.ENODEV
			}
			sa.ZoneId = scope
		}
		return sa, 0
	}
	if errno := refused(a.Path, abstractNames); errno != 0 {
		return nil, errno
	}
	return &sockaddrUnix{Name: a.Path}, 0
}
