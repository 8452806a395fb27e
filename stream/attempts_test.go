//go:build linux

package stream_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// hosts is a world with a host of several addresses, of which some are dead: nobody answers there.
// It is the loopback network, whose other addresses all answer where somebody listens.
type hosts struct {
	world.World
	mu      sync.Mutex
	of      []netip.Addr
	dead    map[netip.Addr]bool
	silent  map[string]world.Addr // where an attempt at a dead address goes
	self    int                   // so many attempts are given the peer's port
	used    int                   // so many are given a port in use
	tried   []netip.Addr          // in order
	sockets map[int]bool          // open
}

// noRoute is an address of the documents' network, where an attempt fails at once.
var noRoute = netip.MustParseAddr("2001:db8::1")

// silent returns, for each family, a listener whose backlog is full: it does not answer.
func silent(t *testing.T) (at map[string]world.Addr) {
	at = map[string]world.Addr{}
	for network, host := range map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"} {
		k := system()
		fd, errno := k.Socket(network, false)
		testkit.OK(errno)
		t.Cleanup(func() { k.Close(fd) })
		testkit.OK(k.Bind(fd, addr(netip.MustParseAddrPort(host))))
		testkit.OK(k.Listen(fd, 0))
		own, errno := k.LocalAddr(fd)
		testkit.OK(errno)
		at[network] = own
		for { // what the kernel takes in spite of that
			c, err := net.DialTimeout("tcp", own.IP.String(), 100*time.Millisecond)
			if err != nil {
				break
			}
			t.Cleanup(func() { c.Close() })
		}
	}
	return at
}

func newHosts(addresses ...string) *hosts {
	h := &hosts{dead: map[netip.Addr]bool{}, sockets: map[int]bool{}}
	for _, a := range addresses {
		a, dead := strings.CutPrefix(a, "dead ")
		ip := netip.MustParseAddr(a)
		h.of = append(h.of, ip)
		h.dead[ip] = dead
	}
	return h
}

func (h *hosts) option() reactor.Option { return reactor.WithWorld(worldtest.On(h, &h.World)) }

func (h *hosts) LookupHost(context.Context, string) ([]netip.Addr, error) { return h.of, nil }

func (h *hosts) Socket(network string, dual bool) (int, syscall.Errno) {
	fd, errno := h.World.Socket(network, dual)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sockets[fd] = errno == 0
	return fd, errno
}

func (h *hosts) Close(fd int) syscall.Errno {
	h.mu.Lock()
	delete(h.sockets, fd)
	h.mu.Unlock()
	return h.World.Close(fd)
}

func (h *hosts) Reset(fd int) syscall.Errno {
	h.mu.Lock()
	delete(h.sockets, fd)
	h.mu.Unlock()
	return h.World.Reset(fd)
}

func (h *hosts) Connect(fd int, to world.Addr) syscall.Errno {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tried = append(h.tried, to.IP.Addr())
	switch {
	case h.self > 0:
		h.self--
		testkit.OK(h.World.Bind(fd, to))
	case h.used > 0:
		h.used--
		return syscall.EADDRNOTAVAIL
	case to.IP.Addr() == noRoute:
		return syscall.ENETUNREACH
	case h.dead[to.IP.Addr()]:
		network := map[bool]string{true: "tcp4", false: "tcp6"}[to.IP.Addr().Is4()]
		return h.World.Connect(fd, h.silent[network])
	}
	return h.World.Connect(fd, to)
}

// order returns the addresses that were tried.
func (h *hosts) order() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return strings.Trim(fmt.Sprint(h.tried), "[]")
}

// open returns how many sockets are open.
func (h *hosts) open() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.sockets)
}

func portOf(a net.Addr) string { return fmt.Sprint(a.(*net.TCPAddr).Port) }

