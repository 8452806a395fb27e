package seam_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/seam"
)

func ip(s string) seam.Addr { return seam.Addr{IP: netip.MustParseAddrPort(s)} }

func TestConversation(t *testing.T) {
	dir := t.TempDir()
	tests := map[string]struct {
		network, client string
		dual            bool
		at              seam.Addr
		reach           string // of a wildcard listener
	}{
		"tcp4":            {network: "tcp4", client: "tcp4", at: ip("127.0.0.1:0")},
		"tcp6":            {network: "tcp6", client: "tcp6", at: ip("[::1]:0")},
		"dual, from IPv6": {network: "tcp6", client: "tcp6", dual: true, at: ip("[::]:0"), reach: "::1"},
		"dual, from IPv4": {network: "tcp6", client: "tcp4", dual: true, at: ip("[::]:0"), reach: "127.0.0.1"},
		"path":            {network: "unix", client: "unix", at: seam.Addr{Path: filepath.Join(dir, "socket")}},
		"abstract":        {network: "unix", client: "unix", at: seam.Addr{Path: "@corobridge\x00" + dir}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			guard(t)
			ln, addr := listen(t, tt.network, tt.dual, tt.at)
			if tt.network == "unix" && addr != tt.at {
				t.Errorf("listens at %q, not at %q", addr.Path, tt.at.Path)
			}
			if tt.network != "unix" && addr.IP.Port() == 0 {
				t.Errorf("listens at %v", addr.IP)
			}
			if tt.reach != "" {
				addr.IP = netip.AddrPortFrom(netip.MustParseAddr(tt.reach), addr.IP.Port())
			}
			if _, _, errno := k.Accept(ln); errno != unix.EAGAIN {
				t.Errorf("Accept of nothing: %v", errno)
			}

			a := dial(t, tt.client, addr)
			ready(t, ln, unix.POLLIN)
			b, peer, errno := k.Accept(ln)
			ok(t, "Accept", errno)
			closing(t, b)
			nonblockingNotInherited(t, ln, a, b)

			local, errno := k.LocalAddr(a)
			ok(t, "LocalAddr", errno)
			if peer != local || tt.network == "unix" && peer != (seam.Addr{}) {
				t.Errorf("accepted from %v, the client is %v", peer, local)
			}
			if remote, errno := k.PeerAddr(b); remote != peer || errno != 0 {
				t.Errorf("PeerAddr of the server: %v, %v, not %v", remote, errno, peer)
			}
			if remote, errno := k.PeerAddr(a); remote != addr || errno != 0 {
				t.Errorf("PeerAddr of the client: %v, %v, not %v", remote, errno, addr)
			}

			buf := make([]byte, 8)
			if n, errno := k.Read(b, buf); n != 0 || errno != unix.EAGAIN {
				t.Errorf("Read of nothing: %d, %v", n, errno)
			}
			if n, errno := k.Write(a, []byte("question")); n != 8 || errno != 0 {
				t.Errorf("Write: %d, %v", n, errno)
			}
			ok(t, "Shutdown", k.Shutdown(a, unix.SHUT_WR))
			if got := read(t, b, 8); got != "question" {
				t.Errorf("the server read %q", got)
			}
			ready(t, b, unix.POLLIN)
			if n, errno := k.Read(b, buf); n != 0 || errno != 0 {
				t.Errorf("Read at the end: %d, %v", n, errno)
			}
			if n, errno := k.Writev(b, [][]byte{[]byte("ans"), nil, []byte("wer")}); n != 6 || errno != 0 {
				t.Errorf("Writev after the half-close: %d, %v", n, errno)
			}
			if got := read(t, a, 6); got != "answer" {
				t.Errorf("the client read %q", got)
			}
		})
	}
}

