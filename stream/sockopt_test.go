//go:build linux

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// option returns a socket option of a connection or listener.
func option(t *testing.T, c interface {
	SyscallConn() (syscall.RawConn, error)
}, level, name int) (value int) {
	t.Helper()
	raw, err := c.SyscallConn()
	mustBe(t, "SyscallConn", err, nil)
	mustBe(t, "Control", raw.Control(func(fd uintptr) {
		v, err := unix.GetsockoptInt(int(fd), level, name)
		mustBe(t, "getsockopt", err, nil)
		value = v
	}), nil)
	return value
}

// keepAliveOf describes what the kernel says of a connection: on, idle, interval, count.
func keepAliveOf(t *testing.T, c *stream.Conn) string {
	t.Helper()
	return fmt.Sprint(option(t, c, unix.SOL_SOCKET, unix.SO_KEEPALIVE), option(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE),
		option(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL), option(t, c, unix.IPPROTO_TCP, unix.TCP_KEEPCNT))
}

// both returns a connection's two ends, one dialled and one accepted, made with options.
func both(t *testing.T, l *reactor.Loop, network string, opts ...stream.Option) (dialled, accepted *stream.Conn) {
	t.Helper()
	address := map[string]string{"tcp": "127.0.0.1:0", "unix": "", "tcp6": "[::1]:0"}[network]
	ln := listen(t, l, network, address, opts...)
	defer ln.Close()
	dialled, err := stream.Dial(l.Context(), network, ln.Addr().String(), opts...)
	mustBe(t, "Dial", err, nil)
	accepted, err = ln.Accept(context.Background())
	mustBe(t, "Accept", err, nil)
	t.Cleanup(func() { dialled.Abort(); accepted.Abort() })
	return dialled, accepted
}

// Keep-alive is as package net has it: for what it leaves out too.
func TestKeepAliveIsAsPackageNetHasIt(t *testing.T) {
	l := startLoop(t)
	system := func(name string) int {
		var n int
		fmt.Sscan(string(testkit.Must(os.ReadFile("/proc/sys/net/ipv4/"+name))), &n)
		return n
	}
	idle, interval, count := system("tcp_keepalive_time"), system("tcp_keepalive_intvl"), system("tcp_keepalive_probes")
	for _, row := range []struct {
		opts []stream.Option
		want string
	}{
		{nil, "1 15 15 9"},
		{[]stream.Option{stream.KeepAlive(net.KeepAliveConfig{Enable: true})}, "1 15 15 9"},
		{[]stream.Option{stream.KeepAlive(net.KeepAliveConfig{Enable: true, Idle: 7 * time.Second, Interval: time.Millisecond, Count: 3})}, "1 7 1 3"},
		{[]stream.Option{stream.KeepAlive(net.KeepAliveConfig{Enable: true, Idle: -1, Interval: -1, Count: -1})}, fmt.Sprint(1, " ", idle, interval, count)},
		{[]stream.Option{stream.KeepAlive(net.KeepAliveConfig{})}, fmt.Sprint(0, " ", idle, interval, count)},
	} {
		want := strings.Join(strings.Fields(row.want), " ")
		for _, network := range []string{"tcp", "tcp6"} {
			dialled, accepted := both(t, l, network, row.opts...)
			for what, c := range map[string]*stream.Conn{"dialled": dialled, "accepted": accepted} {
				if got := keepAliveOf(t, c); got != want {
					t.Errorf("keep-alive of a %s connection is %s, want %s", what, got, want)
				}
			}
			mustBe(t, "SetKeepAlive", dialled.SetKeepAlive(net.KeepAliveConfig{Enable: true, Idle: time.Minute, Interval: -1, Count: -1}), nil)
			if got := keepAliveOf(t, dialled); !strings.HasPrefix(got, "1 60 ") {
				t.Errorf("keep-alive after SetKeepAlive is %s, want 1 60 and the rest as before", got)
			}
			mustBe(t, "SetKeepAlive", dialled.SetKeepAlive(net.KeepAliveConfig{}), nil)
			if got := keepAliveOf(t, dialled); !strings.HasPrefix(got, "0 ") {
				t.Errorf("keep-alive after SetKeepAlive with nothing is %s, want 0", got)
			}
		}
	}
}