// A dead address holds up nobody: the next one is tried after a while, or at once if it has failed.
// The families take turns, and what has not won leaves nothing.
func TestDialTriesTheNextAddress(t *testing.T) {
	ln := testkit.Must(net.Listen("tcp", ":0"))
	defer ln.Close()
	port := portOf(ln.Addr())
	nobody := silent(t)
	for _, row := range []struct {
		addresses string
		moves     int // of the clock, by the delay
		tried     string
		peer      string
	}{
		{"127.0.0.1", 0, "127.0.0.1", "127.0.0.1"},
		{"dead 127.0.0.1, 127.0.0.2", 1, "127.0.0.1 127.0.0.2", "127.0.0.2"},
		{"dead 127.0.0.1, dead 127.0.0.2, 127.0.0.3", 2, "127.0.0.1 127.0.0.2 127.0.0.3", "127.0.0.3"},
		{"dead ::1, 127.0.0.1", 1, "::1 127.0.0.1", "127.0.0.1"},
		{"dead 127.0.0.1, ::1", 1, "127.0.0.1 ::1", "::1"},
		{"dead 127.0.0.1, dead 127.0.0.2, ::1", 1, "127.0.0.1 ::1", "::1"},
		{"2001:db8::1, 127.0.0.1", 0, "2001:db8::1 127.0.0.1", "127.0.0.1"},
		{"2001:db8::1, dead 127.0.0.1, 127.0.0.2", 1, "2001:db8::1 127.0.0.1 127.0.0.2", "127.0.0.2"},
	} {
		for _, who := range []string{"task", "goroutine"} {
			t.Run(row.addresses+"/"+who, func(t *testing.T) {
				h, clock := newHosts(strings.Split(row.addresses, ", ")...), &stopped{}
				h.silent = nobody
				l := startLoop(t, h.option(), clock.option(), noFaults)
				var c *stream.Conn
				var err error
				dial := func(ctx context.Context) { c, err = stream.Dial(ctx, "tcp", "host:"+port) }
				wait := in(t, func() {
					if who == "goroutine" {
						dial(l.Context())
						return
					}
					testkit.InTask(t, l, dial)
				})
				for i := range row.moves {
					testkit.Eventually(t, "one more attempt", func() bool { return len(strings.Fields(h.order())) == len(strings.Fields(row.tried))-row.moves+i })
					testkit.OnLoop(t, l, func() {})
					clock.move(l, 299*time.Millisecond)
					testkit.OnLoop(t, l, func() {})
					if got := len(strings.Fields(h.order())); got != len(strings.Fields(row.tried))-row.moves+i {
						t.Errorf("%d attempts before the delay is over, want %d", got, len(strings.Fields(row.tried))-row.moves+i)
					}
					clock.move(l, 2*time.Millisecond)
				}
				wait()
				mustBe(t, "Dial", err, nil)
				if got := h.order(); got != row.tried {
					t.Errorf("tried %s, want %s", got, row.tried)
				}
				if got := c.RemoteAddr().(*net.TCPAddr).IP.String(); got != row.peer {
					t.Errorf("connected to %s, want %s", got, row.peer)
				}
				c.Abort()
				if n := h.open(); n != 0 {
					t.Errorf("%d sockets are open after the connection's end, want none", n)
				}
			})
		}
	}
}

// One by one, each address has its share of the time.
func TestDialOneByOneGivesEachAddressItsShare(t *testing.T) {
	ln := testkit.Must(net.Listen("tcp", ":0"))
	defer ln.Close()
	h, clock := newHosts("dead 127.0.0.1", "dead 127.0.0.2", "127.0.0.3"), &stopped{}
	h.silent = silent(t)
	l := startLoop(t, h.option(), clock.option(), noFaults)
	var c *stream.Conn
	wait := in(t, func() {
		testkit.InTask(t, l, func(ctx context.Context) {
			ctx, cancel := task.WithTimeout(ctx, 30*time.Second)
			defer cancel()
			var err error
			c, err = stream.Dial(ctx, "tcp", "host:"+portOf(ln.Addr()), stream.FallbackDelay(-1))
			mustBe(t, "Dial", err, nil)
		})
	})
	for i, want := range []string{"127.0.0.1", "127.0.0.1 127.0.0.2"} {
		testkit.Eventually(t, "attempts at "+want, func() bool { return h.order() == want })
		testkit.OnLoop(t, l, func() {})
		clock.move(l, 9999*time.Millisecond)
		testkit.OnLoop(t, l, func() {})
		if got := h.order(); got != want {
			t.Errorf("after the %d. address has had almost its share %s were tried, want %s", i+1, got, want)
		}
		clock.move(l, time.Millisecond)
	}
	wait()
	if got, want := c.RemoteAddr().(*net.TCPAddr).IP.String(), "127.0.0.3"; got != want {
		t.Errorf("connected to %s, want %s", got, want)
	}
	c.Abort()
}

