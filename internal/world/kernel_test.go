//go:build unix || windows

package world_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

func TestConversation(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct {
		network, client string
		dual            bool
		at              world.Addr
		reach           string // of a wildcard listener
	}{
		"tcp4":            {network: "tcp4", client: "tcp4", at: ip("127.0.0.1:0")},
		"tcp6":            {network: "tcp6", client: "tcp6", at: ip("[::1]:0")},
		"dual, from IPv6": {network: "tcp6", client: "tcp6", dual: true, at: ip("[::]:0"), reach: "::1"},
		"dual, from IPv4": {network: "tcp6", client: "tcp4", dual: true, at: ip("[::]:0"), reach: "127.0.0.1"},
		"path":            {network: "unix", client: "unix", at: world.Addr{Path: filepath.Join(dir, "socket")}},
		"abstract":        {network: "unix", client: "unix", at: world.Addr{Path: "@corobridge\x00" + dir}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			lacking(t, tt.network, tt.dual, tt.at)
			ln, addr := listen(t, tt.network, tt.dual, tt.at)
			if tt.network == "unix" && addr != tt.at {
				t.Errorf("listens at %q, want %q", addr.Path, tt.at.Path)
			}
			if tt.network != "unix" && addr.IP.Port() == 0 {
				t.Errorf("listens at %v, want a port", addr.IP)
			}
			if tt.reach != "" {
				addr.IP = netip.AddrPortFrom(netip.MustParseAddr(tt.reach), addr.IP.Port())
			}
			if _, _, errno := k.Accept(ln); errno != syscall.EAGAIN {
				t.Errorf("Accept of nothing: %v, want %v", errno, syscall.EAGAIN)
			}

			a := dial(t, tt.client, addr)
			ready(t, ln, poll.Readable)
			b, peer, errno := k.Accept(ln)
			ok(t, "Accept", errno)
			closing(t, b)
			nonblockingNotInherited(t, ln, a, b)

			local, errno := k.LocalAddr(a)
			ok(t, "LocalAddr", errno)
			if peer != local || tt.network == "unix" && peer != (world.Addr{}) {
				t.Errorf("accepted from %v; want %v, the client's address (and none for unix)", peer, local)
			}
			if remote, errno := k.PeerAddr(b); remote != peer || errno != 0 {
				t.Errorf("PeerAddr of the server: %v, %v; want %v", remote, errno, peer)
			}
			if remote, errno := k.PeerAddr(a); remote != addr || errno != 0 {
				t.Errorf("PeerAddr of the client: %v, %v; want %v", remote, errno, addr)
			}

			buf := make([]byte, 8)
			if n, errno := k.Read(b, buf); n != 0 || errno != syscall.EAGAIN {
				t.Errorf("Read of nothing: %d, %v; want 0 and %v", n, errno, syscall.EAGAIN)
			}
			if n, errno := k.Write(a, []byte("question")); n != 8 || errno != 0 {
				t.Errorf("Write: %d, %v; want 8 and 0", n, errno)
			}
			ok(t, "Shutdown", k.Shutdown(a, syscall.SHUT_WR))
			if got := read(t, b, 8); got != "question" {
				t.Errorf("the server read %q, want %q", got, "question")
			}
			ready(t, b, poll.Readable)
			if n, errno := k.Read(b, buf); n != 0 || errno != 0 {
				t.Errorf("Read at the end: %d, %v; want 0 and 0", n, errno)
			}
			if n, errno := k.Writev(b, [][]byte{[]byte("ans"), nil, []byte("wer")}); n != 6 || errno != 0 {
				t.Errorf("Writev after the half-close: %d, %v; want 6 and 0", n, errno)
			}
			if got := read(t, a, 6); got != "answer" {
				t.Errorf("the client read %q, want %q", got, "answer")
			}
		})
	}
}

