//go:build unix

package asyncore_test

import (
	"net"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

// bound returns a handler that Bind has given an address.
func bound(r *room, network, address string) *disp {
	d := newDisp("", &r.log)
	asyncore.Init(d, r.m)
	r.must(d.CreateSocket(network))
	r.must(d.Bind(address))
	return d
}

func TestConnectComesFromTheAddressOfBind(t *testing.T) {
	ways := map[string]struct{ network, source, listen string }{
		"IPv4":            {"tcp4", "127.0.0.1:0", "127.0.0.1:0"},
		"another address": {"tcp", "127.0.0.2:0", "127.0.0.1:0"},
		"wildcard":        {"tcp", ":0", "127.0.0.1:0"},
		"IPv6":            {"tcp6", "[::1]:0", "[::1]:0"},
		"Unix":            {"unix", "source", "server"},
	}
	for name, w := range ways {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			if w.network == "unix" {
				dir := t.TempDir()
				w.source, w.listen = filepath.Join(dir, w.source), filepath.Join(dir, w.listen)
			}
			ln, err := net.Listen(w.network, w.listen)
			if err != nil {
				t.Skipf("this machine can't: %v", err)
			}
			defer ln.Close()
			d := bound(r, w.network, w.source)
			source := d.Addr()
			r.must(d.Connect(ln.Addr().String()))
			r.until(d.Connected)
			c, err := ln.Accept()
			r.must(err)
			defer c.Close()
			if got := c.RemoteAddr().String(); portOf(got) != portOf(source.String()) {
				t.Errorf("the peer sees %s, want %s", got, source)
			}
			if got := d.LocalAddr().String(); portOf(got) != portOf(source.String()) {
				t.Errorf("LocalAddr is %s, want %s", got, source)
			}
			if got := d.Addr().String(); got != ln.Addr().String() {
				t.Errorf("Addr is %s, want the peer's, %s", got, ln.Addr())
			}
			r.send(c, "x")
			r.until(func() bool { return len(r.log) > 1 })
			r.want("connect", "read")
		})
	}
}

func portOf(address string) string {
	if _, port, err := net.SplitHostPort(address); err == nil {
		return port
	}
	return address
}

func TestBindDoesNotListen(t *testing.T) {
	r := newRoom(t)
	d := bound(r, "tcp", "127.0.0.1:0")
	address := d.Addr().String()
	if c, err := net.DialTimeout("tcp", address, time.Second); err == nil {
		c.Close()
		t.Error("the address of Bind takes connections before Listen, want none")
	}
	r.must(d.Listen(5))
	c, err := net.Dial("tcp", address)
	r.must(err)
	defer c.Close()
	r.until(func() bool { return len(r.log) > 0 })
	r.want("accept")
}

func TestConnectFromAnAddressThatFails(t *testing.T) {
	r := newRoom(t)
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(err)
	dead.Close()
	d := bound(r, "tcp", "127.0.0.1:0")
	source := d.Addr().String()
	r.must(d.Connect(dead.Addr().String()))
	r.until(func() bool { return !d.Connecting() })
	r.want("error", "close")
	testkit.ErrorIs(t, d.errors[0], syscall.ECONNREFUSED)
	again, err := net.Listen("tcp", source)
	if err != nil {
		t.Errorf("the address is not free after the attempt: %v, want nil", err)
	} else {
		again.Close()
	}
}

func TestCloseOfAHandlerThatIsOnlyBound(t *testing.T) {
	r := newRoom(t)
	d := bound(r, "tcp", "127.0.0.1:0")
	address := d.Addr().String()
	r.must(d.Close())
	ln, err := net.Listen("tcp", address)
	r.must(err)
	ln.Close()
	r.want()
}

func TestSocketOptionsAreThoseOfTheSockets(t *testing.T) {
	r := newRoom(t)
	a, b := newDisp("", &r.log), newDisp("", &r.log)
	for i, d := range []*disp{a, b} {
		asyncore.Init(d, r.m)
		r.must(d.CreateSocket("tcp"))
		d.SetSocketOptions(stream.ReusePort())
		address := "127.0.0.1:0"
		if i == 1 {
			address = a.Addr().String()
		}
		r.must(d.Bind(address))
		r.must(d.Listen(1))
	}
	if a.Addr().String() != b.Addr().String() {
		t.Errorf("they listen at %v and %v, want the same", a.Addr(), b.Addr())
	}
}

func TestSyscallConnReachesTheSocket(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	if _, err := d.SyscallConn(); err != asyncore.ErrNoConnection {
		t.Errorf("SyscallConn without a connection: %v, want %v", err, asyncore.ErrNoConnection)
	}
	r.connected(d, "tcp")
	raw, err := d.SyscallConn()
	r.must(err)
	kind := 0
	r.must(raw.Control(func(fd uintptr) {
		kind, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_TYPE)
	}))
	if kind != syscall.SOCK_STREAM || err != nil {
		t.Errorf("the socket's kind is %d, %v; want %d and nil", kind, err, syscall.SOCK_STREAM)
	}
	if _, err := bound(r, "tcp", "127.0.0.1:0").SyscallConn(); err != nil {
		t.Errorf("SyscallConn of a bound handler: %v, want nil", err)
	}
}
