//go:build linux

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// kindOf names what kind of error a failed Listen or Dial has returned.
func kindOf(err error) string {
	var (
		errno   syscall.Errno
		addr    *net.AddrError
		dns     *net.DNSError
		unknown net.UnknownNetworkError
	)
	switch {
	case err == nil:
		return ""
	case errors.As(err, &errno):
		return errno.Error()
	case errors.As(err, &addr):
		return "address: " + addr.Err
	case errors.As(err, &dns):
		return fmt.Sprint("lookup, not found: ", dns.IsNotFound)
	case errors.As(err, &unknown):
		return "unknown network"
	}
	return "another"
}

// reach tells who gets in at an address: its host, and which families.
func reach(a net.Addr) string {
	t, ok := a.(*net.TCPAddr)
	if !ok {
		return a.String()
	}
	s := t.IP.String()
	for _, host := range []string{"127.0.0.1", "::1"} {
		if p, err := net.Dial("tcp", net.JoinHostPort(host, fmt.Sprint(t.Port))); err == nil {
			p.Close()
			s += " lets in " + host
		}
	}
	return s
}

// What Listen takes, and where it listens then, is as with package net.
func TestListenTakesAddressesAsPackageNetDoes(t *testing.T) {
	t.Chdir(t.TempDir())
	l := startLoop(t)
	forms := map[string][]string{
		"tcp": {
			"", ":", ":0", "0.0.0.0:0", "[::]:0", "[0.0.0.0]:0", "[::ffff:0.0.0.0]:0", "[::%lo]:0", "0.0.0.0:", "[::]:",
			"localhost:0", "localhost:", "[localhost]:0", "127.0.0.1:0", "127.0.0.1:", "[::1]:0", "[::ffff:127.0.0.1]:0",
			"[::1%lo]:0", "[::1%1]:0", "[::1%nonsense]:0", "127.0.0.1%lo:0", "127.0.0.1:+0", "127.0.0.1:-0", "127.0.0.1:00",
			"127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:99999999999", "127.0.0.1:no-such-service", "127.0.0.1:0x10", "127.0.0.1: 0",
			"127.0.0.1", "::1", "[::1]", "a:b:c", "[::1:0", "::1]:0", "[[::1]]:0", "localhost", "127.1:0", "010.0.0.1:0", "300.0.0.1:0",
			"192.0.2.1:0", "[2001:db8::1]:0", "*:0", " 127.0.0.1:0",
		},
		"tcp4": {
			"", ":0", "0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "localhost:0", "127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "[::1%lo]:0",
		},
		"tcp6": {
			"", ":0", "0.0.0.0:0", "[::]:0", "[::ffff:0.0.0.0]:0", "localhost:0", "127.0.0.1:0", "[::1]:0", "[::ffff:127.0.0.1]:0", "[::1%lo]:0",
		},
		"unix":  {"s", "./s", "no/such/folder/s", "@corobridge-as-net", "\x00corobridge-as-net", strings.Repeat("p", 108), "@" + strings.Repeat("n", 107)},
		"":      {"127.0.0.1:0"},
		"TCP":   {"127.0.0.1:0"},
		"sctp":  {"127.0.0.1:0", ""},
		"tcp:6": {"127.0.0.1:0"},
	}
	for network, addresses := range forms {
		for _, address := range addresses {
			t.Run(network+"/"+address, func(t *testing.T) {
				var want, got string
				theirs, err := net.Listen(network, address)
				wantKind := kindOf(err)
				if err == nil {
					want = reach(theirs.Addr())
					theirs.Close()
				}
				ours, err := stream.Listen(l.Context(), network, address)
				if kind := kindOf(err); kind != wantKind {
					t.Errorf("Listen: %v, which is %q; package net has %q", err, kind, wantKind)
				}
				if err == nil {
					got = reach(ours.Addr())
					ours.Close()
				}
				if got != want {
					t.Errorf("listens at %s; package net at %s", got, want)
				}
			})
		}
	}
}

// Where Dial goes is as with package net. P is the port of a listener for both families.
func TestDialTakesAddressesAsPackageNetDoes(t *testing.T) {
	l := startLoop(t)
	ln := testkit.Must(net.Listen("tcp", ":0"))
	defer ln.Close()
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	all := []string{
		"", ":P", "0.0.0.0:P", "[::]:P", "[::ffff:0.0.0.0]:P", "localhost:P", "127.0.0.1:P", "[::1]:P", "[::ffff:127.0.0.1]:P", "[::1%lo]:P",
		"[::1%nonsense]:P", "127.0.0.1%lo:P", "127.0.0.1", "::1:P", "[::1]", "127.0.0.1:-1", "127.0.0.1:65536", "127.0.0.1:no-such-service",
		"127.0.0.1:", "127.0.0.1:0", ":0", ":", "300.0.0.1:P",
	}
	forms := map[string][]string{
		"tcp": all, "tcp4": all, "tcp6": all, "unix": {"", "no/such/folder/s", "@corobridge-nobody"}, "sctp": {":P", ""}, "": {":P"},
	}
	for network, addresses := range forms {
		for _, address := range addresses {
			t.Run(network+"/"+address, func(t *testing.T) {
				address := strings.Replace(address, "P", port, 1)
				var want, got string
				theirs, err := net.Dial(network, address)
				wantKind := kindOf(err)
				if err == nil {
					want = theirs.RemoteAddr().String()
					theirs.Close()
				}
				ours, err := stream.Dial(l.Context(), network, address)
				if kind := kindOf(err); kind != wantKind {
					t.Errorf("Dial: %v, which is %q; package net has %q", err, kind, wantKind)
				}
				if err == nil {
					got = ours.RemoteAddr().String()
					ours.Abort()
				}
				if got != want {
					t.Errorf("connects to %q; package net to %q", got, want)
				}
			})
		}
	}
}