// lacking skips the test if the system does not have what it needs. Linux has everything.
func lacking(t *testing.T, network string, dual bool, at world.Addr) {
	t.Helper()
	if runtime.GOOS == "linux" {
		return
	}
	if strings.HasPrefix(at.Path, "@") {
		t.Skip("no abstract names here")
	}
	fd, errno := k.Socket(network, dual)
	if errno != 0 {
		t.Skipf("no such socket here: %v", errno)
	}
	ok(t, "Close", k.Close(fd))
}

func TestOnlyADualSocketTakesIPv4(t *testing.T) {
	testkit.Guard(t)
	for _, dual := range []bool{false, true} {
		lacking(t, "tcp6", dual, world.Addr{})
		fd := socket(t, "tcp6", dual)
		only, errno := k.SockoptInt(fd, syscall.IPPROTO_IPV6, v6Only)
		if only == 1 == dual || errno != 0 {
			t.Errorf("dual %v: IPV6_V6ONLY is %d, %v; want on if it is not dual, off if it is", dual, only, errno)
		}
	}
}

func TestMappedAddressOnADualSocket(t *testing.T) {
	testkit.Guard(t)
	ln, addr := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	lacking(t, "tcp6", true, world.Addr{})
	fd := socket(t, "tcp6", true)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(addr.IP.Addr().As16()), addr.IP.Port())
	if errno := k.Connect(fd, world.Addr{IP: mapped}); errno != 0 && errno != syscall.EINPROGRESS {
		t.Fatalf("Connect: %v, want 0 or %v", errno, syscall.EINPROGRESS)
	}
	ready(t, fd, poll.Writable)
	if peer, errno := k.PeerAddr(fd); peer != addr || errno != 0 {
		t.Errorf("connected to %v, %v; want %v", peer, errno, addr)
	}
	ready(t, ln, poll.Readable)
	nfd, _, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	closing(t, nfd)
}

func TestClosedDescriptorIsRefusedEverywhere(t *testing.T) {
	testkit.Guard(t)
	fd, errno := k.Socket("tcp4", false)
	ok(t, "Socket", errno)
	ok(t, "Close", k.Close(fd))
	nfd, _, accept := k.Accept(fd)
	_, read := k.Read(fd, make([]byte, 1))
	_, urgent := k.ReadUrgent(fd)
	n, write := k.Write(fd, make([]byte, 1))
	_, writev := k.Writev(fd, [][]byte{make([]byte, 1)})
	_, local := k.LocalAddr(fd)
	_, peer := k.PeerAddr(fd)
	_, option := k.SockoptInt(fd, syscall.SOL_SOCKET, soError)
	for name, errno := range map[string]syscall.Errno{
		"Accept": accept, "Read": read, "ReadUrgent": urgent, "Write": write, "Writev": writev, "LocalAddr": local, "PeerAddr": peer,
		"SockoptInt": option, "SetSockoptInt": k.SetSockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1),
		"Bind": k.Bind(fd, ip("127.0.0.1:0")), "Listen": k.Listen(fd, 1), "Connect": k.Connect(fd, ip("127.0.0.1:1")),
		"Shutdown": k.Shutdown(fd, syscall.SHUT_RDWR), "Close": k.Close(fd),
	} {
		if errno != syscall.EBADF {
			t.Errorf("%s: %v, want %v", name, errno, syscall.EBADF)
		}
	}
	if nfd != -1 || n != 0 {
		t.Errorf("Accept returned %d, Write %d; want %d and 0", nfd, n, -1)
	}
}

func TestRefusedConnection(t *testing.T) {
	testkit.Guard(t)
	deaf := socket(t, "tcp4", false)
	ok(t, "Bind", k.Bind(deaf, ip("127.0.0.1:0")))
	addr, errno := k.LocalAddr(deaf)
	ok(t, "LocalAddr", errno)
	fd := socket(t, "tcp4", false)
	if errno = k.Connect(fd, addr); errno == syscall.EINPROGRESS {
		errno = outcome(t, fd)
	}
	if errno != syscall.ECONNREFUSED {
		t.Errorf("got %v, want %v", errno, syscall.ECONNREFUSED)
	}
}