// The end of the context ends all attempts, and its error is that of the dial. A short time is
// shared, so that the last address has its turn.
func TestAGivenUpDialOfManyAddressesLeavesNothing(t *testing.T) {
	nobody := silent(t)
	for how, give := range map[string]func(ctx context.Context) (context.Context, context.CancelFunc){
		"timeout of the loop": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return task.WithTimeout(ctx, 30*time.Millisecond)
		},
		"timeout of package context": func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, 30*time.Millisecond)
		},
		"cancellation": func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			l, _ := reactor.FromContext(ctx)
			l.CallLater(20*time.Millisecond, func() { cancel() })
			return ctx, cancel
		},
	} {
		for _, option := range []stream.Option{stream.FallbackDelay(0), stream.FallbackDelay(-1), stream.FallbackDelay(time.Millisecond)} {
			h := newHosts("dead 127.0.0.1", "dead ::1", "dead 127.0.0.2")
			h.silent = nobody
			l := startLoop(t, h.option(), noFaults)
			testkit.InTask(t, l, func(ctx context.Context) {
				ctx, cancel := give(ctx)
				defer cancel()
				_, err := stream.Dial(ctx, "tcp", "host:1", option)
				if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "\n") {
					t.Errorf("%s: Dial = %v, want the end of its context, once", how, err)
				}
			})
			if n := h.open(); n != 0 || stream.StatsOf(l).Open != 0 {
				t.Errorf("%s: %d sockets and %d connections are open after a dial that was given up, want none", how, n, stream.StatsOf(l).Open)
			}
		}
	}
}

// Two attempts that succeed at the same time are one connection.
func TestAttemptsThatSucceedTogetherAreOneConnection(t *testing.T) {
	ln := testkit.Must(net.Listen("tcp", ":0"))
	defer ln.Close()
	for range 50 {
		h := newHosts("127.0.0.1", "::1", "127.0.0.2", "127.0.0.3")
		l := startLoop(t, h.option(), noFaults)
		testkit.InTask(t, l, func(ctx context.Context) {
			c, err := stream.Dial(ctx, "tcp", "host:"+portOf(ln.Addr()), stream.FallbackDelay(1))
			mustBe(t, "Dial", err, nil)
			if n := h.open(); n != 1 {
				t.Errorf("%d sockets are open after Dial, want 1", n)
			}
			c.Abort()
		})
	}
}

// A connection to itself is none: it is tried again, and where nobody listens it is refused.
func TestDialDoesNotConnectToItself(t *testing.T) {
	free := func(network, host string) string {
		ln := testkit.Must(net.Listen(network, host+":0"))
		defer ln.Close()
		return portOf(ln.Addr())
	}
	for _, host := range []string{"127.0.0.1", "[::1]"} {
		for _, times := range []int{1, 2, 3, 10} {
			h := newHosts()
			h.self = times
			l := startLoop(t, h.option(), noFaults)
			at := host + ":" + free("tcp", host)
			_, err := stream.Dial(l.Context(), "tcp", at)
			mustBe(t, "Dial where nobody listens", err, syscall.ECONNREFUSED)
			if n := len(strings.Fields(h.order())); n != min(times+1, 3) {
				t.Errorf("%d attempts, want %d", n, min(times+1, 3))
			}
			if n := h.open(); n != 0 {
				t.Errorf("%d sockets are open, want none", n)
			}
			ln := testkit.Must(net.Listen("tcp", at)) // nothing of it is left in the kernel
			ln.Close()
		}
	}
}