// The address of a listener is a listener's address: another one there is the same.
func TestAnAddressOfAListenerListensAsItDid(t *testing.T) {
	l := startLoop(t)
	for _, form := range []string{":0", "0.0.0.0:0", "[::]:0", "127.0.0.1:0", "[::1]:0", "localhost:0"} {
		ln := listen(t, l, "tcp", form)
		want := reach(ln.Addr())
		at := ln.Addr().String()
		mustBe(t, "Close", ln.Close(), nil)
		again := listen(t, l, "tcp", at)
		if got := reach(again.Addr()); got != want {
			t.Errorf("%s, which was %s, is %s, want the same", form, want, got)
		}
	}
}

// Every address of this machine is all of them, or none.
func TestListenAtEveryAddressFailsWhenAFamilyIsTaken(t *testing.T) {
	l := startLoop(t)
	for _, network := range []string{"tcp4", "tcp6"} {
		taken := testkit.Must(net.Listen(network, ":0"))
		_, port, _ := net.SplitHostPort(taken.Addr().String())
		for _, host := range []string{"", "0.0.0.0", "[::]"} {
			_, err := stream.Listen(l.Context(), "tcp", host+":"+port)
			mustBe(t, "Listen at "+host+" with "+network+" taken", err, syscall.EADDRINUSE)
		}
		taken.Close()
	}
}

// services is a world that knows one service more.
type services struct{ world.World }

func (services) LookupPort(_ context.Context, _, service string) (uint16, error) {
	if service == "corobridge" {
		return 0, nil
	}
	return 0, &net.DNSError{Err: "unknown port", Name: service, IsNotFound: true}
}

func TestAServiceHasAPort(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		l := startLoop(t, reactor.WithWorld(func(below world.World) world.World { return services{below} }))
		w.run(func(context.Context) {
			ln, err := stream.Listen(l.Context(), "tcp", "127.0.0.1:corobridge")
			if err != nil {
				t.Errorf("Listen at a service: %v, want a listener", err)
				return
			}
			ln.Close()
			for _, call := range []func() error{
				func() error { _, err := stream.Listen(l.Context(), "tcp", "127.0.0.1:other"); return err },
				func() error { _, err := stream.Dial(l.Context(), "tcp", "127.0.0.1:other"); return err },
			} {
				if kind := kindOf(call()); kind != "lookup, not found: true" {
					t.Errorf("an unknown service is %q, want a lookup that has found nothing", kind)
				}
			}
		})
	})
}

// Where there is no IPv6, or no IPv4 in it, every address is every one of IPv4.
func TestEveryAddressWhereThereIsNoIPv6(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EAFNOSUPPORT, syscall.EINVAL} {
		l := startLoop(t, reactor.WithWorld(func(below world.World) world.World { return only4{below, errno} }))
		for _, form := range []string{":0", "0.0.0.0:0", "[::]:0", ""} {
			ln := listen(t, l, "tcp", form)
			if got, want := reach(ln.Addr()), "0.0.0.0 lets in 127.0.0.1"; got != want {
				t.Errorf("%q listens at %s, want %s", form, got, want)
			}
		}
		_, err := stream.Listen(l.Context(), "tcp6", ":0")
		mustBe(t, "Listen with tcp6", err, errno)
	}
}

// only4 is a kernel without IPv6.
type only4 struct {
	world.World
	errno syscall.Errno
}

func (w only4) Socket(network string, dual bool) (int, syscall.Errno) {
	if network == "tcp6" {
		return -1, w.errno
	}
	return w.World.Socket(network, dual)
}

// An empty path lets the kernel choose an abstract name, which Addr tells. An unnamed peer is "@",
// so no error has a hole where its address belongs.
func TestNamesOfUnixSockets(t *testing.T) {
	l := startLoop(t)
	ln := listen(t, l, "unix", "")
	if at := ln.Addr().String(); len(at) < 2 || at[0] != '@' {
		t.Fatalf("Listen at no path listens at %q, want an abstract name", at)
	}
	p := dialAt(t, ln.Addr())
	c, err := ln.Accept(context.Background())
	mustBe(t, "Accept", err, nil)
	if got := c.RemoteAddr().String(); got != "@" {
		t.Errorf("the unnamed peer is %q, want %q", got, "@")
	}
	p.Close()
	c.Close()
	for what, call := range map[string]func() error{
		"read":  func() error { _, err := c.Read(context.Background(), make([]byte, 1)); return err },
		"write": func() error { _, err := c.Write(context.Background(), []byte("x")); return err },
		"flush": func() error { return c.Flush(context.Background()) },
		"detach": func() error {
			_, err := c.Detach()
			return err
		},
	} {
		if err := call(); err == nil || !strings.Contains(err.Error(), " an unnamed peer: ") {
			t.Errorf("%s of a closed connection: %v, want an error that says who the peer is", what, err)
		}
	}
	d, err := stream.Dial(l.Context(), "unix", ln.Addr().String())
	mustBe(t, "Dial", err, nil)
	if got := d.LocalAddr().String(); got != "@" {
		t.Errorf("the local address of an unnamed end is %q, want %q", got, "@")
	}
	d.Abort()
}