// An accepted connection has its listener's options without a system call of its own.
func TestAcceptedConnectionsInheritOptions(t *testing.T) {
	c := &worldtest.Counter{}
	l := startLoop(t, reactor.WithWorld(c.Layer), noFaults)
	for _, on := range []bool{true, false} {
		ln := listen(t, l, "tcp", "127.0.0.1:0", stream.NoDelay(on))
		dial(t, ln.Addr().String())
		before := c.Sockopts.Load()
		conn, err := ln.Accept(context.Background())
		mustBe(t, "Accept", err, nil)
		if n := c.Sockopts.Load() - before; n != 0 {
			t.Errorf("Accept sets %d options, want none", n)
		}
		if got := option(t, conn, unix.IPPROTO_TCP, unix.TCP_NODELAY) != 0; got != on {
			t.Errorf("no-delay of an accepted connection is %v, want %v", got, on)
		}
		mustBe(t, "SetNoDelay", conn.SetNoDelay(!on), nil)
		if got := option(t, conn, unix.IPPROTO_TCP, unix.TCP_NODELAY) != 0; got == on {
			t.Errorf("no-delay after SetNoDelay(%v) is %v", !on, got)
		}
		conn.Abort()
	}
}

func TestBuffersCanBeSet(t *testing.T) {
	l := startLoop(t)
	for _, network := range []string{"tcp", "unix"} {
		a, _ := both(t, l, network)
		mustBe(t, "SetReadBuffer", a.SetReadBuffer(10_000), nil)
		mustBe(t, "SetWriteBuffer", a.SetWriteBuffer(20_000), nil)
		// Linux doubles them.
		if in, out := option(t, a, unix.SOL_SOCKET, unix.SO_RCVBUF), option(t, a, unix.SOL_SOCKET, unix.SO_SNDBUF); in != 20_000 || out != 40_000 {
			t.Errorf("%s: buffers of %d and %d bytes, want 20000 and 40000", network, in, out)
		}
	}
}

// With a linger of zero the peer of a closed connection sees a reset. A longer one waits for the
// peer, and not on the loop.
func TestLinger(t *testing.T) {
	l := startLoop(t, noFaults)
	a, b := both(t, l, "tcp")
	mustBe(t, "SetLinger", a.SetLinger(0), nil)
	a.Close()
	_, err := b.Read(context.Background(), make([]byte, 1))
	mustBe(t, "Read of the peer", err, syscall.ECONNRESET)

	a, b = both(t, l, "tcp")
	mustBe(t, "SetLinger", a.SetLinger(5), nil)
	mustBe(t, "SetReadBuffer", b.SetReadBuffer(4096), nil)
	sent := bytes.Repeat([]byte("x"), 100_000)
	a.TryWrite(sent[:10_000])
	testkit.InTask(t, l, func(ctx context.Context) { // it would never come to reading
		a.Close()
		got, err := readToEnd(ctx, b)
		if len(got) != 10_000 || err != nil {
			t.Errorf("the peer of a lingering connection reads %d bytes, %v; want 10000 and the end", len(got), err)
		}
	})
	mustBe(t, "WaitClosed", a.WaitClosed(context.Background()), nil)
	a, _ = both(t, l, "tcp")
	mustBe(t, "SetLinger", a.SetLinger(5), nil)
	mustBe(t, "SetLinger", a.SetLinger(-1), nil)
	raw, _ := a.SyscallConn()
	raw.Control(func(fd uintptr) {
		got, err := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_LINGER)
		if err != nil || got != 0 {
			t.Errorf("linger after SetLinger(-1) is %d, %v; want off", got, err)
		}
	})
}

