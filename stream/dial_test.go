//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestDialErrors(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		ctx := w.loop.Context()
		ln := listen(t, w.loop, "tcp", "127.0.0.1:0")
		closed := ln.Addr().String()
		ln.Close()
		path := filepath.Join(t.TempDir(), "s")
		var noListener error = syscall.ENOENT
		if runtime.GOOS == "windows" {
			noListener = nil // any
		}
		w.run(func(context.Context) {
			for _, test := range []struct {
				network, address string
				want             error
				text             string
			}{
				{"tcp", closed, syscall.ECONNREFUSED, closed},
				{"unix", path, noListener, path},
				{"tcp", "localhost" + closed[strings.LastIndex(closed, ":"):], syscall.ECONNREFUSED, "localhost"},
				{"tcp", "", nil, "missing address"},
				{"tcp", "127.0.0.1", nil, "missing port"},
				{"tcp", "127.0.0.1:99999", nil, "port"},
				{"tcp", "name.invalid:1", nil, "name.invalid"},
				{"sctp", "127.0.0.1:1", nil, "unknown network"},
			} {
				c, err := stream.Dial(ctx, test.network, test.address)
				if c != nil || err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.text) ||
					strings.Count(err.Error(), "stream: dial") != 1 {
					t.Errorf("Dial(%s, %s) = %v, %v; want nil and %v with %q", test.network, test.address, c, err, test.want, test.text)
				}
			}
			done, cancel := context.WithCancel(ctx)
			cancel()
			_, err := stream.Dial(done, "tcp", closed)
			mustBe(t, "Dial with a context that is done", err, context.Canceled)
		})
		if s := stream.StatsOf(w.loop); s.Open != 0 || s.Dialed != 0 {
			t.Errorf("%d open and %d dialled after failures, want 0 of each", s.Open, s.Dialed)
		}
	})
}

func TestDial(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		path := filepath.Join(t.TempDir(), "s")
		for _, test := range []struct{ network, at, address string }{
			{"tcp", "127.0.0.1:0", ""}, {"tcp4", "127.0.0.1:0", "localhost"}, {"tcp", "127.0.0.1:0", "localhost"}, {"tcp6", "[::1]:0", ""}, {"unix", path, ""},
		} {
			if test.network == "unix" && !hasUnix() {
				continue
			}
			ln, err := net.Listen(test.network, test.at)
			if err != nil {
				t.Fatal(err)
			}
			address := ln.Addr().String()
			if test.address != "" {
				address = test.address + address[strings.LastIndex(address, ":"):]
			}
			wait := in(t, func() {
				p, err := ln.Accept()
				if err != nil {
					t.Error(err)
					return
				}
				p.Write([]byte("hello\n"))
				p.Close()
			})
			w.run(func(context.Context) {
				c, err := stream.Dial(w.loop.Context(), test.network, address, stream.NoDelay(false))
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				if c.RemoteAddr().String() != ln.Addr().String() {
					t.Errorf("dialled %v, want %v", c.RemoteAddr(), ln.Addr())
				}
				if line, err := c.ReadLine(context.Background()); line != "hello" {
					t.Errorf("%q, %v; want %q", line, err, "hello")
				}
			})
			wait()
			ln.Close()
		}
	})
}

// unanswered returns the address of a listener whose backlog is full, so that the next dial waits.
func unanswered(t testing.TB) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("a full backlog shows otherwise here")
	}
	k := system()
	fd, _ := k.Socket("tcp4", false)
	t.Cleanup(func() { k.Close(fd) })
	a, err := net.ResolveTCPAddr("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := a.AddrPort()
	k.Bind(fd, addr(at))
	k.Listen(fd, 0)
	own, _ := k.LocalAddr(fd)
	address := own.IP.String()
	for range 2 { // what the kernel takes in spite of that
		c, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			break
		}
		t.Cleanup(func() { c.Close() })
	}
	return address
}

func TestADialThatIsNotAnswered(t *testing.T) {
	address := unanswered(t)
	eachCaller(t, func(t *testing.T, w way) {
		w.run(func(context.Context) {
			ctx, cancel := task.WithTimeout(w.loop.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := stream.Dial(ctx, "tcp", address)
			mustBe(t, "Dial", err, context.DeadlineExceeded)
			cctx, stop := context.WithCancel(w.loop.Context())
			wait := in(t, func() {
				testkit.Eventually(t, "one open connection", func() bool { return stream.StatsOf(w.loop).Open == 1 })
				stop()
			})
			_, err = stream.Dial(cctx, "tcp", address)
			mustBe(t, "Dial", err, context.Canceled)
			wait()
		})
		testkit.Eventually(t, "no open connection", func() bool { return stream.StatsOf(w.loop).Open == 0 })
	})
}

// A goroutine that gives up while its connection is being made leaves no connection.
func TestACancelledDialLeavesNothing(t *testing.T) {
	l := startLoop(t)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	srv := task.Spawn(l.Context(), func(ctx context.Context) error {
		return stream.Serve(ctx, ln, func(ctx context.Context, c *stream.Conn) error { _, err := stream.Copy(ctx, c, c); return err })
	})
	for i := range 300 {
		ctx, cancel := context.WithCancel(l.Context())
		wait := in(t, func() {
			for range i % 50 {
				runtime.Gosched()
			}
			cancel()
		})
		c, err := stream.Dial(ctx, "tcp", ln.Addr().String())
		if err == nil {
			c.Abort()
		}
		wait()
	}
	srv.Cancel(nil)
	srv.Await(context.Background())
	testkit.Eventually(t, "no open connection", func() bool { return stream.StatsOf(l).Open == 0 })
}

// A refused dial fails in the goroutine that dials. The group whose context it uses does not fail.
func TestARefusedDialDoesNotFailTheGroup(t *testing.T) {
	l := startLoop(t)
	testkit.InTask(t, l, func(ctx context.Context) {
		g, gctx := task.NewGroup(ctx)
		wait := in(t, func() {
			if _, err := stream.Dial(gctx, "unix", "/nowhere/at/all"); err == nil {
				t.Error("Dial of a path where nobody listens = nil, want an error")
			}
		})
		wait()
		if gctx.Err() != nil {
			t.Errorf("the group is cancelled by a failed Dial (%v), want it to go on", context.Cause(gctx))
		}
		mustBe(t, "Wait", g.Wait(), nil)
	})
}
