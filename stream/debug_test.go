//go:build linux

package stream_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

//go:noinline
func makeAndForget(t *testing.T, l *reactor.Loop, network string, use func(*stream.Conn)) {
	if network == "pipe" {
		a, b := stream.Pipe(l.Context())
		use(a)
		b.Abort()
		return
	}
	ln, err := net.Listen(network, "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := stream.Dial(reactor.WithLoop(context.Background(), l), network, ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	use(c)
}

func TestAConnectionCollectedWithoutCloseIsReportedInDebugMode(t *testing.T) {
	for name, c := range map[string]struct {
		network  string
		use      func(*stream.Conn)
		reported string
	}{
		"forgotten":                      {"tcp", func(*stream.Conn) {}, "the connection to 127.0.0.1:"},
		"forgotten, in memory":           {"pipe", func(*stream.Conn) {}, "the connection to pipe"},
		"used and forgotten":             {"tcp", func(c *stream.Conn) { c.Write(context.Background(), []byte("x")) }, "the connection to 127.0.0.1:"},
		"handed over and then forgotten": {"tcp", func(c *stream.Conn) { c.Detach() }, "the connection to 127.0.0.1:"},
		"closed":                         {"tcp", func(c *stream.Conn) { c.Close() }, ""},
		"aborted":                        {"tcp", func(c *stream.Conn) { c.Abort() }, ""},
		"handed over and then closed":    {"tcp", func(c *stream.Conn) { d, _ := c.Detach(); d.Close() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			var r testkit.Exceptions
			l := startLoop(t, reactor.WithDebug(0), r.Option())
			makeAndForget(t, l, c.network, c.use)
			want := []string{"the connection to pipe"} // of the next one
			if c.reported != "" {
				testkit.Eventually(t, "a report of what is collected", func() bool { runtime.GC(); return len(r.All()) > 0 })
				want = append([]string{c.reported}, want...)
			}
			makeAndForget(t, l, "pipe", func(*stream.Conn) {})
			testkit.Eventually(t, "all reports of what is collected", func() bool { runtime.GC(); return len(r.All()) >= len(want) })
			runtime.GC()
			testkit.OnLoop(t, l, func() {})
			all := r.All()
			if len(all) != len(want) {
				t.Fatalf("%d reports: %v, want %d", len(all), all, len(want))
			}
			for i, e := range all {
				if !strings.Contains(e.Err.Error(), want[i]) || !strings.HasSuffix(e.Err.Error(), "collected without Close") ||
					!strings.Contains(e.Site, "stream/debug_test.go:") {
					t.Errorf("reported %q, made at %q; want %q", e.Err, e.Site, want[i])
				}
			}
		})
	}
}

func TestWithoutDebugModeNothingIsReported(t *testing.T) {
	testkit.Guard(t)
	var r testkit.Exceptions
	l := startLoop(t, r.Option())
	makeAndForget(t, l, "pipe", func(*stream.Conn) {})
	other := startLoop(t, reactor.WithDebug(0), r.Option())
	makeAndForget(t, other, "pipe", func(*stream.Conn) {})
	testkit.Eventually(t, "a report of what is collected", func() bool { runtime.GC(); return len(r.All()) > 0 })
	testkit.OnLoop(t, l, func() {})
	if all := r.All(); len(all) != 1 {
		t.Errorf("%d reports, want 1: %v", len(all), all)
	}
}

// Memory is counted wherever it was lent, and wherever it is given back.
func TestStatsCountTheBuffersLent(t *testing.T) {
	big := make([]byte, 300<<10) // more than a pipe holds: some of it stays in the connection
	for _, carrier := range carriers {
		for name, c := range map[string]struct {
			use  func(ctx context.Context, a *stream.Conn, b peer)
			held bool // in between
		}{
			"written and sent": {func(ctx context.Context, a *stream.Conn, b peer) { a.Write(ctx, []byte("x")); a.Flush(ctx) }, false},
			"peeked":           {func(ctx context.Context, a *stream.Conn, b peer) { b.Write([]byte("xy")); a.Peek(ctx, 1) }, true},
			"read half": {func(ctx context.Context, a *stream.Conn, b peer) {
				b.Write([]byte("xyxy"))
				a.Peek(ctx, 4)
				a.ReadFull(ctx, make([]byte, 2))
			}, true},
			"read": {func(ctx context.Context, a *stream.Conn, b peer) {
				b.Write([]byte("xyxy"))
				a.Peek(ctx, 4)
				a.ReadFull(ctx, make([]byte, 4))
			}, false},
			"handed over with bytes": {func(ctx context.Context, a *stream.Conn, b peer) {
				b.Write([]byte("xy"))
				a.Peek(ctx, 2)
				d, _ := a.Detach()
				d.ReadFull(ctx, make([]byte, 2))
				d.Abort()
			}, false},
			"unsent": {func(ctx context.Context, a *stream.Conn, b peer) {
				for range 64 {
					a.TryWrite(big)
				}
			}, true},
		} {
			for where, do := range map[string]func(t *testing.T, l *reactor.Loop, fn func(ctx context.Context)){
				"in a task":      func(t *testing.T, l *reactor.Loop, fn func(ctx context.Context)) { testkit.InTask(t, l, fn) },
				"in a goroutine": func(t *testing.T, l *reactor.Loop, fn func(ctx context.Context)) { fn(context.Background()) },
			} {
				t.Run(carrier.name+", "+name+", "+where, func(t *testing.T) {
					l := startLoop(t, noFaults) // which would leave room in the kernel
					a, b := carrier.open(t, l)
					do(t, l, func(ctx context.Context) { c.use(ctx, a, b) })
					// A pipe holds what was sent.
					if n := statsOf(l).BuffersLent; (n > 0) != c.held && carrier.name != "pipe" {
						t.Errorf("%d buffers are lent, some: %v, want %v", n, n > 0, c.held)
					}
					a.Abort()
					b.Close()
					testkit.OnLoop(t, l, func() {})
					if n := statsOf(l).BuffersLent; n != 0 {
						t.Errorf("%d are lent when all is closed, want 0", n)
					}
				})
			}
		}
	}
}
