//go:build unix || windows

package world_test

import (
	"net/netip"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

var k = world.System()

func TestMain(m *testing.M) { testkit.Main(m) }

// ok fails the test on an errno.
func ok(t *testing.T, call string, errno syscall.Errno) {
	t.Helper()
	if errno != 0 {
		t.Fatalf("%s: %v, want 0", call, errno)
	}
}

// closing closes fd when the test ends.
func closing(t *testing.T, fd int) int {
	t.Cleanup(func() {
		if errno := k.Close(fd); errno != 0 {
			t.Errorf("Close: %v, want 0", errno)
		}
	})
	return fd
}

func ip(s string) world.Addr { return world.Addr{IP: netip.MustParseAddrPort(s)} }

func socket(t *testing.T, network string, dual bool) int {
	t.Helper()
	fd, errno := k.Socket(network, dual)
	ok(t, "Socket", errno)
	return closing(t, fd)
}

// ready waits for one of the events.
func ready(t *testing.T, fd int, events poll.Events) {
	t.Helper()
	p, err := poll.New(poll.Poll)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := p.Add(fd, 1, events, poll.Level); err != nil {
		t.Fatal(err)
	}
	var into [1]poll.Event
	for n := 0; n == 0; {
		if n, err = p.Wait(into[:], -1); err != nil {
			t.Fatal(err)
		}
	}
}

// accept waits for a connection and accepts it.
func accept(t *testing.T, ln int) (int, world.Addr) {
	t.Helper()
	ready(t, ln, poll.Readable)
	fd, peer, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	return closing(t, fd), peer
}

// listen returns a listener and where it listens.
func listen(t *testing.T, network string, dual bool, at world.Addr) (int, world.Addr) {
	t.Helper()
	fd := socket(t, network, dual)
	ok(t, "Bind", k.Bind(fd, at))
	ok(t, "Listen", k.Listen(fd, 16))
	addr, errno := k.LocalAddr(fd)
	ok(t, "LocalAddr", errno)
	return fd, addr
}

// dial connects to a listener.
func dial(t *testing.T, network string, to world.Addr) int {
	t.Helper()
	fd := socket(t, network, false)
	if errno := k.Connect(fd, to); errno == syscall.EINPROGRESS {
		ok(t, "Connect", outcome(t, fd))
	} else {
		ok(t, "Connect", errno)
	}
	return fd
}

// outcome waits for the outcome of a connection that has begun.
func outcome(t *testing.T, fd int) syscall.Errno {
	t.Helper()
	ready(t, fd, poll.Writable)
	value, errno := k.SockoptInt(fd, syscall.SOL_SOCKET, soError)
	ok(t, "SockoptInt", errno)
	return syscall.Errno(value)
}

// read reads until it has count bytes.
func read(t *testing.T, fd, count int) string {
	t.Helper()
	buf := make([]byte, count)
	for got := 0; got < count; {
		n, errno := k.Read(fd, buf[got:])
		if errno == syscall.EAGAIN {
			ready(t, fd, poll.Readable)
			continue
		}
		ok(t, "Read", errno)
		if n == 0 {
			t.Fatalf("the stream ended after %d bytes, want %d", got, count)
		}
		got += n
	}
	return string(buf)
}

// allocations returns the least of several counts, because a count includes what other goroutines
// allocate, the resolver's for instance.
func allocations(attempt func() float64) float64 {
	least := attempt()
	for range 4 {
		if least == 0 {
			break
		}
		least = min(least, attempt())
	}
	return least
}