func nonblockingNotInherited(t *testing.T, fds ...int) {
	t.Helper()
	for _, fd := range fds {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK == 0 {
			t.Errorf("blocking: %#x, %v", flags, err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("inherited: %#x, %v", flags, err)
		}
	}
}

func TestAcceptTellsTheClientsPath(t *testing.T) {
	guard(t)
	dir := t.TempDir()
	ln, addr := listen(t, "unix", false, seam.Addr{Path: filepath.Join(dir, "server")})
	client := seam.Addr{Path: filepath.Join(dir, "client")}
	fd := socket(t, "unix", false)
	ok(t, "Bind", k.Bind(fd, client))
	ok(t, "Connect", k.Connect(fd, addr))
	nfd, peer, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	closing(t, nfd)
	if peer != client {
		t.Errorf("accepted from %q", peer.Path)
	}
}

func TestPathOfMaximalLength(t *testing.T) {
	guard(t)
	dir := t.TempDir()
	t.Chdir(dir)
	path := strings.Repeat("p", 107) // and a NUL
	ln, addr := listen(t, "unix", false, seam.Addr{Path: path})
	if addr.Path != path {
		t.Errorf("got %q", addr.Path)
	}
	dial(t, "unix", addr)
	nfd, _, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	closing(t, nfd)
}

func TestOnlyADualSocketTakesIPv4(t *testing.T) {
	guard(t)
	for _, dual := range []bool{false, true} {
		fd := socket(t, "tcp6", dual)
		only, errno := k.SockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		if only == 1 == dual || errno != 0 {
			t.Errorf("dual %v: IPV6_V6ONLY is %d, %v", dual, only, errno)
		}
	}
}

func TestMappedAddressOnADualSocket(t *testing.T) {
	guard(t)
	ln, addr := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	fd := socket(t, "tcp6", true)
	mapped := netip.AddrPortFrom(netip.AddrFrom16(addr.IP.Addr().As16()), addr.IP.Port())
	if errno := k.Connect(fd, seam.Addr{IP: mapped}); errno != 0 && errno != unix.EINPROGRESS {
		t.Fatal(errno)
	}
	ready(t, fd, unix.POLLOUT)
	if peer, errno := k.PeerAddr(fd); peer != addr || errno != 0 {
		t.Errorf("connected to %v, %v, not to %v", peer, errno, addr)
	}
	ready(t, ln, unix.POLLIN)
	nfd, _, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	closing(t, nfd)
}

func TestRefusals(t *testing.T) {
	guard(t)
	dir := t.TempDir()
	free := func(network string) int { return socket(t, network, false) }
	taken, addr := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	path := seam.Addr{Path: filepath.Join(dir, "taken")}
	listen(t, "unix", false, path)
	unknown, errno := k.Socket("udp", false)
	if unknown != -1 {
		t.Errorf("Socket returned %d", unknown)
	}
	_, noName := k.PeerAddr(taken)
	_, noOption := k.SockoptInt(taken, unix.SOL_SOCKET, 9999)
	for name, tt := range map[string]struct{ got, want unix.Errno }{
		"unknown network":       {errno, unix.EAFNOSUPPORT},
		"bind to no address":    {k.Bind(free("unix"), seam.Addr{}), unix.EINVAL},
		"connect to no address": {k.Connect(free("tcp4"), seam.Addr{}), unix.EINVAL},
		"path with a NUL":       {k.Bind(free("unix"), seam.Addr{Path: dir + "/a\x00b"}), unix.EINVAL},
		"path too long":         {k.Bind(free("unix"), seam.Addr{Path: strings.Repeat("p", 108)}), unix.EINVAL},
		"unknown zone":          {k.Bind(free("tcp6"), ip("[fe80::1%no-such-zone]:0")), unix.ENODEV},
		"address in use":        {k.Bind(free("tcp4"), addr), unix.EADDRINUSE},
		"path in use":           {k.Bind(free("unix"), path), unix.EADDRINUSE},
		"wrong family":          {k.Bind(free("tcp4"), ip("[::1]:0")), unix.EAFNOSUPPORT},
		"no such path":          {k.Connect(free("unix"), seam.Addr{Path: dir + "/nobody"}), unix.ENOENT},
		"no peer":               {noName, unix.ENOTCONN},
		"no such option":        {noOption, unix.ENOPROTOOPT},
		"listen on a listener":  {k.Listen(taken, 1), 0},
		"shutdown, not joined":  {k.Shutdown(free("tcp4"), unix.SHUT_WR), unix.ENOTCONN},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
}

func TestClosedDescriptorIsRefusedEverywhere(t *testing.T) {
	guard(t)
	fd, errno := k.Socket("tcp4", false)
	ok(t, "Socket", errno)
	ok(t, "Close", k.Close(fd))
	nfd, _, accept := k.Accept(fd)
	_, read := k.Read(fd, make([]byte, 1))
	n, write := k.Write(fd, make([]byte, 1))
	_, writev := k.Writev(fd, [][]byte{make([]byte, 1)})
	_, local := k.LocalAddr(fd)
	_, peer := k.PeerAddr(fd)
	_, option := k.SockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	for name, errno := range map[string]unix.Errno{
		"Accept": accept, "Read": read, "Write": write, "Writev": writev, "LocalAddr": local, "PeerAddr": peer,
		"SockoptInt": option, "SetSockoptInt": k.SetSockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1),
		"Bind": k.Bind(fd, ip("127.0.0.1:0")), "Listen": k.Listen(fd, 1), "Connect": k.Connect(fd, ip("127.0.0.1:1")),
		"Shutdown": k.Shutdown(fd, unix.SHUT_RDWR), "Close": k.Close(fd),
	} {
		if errno != unix.EBADF {
			t.Errorf("%s: %v", name, errno)
		}
	}
	if nfd != -1 || n != 0 {
		t.Errorf("Accept returned %d, Write %d", nfd, n)
	}
}

func TestRefusedConnection(t *testing.T) {
	guard(t)
	deaf := socket(t, "tcp4", false)
	ok(t, "Bind", k.Bind(deaf, ip("127.0.0.1:0")))
	addr, errno := k.LocalAddr(deaf)
	ok(t, "LocalAddr", errno)
	fd := socket(t, "tcp4", false)
	errno = k.Connect(fd, addr)
	if errno == unix.EINPROGRESS {
		ready(t, fd, unix.POLLOUT)
		value, e := k.SockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		ok(t, "SockoptInt", e)
		errno = unix.Errno(value)
	}
	if errno != unix.ECONNREFUSED {
		t.Errorf("got %v", errno)
	}
}

func TestFullBacklogOfAUnixListener(t *testing.T) {
	guard(t)
	fd := socket(t, "unix", false)
	addr := seam.Addr{Path: filepath.Join(t.TempDir(), "socket")}
	ok(t, "Bind", k.Bind(fd, addr))
	ok(t, "Listen", k.Listen(fd, 0))
	ok(t, "Connect", k.Connect(socket(t, "unix", false), addr))
	if errno := k.Connect(socket(t, "unix", false), addr); errno != unix.EAGAIN {
		t.Errorf("got %v", errno)
	}
}

func TestOptions(t *testing.T) {
	guard(t)
	fd := socket(t, "tcp4", false)
	for _, on := range []int{1, 0} {
		ok(t, "SetSockoptInt", k.SetSockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, on))
		if got, errno := k.SockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY); got != on || errno != 0 {
			t.Errorf("got %d, %v", got, errno)
		}
	}
}

func TestLookupHost(t *testing.T) {
	guard(t)
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
			t.Errorf("%s: %v, %v", host, ips, err)
		}
	}
	// The empty name fails without asking a server.
	var notFound *net.DNSError
	if ips, err := k.LookupHost(t.Context(), ""); !errors.As(err, &notFound) || !notFound.IsNotFound {
		t.Errorf("no name: %v, %v", ips, err)
	}
	ips, err := k.LookupHost(t.Context(), "localhost")
	if err != nil || !slices.ContainsFunc(ips, netip.Addr.IsLoopback) {
		t.Errorf("localhost: %v, %v", ips, err)
	}
	for _, ip := range ips {
		if ip.Is4In6() {
			t.Errorf("mapped: %v", ip)
		}
	}
}