func readToEnd(ctx context.Context, c *stream.Conn) (all []byte, err error) {
	p := make([]byte, 4096)
	for {
		n, err := c.Read(ctx, p)
		all = append(all, p[:n]...)
		if err != nil {
			if err.Error() == "EOF" {
				err = nil
			}
			return all, err
		}
	}
}

// What has no socket says so, and a closed or handed-over handle as everywhere.
func TestSocketOptionsWithoutASocket(t *testing.T) {
	l := startLoop(t)
	calls := map[string]func(c *stream.Conn) error{
		"SetKeepAlive":   func(c *stream.Conn) error { return c.SetKeepAlive(net.KeepAliveConfig{Enable: true}) },
		"SetNoDelay":     func(c *stream.Conn) error { return c.SetNoDelay(true) },
		"SetLinger":      func(c *stream.Conn) error { return c.SetLinger(0) },
		"SetReadBuffer":  func(c *stream.Conn) error { return c.SetReadBuffer(4096) },
		"SetWriteBuffer": func(c *stream.Conn) error { return c.SetWriteBuffer(4096) },
		"SyscallConn":    func(c *stream.Conn) error { _, err := c.SyscallConn(); return err },
	}
	for name, call := range calls {
		p, q := stream.Pipe(l.Context())
		mustBe(t, name+" of a Pipe", call(p), errors.ErrUnsupported)
		p.Close()
		q.Close()
		a, b := both(t, l, "tcp")
		a.Close()
		mustBe(t, name+" after Close", call(a), stream.ErrClosed)
		own := testkit.Must(b.Detach())
		mustBe(t, name+" after Detach", call(b), stream.ErrDetached)
		mustBe(t, name, call(own), nil)
		own.Abort()
	}
}

// Control sees each socket before it is used, as package net has it; its error is the attempt's,
// and whatever it does, nothing is left.
func TestControlSeesEachSocketBeforeItIsUsed(t *testing.T) {
	l := startLoop(t, noFaults)
	var seen []string
	see := stream.Control(func(network, address string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) {
			_, unbound := unix.Getpeername(int(fd))
			seen = append(seen, fmt.Sprint(network, " ", address, " ", unbound))
		})
	})
	ln := listen(t, l, "tcp", "0.0.0.0:0", see)
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	c, err := stream.Dial(l.Context(), "tcp", "localhost:"+port, see)
	mustBe(t, "Dial", err, nil)
	c.Abort()
	un := listen(t, l, "unix", "@corobridge-control", see)
	un.Close()
	not := " transport endpoint is not connected"
	want := []string{"tcp6 [::]:0" + not, "tcp4 127.0.0.1:" + port + not, "unix @corobridge-control" + not}
	if fmt.Sprint(seen) != fmt.Sprint(want) {
		t.Errorf("Control has seen %q, want %q", seen, want)
	}
	mine := errors.New("mine")
	refuse := stream.Control(func(string, string, syscall.RawConn) error { return mine })
	_, err = stream.Listen(l.Context(), "tcp", "127.0.0.1:0", refuse)
	mustBe(t, "Listen", err, mine)
	_, err = stream.Dial(l.Context(), "tcp", ln.Addr().String(), refuse)
	mustBe(t, "Dial", err, mine)
	broken := stream.Control(func(string, string, syscall.RawConn) error { panic("broken") })
	testkit.InTask(t, l, func(ctx context.Context) {
		testkit.Panics(t, "broken", func() { stream.Listen(ctx, "tcp", "127.0.0.1:0", broken) })
		testkit.Panics(t, "broken", func() { stream.Dial(ctx, "tcp4", ln.Addr().String(), broken) })
	})
	gone := stream.Control(func(string, string, syscall.RawConn) error { runtime.Goexit(); return nil })
	in(t, func() { stream.Listen(l.Context(), "tcp", "127.0.0.1:0", gone) })()
	if n := stream.StatsOf(l).Open; n != 0 {
		t.Errorf("%d connections are open, want none", n)
	}
}

