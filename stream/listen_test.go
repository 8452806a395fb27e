//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// eachCaller runs f for every kind of caller, with a loop.
func eachCaller(t *testing.T, f func(t *testing.T, w way)) {
	for _, poller := range poll.Kinds() {
		for _, who := range callers {
			t.Run(poller.String()+"/"+who.name, func(t *testing.T) {
				l := startLoop(t, reactor.WithPoller(poller))
				f(t, way{loop: l, run: func(fn func(ctx context.Context)) { who.run(t, l, fn) }})
			})
		}
	}
}

func listen(t testing.TB, l *reactor.Loop, network, address string, opts ...stream.Option) *stream.Listener {
	t.Helper()
	ln, err := stream.Listen(l.Context(), network, address, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln
}

func TestAccept(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		for network, address := range map[string]string{
			"tcp": "127.0.0.1:0", "tcp4": "localhost:0", "tcp6": "[::1]:0", "unix": filepath.Join(t.TempDir(), "s"),
		} {
			if network == "unix" && !hasUnix() {
				continue
			}
			ln := listen(t, w.loop, network, address)
			if a, ok := ln.Addr().(*net.TCPAddr); ok && a.Port == 0 {
				t.Errorf("listens at %v, want a port other than 0", a)
			}
			wait := in(t, func() {
				p, err := net.Dial(network, ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				defer p.Close()
				p.Write([]byte("hello\n"))
				io.ReadAll(p)
			})
			w.run(func(ctx context.Context) {
				c, err := ln.Accept(ctx)
				if err != nil {
					t.Error(err)
					return
				}
				if line, err := c.ReadLine(ctx); line != "hello" {
					t.Errorf("%q, %v; want %q", line, err, "hello")
				}
				if c.LocalAddr().String() != ln.Addr().String() {
					t.Errorf("a connection accepted at %v has the local address %v, want the same", ln.Addr(), c.LocalAddr())
				}
				c.Close()
				mustBe(t, "Close", ln.Close(), nil)
				mustBe(t, "Close again", ln.Close(), nil)
				_, err = ln.Accept(ctx)
				mustBe(t, "Accept", err, stream.ErrClosed)
				_, err = ln.TryAccept()
				mustBe(t, "TryAccept", err, stream.ErrClosed)
			})
			wait()
		}
	})
}

func TestListenAtEveryAddressTakesBothFamilies(t *testing.T) {
	l := startLoop(t)
	ln := listen(t, l, "tcp", ":0")
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	for _, host := range []string{"127.0.0.1", "::1"} {
		p, err := net.Dial("tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Error(err)
			continue
		}
		c, err := ln.Accept(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if got := c.RemoteAddr().String(); got != p.LocalAddr().String() {
			t.Errorf("RemoteAddr = %v, want %v", got, p.LocalAddr())
		}
		c.Close()
		p.Close()
	}
	only4 := listen(t, l, "tcp4", ":0")
	_, port, _ = net.SplitHostPort(only4.Addr().String())
	if p, err := net.Dial("tcp", net.JoinHostPort("::1", port)); err == nil {
		p.Close()
		t.Error("a tcp4 listener accepts IPv6, want the dial refused")
	}
}

func TestAcceptIsCancelled(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		ln := listen(t, w.loop, "tcp", "127.0.0.1:0")
		w.run(func(ctx context.Context) {
			cctx, cancel := context.WithCancel(ctx)
			wait := in(t, func() {
				testkit.Eventually(t, "a caller in Accept", func() bool { return stream.AcceptWaits(ln) == 1 })
				cancel()
			})
			_, err := ln.Accept(cctx)
			mustBe(t, "Accept", err, context.Canceled)
			wait()
			if n := stream.AcceptWaits(ln); n != 0 {
				t.Errorf("%d still wait, want 0", n)
			}
			p, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Close()
			_, err = ln.Accept(cctx)
			mustBe(t, "Accept with a context that is done", err, context.Canceled)
			c, err := ln.Accept(ctx) // it is still there
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
		})
	})
}

func TestListenerCloseWhileOthersWait(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		ln := listen(t, w.loop, "tcp", "127.0.0.1:0")
		accept := func() {
			w.run(func(ctx context.Context) {
				_, err := ln.Accept(ctx)
				mustBe(t, "Accept", err, stream.ErrClosed)
			})
		}
		a, b := in(t, accept), in(t, accept)
		testkit.Eventually(t, "two callers in Accept", func() bool { return stream.AcceptWaits(ln) == 2 })
		ln.Close()
		a()
		b()
	})
}