// The kernel sometimes chooses a port that is in use.
func TestDialTriesAgainForAPortThatIsInUse(t *testing.T) {
	ln := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))
	defer ln.Close()
	for times, want := range map[int]error{1: nil, 2: nil, 3: syscall.EADDRNOTAVAIL} {
		h := newHosts()
		h.used = times
		l := startLoop(t, h.option(), noFaults)
		c, err := stream.Dial(l.Context(), "tcp", ln.Addr().String())
		if !errors.Is(err, want) {
			t.Errorf("Dial after %d ports in use: %v, want %v", times, err, want)
		}
		if c != nil {
			c.Abort()
		}
	}
}

// A local port that the caller has chosen may be the peer's: TCP allows that.
func TestDialToTheOwnPortThatWasAskedFor(t *testing.T) {
	l := startLoop(t)
	ln := testkit.Must(net.Listen("tcp", "127.0.0.1:0"))
	at := ln.Addr()
	ln.Close()
	c, err := stream.Dial(l.Context(), "tcp", at.String(), stream.LocalAddr(at))
	mustBe(t, "Dial", err, nil)
	if err == nil {
		c.Abort()
	}
}

func TestDialFromALocalAddress(t *testing.T) {
	l := startLoop(t, noFaults)
	ln := testkit.Must(net.Listen("tcp", ":0"))
	defer ln.Close()
	p := portOf(ln.Addr())
	for _, row := range []struct {
		network, address string
		local            net.Addr
		from, failure    string
	}{
		{"tcp", "127.0.0.1:" + p, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, "127.0.0.9", ""},
		{"tcp", "localhost:" + p, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, "127.0.0.9", ""},
		{"tcp", "127.0.0.1:" + p, &net.TCPAddr{}, "127.0.0.1", ""},
		{"tcp", "127.0.0.1:" + p, &net.TCPAddr{IP: net.IPv6zero}, "127.0.0.1", "no suitable address"},
		{"tcp", "[::1]:" + p, &net.TCPAddr{IP: net.IPv6loopback}, "::1", ""},
		{"tcp", "[::1]:" + p, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 9)}, "", "no suitable address"},
		{"tcp", "127.0.0.1:" + p, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, "", "cannot assign"},
		{"tcp", "127.0.0.1:" + p, &net.UnixAddr{Name: "@x", Net: "unix"}, "", "mismatched local address"},
		{"tcp", "127.0.0.1:" + p, &net.UDPAddr{}, "", "mismatched local address"},
		{"unix", "@nobody", &net.TCPAddr{}, "", "mismatched local address"},
	} {
		c, err := stream.Dial(l.Context(), row.network, row.address, stream.LocalAddr(row.local))
		switch {
		case err == nil:
			if got := c.LocalAddr().(*net.TCPAddr).IP.String(); got != row.from {
				t.Errorf("Dial of %s from %v is from %s, want %s", row.address, row.local, got, row.from)
			}
			c.Abort()
		case row.failure == "" || !strings.Contains(err.Error(), row.failure):
			t.Errorf("Dial of %s from %v: %v, want %q", row.address, row.local, err, row.failure)
		}
	}
	un := listen(t, l, "unix", "")
	c, err := stream.Dial(l.Context(), "unix", un.Addr().String(), stream.LocalAddr(&net.UnixAddr{Name: "@corobridge-from", Net: "unix"}))
	mustBe(t, "Dial from a Unix name", err, nil)
	if got, want := c.LocalAddr().String(), "@corobridge-from"; got != want {
		t.Errorf("Dial from a Unix name is from %s, want %s", got, want)
	}
	c.Abort()
}
