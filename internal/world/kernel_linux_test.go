package world_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

func TestAcceptTellsTheClientsPath(t *testing.T) {
	testkit.Guard(t)
	dir := t.TempDir()
	ln, addr := listen(t, "unix", false, world.Addr{Path: filepath.Join(dir, "server")})
	client := world.Addr{Path: filepath.Join(dir, "client")}
	fd := socket(t, "unix", false)
	ok(t, "Bind", k.Bind(fd, client))
	ok(t, "Connect", k.Connect(fd, addr))
	nfd, peer, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	closing(t, nfd)
	if peer != client {
		t.Errorf("accepted from %q, want %q", peer.Path, client.Path)
	}
}

func TestPathOfMaximalLength(t *testing.T) {
	testkit.Guard(t)
	dir := t.TempDir()
	t.Chdir(dir)
	path := strings.Repeat("p", 107) // and a NUL
	ln, addr := listen(t, "unix", false, world.Addr{Path: path})
	if addr.Path != path {
		t.Errorf("got %q, want %q", addr.Path, path)
	}
	dial(t, "unix", addr)
	nfd, _, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	closing(t, nfd)
}

func TestRefusals(t *testing.T) {
	testkit.Guard(t)
	dir := t.TempDir()
	free := func(network string) int { return socket(t, network, false) }
	taken, _ := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	path := world.Addr{Path: filepath.Join(dir, "taken")}
	listen(t, "unix", false, path)
	_, noOption := k.SockoptInt(taken, unix.SOL_SOCKET, 9999)
	for name, tt := range map[string]struct{ got, want unix.Errno }{
		"bind to any name":     {k.Bind(free("unix"), world.Addr{}), 0},
		"path with a NUL":      {k.Bind(free("unix"), world.Addr{Path: dir + "/a\x00b"}), unix.EINVAL},
		"path too long":        {k.Bind(free("unix"), world.Addr{Path: strings.Repeat("p", 108)}), unix.EINVAL},
		"path in use":          {k.Bind(free("unix"), path), unix.EADDRINUSE},
		"wrong family":         {k.Bind(free("tcp4"), ip("[::1]:0")), unix.EAFNOSUPPORT},
		"no such path":         {k.Connect(free("unix"), world.Addr{Path: dir + "/nobody"}), unix.ENOENT},
		"no such option":       {noOption, unix.ENOPROTOOPT},
		"listen on a listener": {k.Listen(taken, 1), 0},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %v, want %v", name, tt.got, tt.want)
		}
	}
}

func TestFullBacklogOfAUnixListener(t *testing.T) {
	testkit.Guard(t)
	fd := socket(t, "unix", false)
	addr := world.Addr{Path: filepath.Join(t.TempDir(), "socket")}
	ok(t, "Bind", k.Bind(fd, addr))
	ok(t, "Listen", k.Listen(fd, 0))
	ok(t, "Connect", k.Connect(socket(t, "unix", false), addr))
	if errno := k.Connect(socket(t, "unix", false), addr); errno != unix.EAGAIN {
		t.Errorf("got %v, want %v", errno, unix.EAGAIN)
	}
}