// A RawConn reads and writes the socket itself, in turn with the connection's own calls.
func TestRawReadsAndWrites(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		for _, network := range []string{"tcp", "unix"} {
			a, b := both(t, w.loop, network)
			w.run(func(ctx context.Context) {
				ra, err := a.SyscallConn()
				mustBe(t, "SyscallConn", err, nil)
				rb, err := b.SyscallConn()
				mustBe(t, "SyscallConn", err, nil)
				a.Write(ctx, []byte("first "))
				tries, sent := 0, []byte("second")
				mustBe(t, "raw write", ra.Write(func(fd uintptr) bool {
					tries++
					n, err := unix.Write(int(fd), sent)
					return err != unix.EAGAIN && n == len(sent)
				}), nil)
				var got []byte
				mustBe(t, "raw read", rb.Read(func(fd uintptr) bool {
					p := make([]byte, 100)
					n, err := unix.Read(int(fd), p)
					if err == unix.EAGAIN {
						return false
					}
					got = append(got, p[:n]...)
					return len(got) == len("first second")
				}), nil)
				if string(got) != "first second" {
					t.Errorf("%s: the raw read has %q, want %q", network, got, "first second")
				}
				// The rest is for the connection.
				a.Write(ctx, []byte("third\n"))
				if line, err := b.ReadLine(ctx); line != "third" || err != nil {
					t.Errorf("%s: a line after the raw read is %q, %v; want %q", network, line, err, "third")
				}
			})
		}
	})
}

// A raw read waits for input, and ends with the connection.
func TestARawReadWaits(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		a, b := both(t, w.loop, "tcp")
		raw, _ := b.SyscallConn()
		var tries atomic.Int64
		read := func() error {
			return raw.Read(func(fd uintptr) bool {
				tries.Add(1)
				n, err := unix.Read(int(fd), make([]byte, 1))
				return err == nil && n == 1
			})
		}
		wait := in(t, func() {
			w.run(func(context.Context) {
				mustBe(t, "raw read", read(), nil)
				mustBe(t, "raw read of a closed connection", read(), stream.ErrClosed)
			})
		})
		testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(b) })
		a.Write(context.Background(), []byte("x"))
		a.Flush(context.Background())
		testkit.Eventually(t, "a reader that waits again", func() bool { return tries.Load() >= 3 && stream.ReaderWaits(b) })
		b.Abort()
		wait()
	})
}

// A connection whose socket was shown may have a duplicate, so closing it ends its registration by
// a call of its own. The others save that call.
func TestASharedSocketIsRemovedFromThePoller(t *testing.T) {
	c := &worldtest.Counter{}
	l := startLoop(t, reactor.WithWorld(c.Layer), noFaults)
	for _, shared := range []bool{false, true} {
		a, b := both(t, l, "tcp")
		ln := listen(t, l, "tcp", "127.0.0.1:0")
		if shared {
			for _, s := range []interface {
				SyscallConn() (syscall.RawConn, error)
			}{a, ln} {
				_, err := s.SyscallConn()
				mustBe(t, "SyscallConn", err, nil)
			}
		}
		before := c.Poller.Removes.Load()
		a.Abort()
		b.Abort()
		ln.Close()
		if n, want := c.Poller.Removes.Load()-before, map[bool]int64{true: 2}[shared]; n != want {
			t.Errorf("%d registrations are removed, want %d", n, want)
		}
	}
}

// A listener's RawConn has Control only.
func TestTheSocketOfAListener(t *testing.T) {
	l := startLoop(t)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	if got := option(t, ln, unix.SOL_SOCKET, unix.SO_ACCEPTCONN); got != 1 {
		t.Errorf("SO_ACCEPTCONN of a listener is %d, want 1", got)
	}
	raw := testkit.Must(ln.SyscallConn())
	mustBe(t, "Read", raw.Read(nil), syscall.EINVAL)
	mustBe(t, "Write", raw.Write(nil), syscall.EINVAL)
	ln.Close()
	mustBe(t, "Control after Close", raw.Control(func(uintptr) {}), stream.ErrClosed)
	_, err := ln.SyscallConn()
	mustBe(t, "SyscallConn after Close", err, stream.ErrClosed)
}