func TestOptions(t *testing.T) {
	testkit.Guard(t)
	fd := socket(t, "tcp4", false)
	for _, on := range []int{1, 0} {
		ok(t, "SetSockoptInt", k.SetSockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, on))
		if got, errno := k.SockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY); got != on || errno != 0 {
			t.Errorf("got %d, %v; want %d and 0", got, errno, on)
		}
	}
}

func TestLookupHost(t *testing.T) {
	testkit.Guard(t)
	tests := map[string][]string{
		"192.0.2.1":        {"192.0.2.1"},
		"::ffff:192.0.2.1": {"192.0.2.1"},
		"2001:db8::1":      {"2001:db8::1"},
		"fe80::1%7":        {"fe80::1%7"},
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for host, want := range tests {
		// An address needs no lookup, so a context that is done does no harm.
		ips, err := k.LookupHost(done, host)
		if err != nil || len(ips) != 1 || ips[0].String() != want[0] {
			t.Errorf("LookupHost(%s) = %v, %v; want %v", host, ips, err, want)
		}
	}
	// The empty name fails without asking a server.
	var notFound *net.DNSError
	if ips, err := k.LookupHost(t.Context(), ""); !errors.As(err, &notFound) || !notFound.IsNotFound {
		t.Errorf("LookupHost of no name = %v, %v; want an error that it is not found", ips, err)
	}
	ips, err := k.LookupHost(t.Context(), "localhost")
	if err != nil || !slices.ContainsFunc(ips, netip.Addr.IsLoopback) {
		t.Errorf("LookupHost(localhost) = %v, %v; want a loopback address", ips, err)
	}
	for _, ip := range ips {
		if ip.Is4In6() {
			t.Errorf("LookupHost(localhost) has %v, want no mapped address", ip)
		}
	}
}

// Here are the errnos that all systems share. Each system's own are in the files of that system.
func TestRefusalsThatAllSystemsShare(t *testing.T) {
	testkit.Guard(t)
	fd, addr := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	unknown, errno := k.Socket("udp", false)
	if unknown != -1 {
		t.Errorf("Socket returned %d, want %d", unknown, -1)
	}
	_, noName := k.PeerAddr(fd)
	for name, tt := range map[string]struct{ got, want syscall.Errno }{
		"unknown network":       {errno, syscall.EAFNOSUPPORT},
		"connect to no address": {k.Connect(socket(t, "tcp4", false), world.Addr{}), syscall.EINVAL},
		"path with a NUL":       {k.Bind(fd, world.Addr{Path: "a\x00b"}), syscall.EINVAL},
		"unknown zone":          {k.Bind(fd, ip("[fe80::1%no-such-zone]:0")), syscall.ENODEV},
		"address in use":        {k.Bind(socket(t, "tcp4", false), addr), syscall.EADDRINUSE},
		"no peer":               {noName, syscall.ENOTCONN},
		"shutdown, not joined":  {k.Shutdown(socket(t, "tcp4", false), syscall.SHUT_WR), syscall.ENOTCONN},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
	if runtime.GOOS != "linux" {
		if errno := k.Bind(fd, world.Addr{Path: "@abstract"}); errno != syscall.EINVAL {
			t.Errorf("abstract name: %v, want %v", errno, syscall.EINVAL)
		}
	}
}

// The unspecified address stands for this machine, also where the system does not say so.
func TestConnectToTheUnspecifiedAddress(t *testing.T) {
	for network, at := range map[string]string{"tcp4": "0.0.0.0:0", "tcp6": "[::]:0"} {
		t.Run(network, func(t *testing.T) {
			testkit.Guard(t)
			ln, addr := listen(t, network, false, ip(at))
			a := dial(t, network, addr)
			b, _ := accept(t, ln)
			if remote, errno := k.PeerAddr(a); !remote.IP.Addr().IsLoopback() || errno != 0 {
				t.Errorf("connected to %v, %v; want a loopback address", remote, errno)
			}
			nonblockingNotInherited(t, a, b)
		})
	}
}