func TestLoopCloseClosesListeners(t *testing.T) {
	needUnix(t)
	testkit.Guard(t)
	l, err := reactor.New()
	if err != nil {
		t.Fatal(err)
	}
	l.Start()
	path := filepath.Join(t.TempDir(), "s")
	ln := listen(t, l, "unix", path)
	wait := in(t, func() {
		_, err := ln.Accept(context.Background())
		mustBe(t, "Accept", err, stream.ErrClosed)
	})
	testkit.Eventually(t, "a caller in Accept", func() bool { return stream.AcceptWaits(ln) == 1 })
	mustBe(t, "loop.Close", l.Close(), nil)
	wait()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's file is there: %v, want %v", err, fs.ErrNotExist)
	}
}

func TestListenErrors(t *testing.T) {
	needUnix(t)
	l := startLoop(t)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	path := filepath.Join(t.TempDir(), "s")
	un := listen(t, l, "unix", path)
	if runtime.GOOS == "linux" {
		listen(t, l, "unix", "@corobridge-stream-test").Close() // has no file to remove
	}
	for _, test := range []struct {
		network, address string
		want             error
		text             string
	}{
		{"tcp", ln.Addr().String(), syscall.EADDRINUSE, ""},
		{"unix", path, syscall.EADDRINUSE, ""},
		{"tcp", "192.0.2.1:0", syscall.EADDRNOTAVAIL, ""},
		{"udp", ":0", nil, "unknown network"},
		{"tcp", "nowhere", nil, "missing port"},
		{"tcp", "127.0.0.1:no-such-service", nil, "port"},
		{"tcp6", "127.0.0.1:0", nil, "no suitable address"},
	} {
		_, err := stream.Listen(l.Context(), test.network, test.address)
		if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) ||
			!strings.HasPrefix(err.Error(), "stream: listen "+test.network) {
			t.Errorf("Listen(%s, %s) = %v, want %v with %q", test.network, test.address, err, test.want, test.text)
		}
	}
	un.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's file is there: %v, want %v", err, fs.ErrNotExist)
	}
}

func TestTryAcceptInACallback(t *testing.T) {
	l := startLoop(t)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	accepted := make(chan *stream.Conn, 10)
	ended := sync.OnceFunc(func() { close(accepted) }) // an event and the Close may both call
	testkit.OnLoop(t, l, func() {
		if _, err := ln.TryAccept(); !errors.Is(err, stream.ErrWouldBlock) {
			t.Errorf("TryAccept of nobody: %v, want %v", err, stream.ErrWouldBlock)
		}
		ln.OnReady(func() {
			for {
				c, err := ln.TryAccept()
				if errors.Is(err, stream.ErrWouldBlock) {
					return
				}
				if err != nil {
					ended()
					return
				}
				accepted <- c
			}
		})
	})
	for range 3 {
		p, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		(<-accepted).Close()
		p.Close()
	}
	ln.Close()
	if _, ok := <-accepted; ok {
		t.Error("a connection is accepted after Close, want none")
	}
	testkit.OnLoop(t, l, func() {})
}

// A connection that has gone again is no error of Accept: it tries the next one, however many are
// gone.
func TestAcceptPassesOverConnectionsThatHaveGone(t *testing.T) {
	testkit.Guard(t)
	f := newFaulty()
	l := startLoop(t, f.option(), noFaults)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	testkit.InTask(t, l, func(ctx context.Context) {
		for _, n := range []int{1, 100} {
			for range n {
				for _, errno := range []syscall.Errno{syscall.ECONNABORTED, syscall.EPROTO, syscall.ENETDOWN, syscall.EPERM} {
					f.accept(errno)
				}
			}
			p, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Error(err)
				return
			}
			defer p.Close()
			turns := 0
			stop := eachTurn(l, func() { turns++ })
			c, err := ln.Accept(ctx)
			stop()
			if err != nil {
				t.Error(err)
				return
			}
			c.Close()
			if n == 100 && turns < 4*n/16 {
				t.Errorf("during %d failures in a row others had %d turns, want %d or more", 4*n, turns, 4*n/16)
			}
		}
		if n := stream.StatsOf(l).Backoffs; n != 0 {
			t.Errorf("%d back-offs, want 0", n)
		}
	})
}

// deaf is a kernel whose sockets are bound and do not listen.
type deaf struct{ world.World }

func (deaf) Listen(int, int) syscall.Errno { return syscall.EADDRINUSE }

func TestAListenThatFailsLeavesNoFile(t *testing.T) {
	needUnix(t)
	l := startLoop(t, reactor.WithWorld(func(w world.World) world.World { return deaf{w} }))
	path := filepath.Join(t.TempDir(), "s")
	_, err := stream.Listen(l.Context(), "unix", path)
	mustBe(t, "Listen", err, syscall.EADDRINUSE)
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the path: %v, want %v", err, fs.ErrNotExist)
	}
}
