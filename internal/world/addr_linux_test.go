package world

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"
)

// A test of a link-local address needs an interface that has one. A test of its coding does not.
func TestZones(t *testing.T) {
	for zone, want := range map[string]uint32{"lo": 1, "1": 1, "4000000000": 4_000_000_000} {
		sa, errno := Addr{IP: netip.MustParseAddrPort("[fe80::1%" + zone + "]:80")}.encode()
		if errno != 0 {
			t.Errorf("encode of zone %s: %v, want %d as the scope", zone, errno, want)
		} else if got := sa.(*sockaddrInet6).ZoneId; got != want {
			t.Errorf("%s: scope %d, want %d", zone, got, want)
		}
	}
	if got := zoneName(1); got != "lo" {
		t.Errorf("scope 1 is %q, want %q", got, "lo")
	}
	if got := zoneName(4_000_000_000); got != "4000000000" {
		t.Errorf("an unknown scope is %q, want %q", got, "4000000000")
	}
}

func TestDecode(t *testing.T) {
	mapped := []byte{0x1f, 0x90, 0, 0, 0, 0, 10: 0, 16: 0xff, 17: 0xff, 18: 192, 19: 0, 20: 2, 21: 1, 25: 0}
	tests := map[string]struct {
		family uint16
		bytes  []byte
		want   Addr
	}{
		"IPv4":            {unix.AF_INET, []byte{0x1f, 0x90, 192, 0, 2, 1}, Addr{IP: netip.MustParseAddrPort("192.0.2.1:8080")}},
		"IPv4, cut":       {unix.AF_INET, []byte{0x1f, 0x90, 192}, Addr{}},
		"IPv4-mapped":     {unix.AF_INET6, mapped, Addr{IP: netip.MustParseAddrPort("192.0.2.1:8080")}},
		"IPv6, cut":       {unix.AF_INET6, mapped[:25], Addr{}},
		"unnamed":         {unix.AF_UNIX, nil, Addr{}},
		"path":            {unix.AF_UNIX, []byte("/a/b\x00"), Addr{Path: "/a/b"}},
		"path, no NUL":    {unix.AF_UNIX, []byte("/a/b"), Addr{Path: "/a/b"}},
		"abstract":        {unix.AF_UNIX, []byte("\x00a\x00b"), Addr{Path: "@a\x00b"}},
		"unknown family":  {unix.AF_NETLINK, []byte{1, 2, 3}, Addr{}},
		"size of nothing": {0, nil, Addr{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var raw rawAddr
			raw.size = unix.SizeofSockaddrAny
			raw.any.Addr.Family = tt.family
			copy(raw.bytes(), tt.bytes)
			raw.size = uint32(2 + len(tt.bytes))
			if got := raw.decode(); got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
}

// The kernel reports the size that it would have liked to write.
func TestDecodeOfASizeBeyondTheRoom(t *testing.T) {
	var raw rawAddr
	raw.any.Addr.Family = unix.AF_UNIX
	raw.size = 1 << 20
	if got := len(raw.bytes()); got > unix.SizeofSockaddrAny {
		t.Errorf("%d bytes, want at most %d", got, unix.SizeofSockaddrAny)
	}
}
