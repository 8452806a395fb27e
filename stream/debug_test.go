//go:build linux

package stream_test

import (
	"context"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// reports collects a loop's exceptions.
type reports struct {
	mu  sync.Mutex
	all []reactor.Exception
}

func (r *reports) option() reactor.Option {
	return reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, e)
	})
}

func (r *reports) take() []reactor.Exception {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

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
			guard(t)
			var r reports
			l := startLoop(t, reactor.WithDebug(0), r.option())
			makeAndForget(t, l, c.network, c.use)
			want := []string{"the connection to pipe"} // of the next one
			if c.reported != "" {
				until(func() bool { runtime.GC(); return len(r.take()) > 0 })
				want = append([]string{c.reported}, want...)
			}
			makeAndForget(t, l, "pipe", func(*stream.Conn) {})
			until(func() bool { runtime.GC(); return len(r.take()) >= len(want) })
			runtime.GC()
			onLoop(t, l, func() {})
			all := r.take()
			if len(all) != len(want) {
				t.Fatalf("%d reports: %v", len(all), all)
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
	guard(t)
	var r reports
	l := startLoop(t, r.option())
	makeAndForget(t, l, "pipe", func(*stream.Conn) {})
	other := startLoop(t, reactor.WithDebug(0), r.option())
	makeAndForget(t, other, "pipe", func(*stream.Conn) {})
	until(func() bool { runtime.GC(); return len(r.take()) > 0 })
	onLoop(t, l, func() {})
	if all := r.take(); len(all) != 1 {
		t.Errorf("reports: %v", all)
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
				"in a task":      func(t *testing.T, l *reactor.Loop, fn func(ctx context.Context)) { inTask(t, l, fn) },
				"in a goroutine": func(t *testing.T, l *reactor.Loop, fn func(ctx context.Context)) { fn(context.Background()) },
			} {
				t.Run(carrier.name+", "+name+", "+where, func(t *testing.T) {
					guard(t)
					l := startLoop(t, noFaults) // which would leave room in the kernel
					a, b := carrier.open(t, l)
					do(t, l, func(ctx context.Context) { c.use(ctx, a, b) })
					if n := statsOf(l).BuffersLent; (n > 0) != c.held && carrier.name != "pipe" { // a pipe holds what was sent
						t.Errorf("%d are lent", n)
					}
					a.Abort()
					b.Close()
					onLoop(t, l, func() {})
					if n := statsOf(l).BuffersLent; n != 0 {
						t.Errorf("%d are lent when all is closed", n)
					}
				})
			}
		}
	}
}

// statsOf is what the loop has done.
func statsOf(l *reactor.Loop) reactor.Stats {
	s, err := l.Stats(context.Background())
	if err != nil {
		panic(err)
	}
	return s
}
