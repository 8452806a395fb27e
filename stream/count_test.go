//go:build linux

package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// A connection is registered once in its life, and its end needs no call.
func TestOneRegistrationForAConnectionsLife(t *testing.T) {
	testkit.Guard(t)
	n, options := count(reactor.Epoll)
	l := startLoop(t, options...)
	address, stop := serving(t, l, &stream.Server{Handler: echo})
	before := n.Poller.Adds.Load()
	const conns = 20
	for range conns {
		p := dial(t, address)
		for range 10 {
			ask(t, p, "hello")
		}
		big := pattern(4 << 20)
		sent := in(t, func() { p.Write(big); p.CloseWrite() })
		if got, err := io.ReadAll(p); !bytes.Equal(got, big) || err != nil {
			t.Errorf("%d bytes came back, %v; want the %d sent and nil", len(got), err, len(big))
		}
		sent()
	}
	mustBe(t, "Serve", stop(), nil)
	if k := n.Poller.Adds.Load() - before; k != conns {
		t.Errorf("%d registrations for %d connections, want one each", k, conns)
	}
	if k := n.Poller.Modifies.Load() + n.Poller.Removes.Load() + n.Poller.Rearms.Load(); k != 0 {
		t.Errorf("%d further calls, want 0", k)
	}
}

// handlers are ways to serve lines of echo.
var handlers = map[string]stream.Handler{
	"Copy": echo,
	"Read": func(ctx context.Context, c *stream.Conn) error {
		for b := make([]byte, 4096); ; {
			n, err := c.Read(ctx, b)
			if err != nil {
				return err
			}
			c.Write(ctx, b[:n])
		}
	},
	"ReadLine": func(ctx context.Context, c *stream.Conn) error {
		for line, err := range c.Lines(ctx) {
			if err != nil {
				return err
			}
			c.WriteString(ctx, line)
			c.WriteString(ctx, "\n")
		}
		return nil
	},
	"ReadFull": func(ctx context.Context, c *stream.Conn) error {
		for b := make([]byte, 6); ; {
			if _, err := c.ReadFull(ctx, b); err != nil {
				return err
			}
			c.Write(ctx, b)
		}
	},
	"Peek": func(ctx context.Context, c *stream.Conn) error {
		for {
			p, err := c.Peek(ctx, 6)
			if err != nil {
				return err
			}
			c.Write(ctx, p)
			c.Discard(ctx, 6)
		}
	},
	"TryPeek": func(ctx context.Context, c *stream.Conn) error {
		c.OnReady(func() {
			p, err := c.TryPeekSome()
			for ; err == nil; p, err = c.TryPeekSome() {
				c.TryWrite(p)
				c.TryDiscard(len(p))
			}
			if err != stream.ErrWouldBlock {
				c.Close()
			}
		})
		return c.WaitClosed(ctx)
	},
}

// A request is one read and one write, however many requests come in one piece.
func TestSystemCallsPerRequest(t *testing.T) {
	for _, kind := range poll.Kinds() {
		for name, handler := range handlers {
			t.Run(fmt.Sprintf("%v/%s", kind, name), func(t *testing.T) {
				testkit.Guard(t)
				n, options := count(kind)
				l := startLoop(t, options...)
				address, stop := serving(t, l, &stream.Server{Handler: handler})
				p := dial(t, address)
				ask(t, p, "hello\n")
				for _, requests := range []int{1, 16} {
					testkit.OnLoop(t, l, func() {}) // it is done with the one before
					reads, writes := n.Reads.Load(), n.Writes.Load()
					const rounds = 50
					for range rounds {
						ask(t, p, strings.Repeat("hello\n", requests))
					}
					reads, writes = n.Reads.Load()-reads, n.Writes.Load()-writes
					if reads != rounds || writes != rounds {
						t.Errorf("%d reads, %d writes for %d rounds of %d requests; want one of each a round", reads, writes, rounds, requests)
					}
				}
				p.CloseWrite()
				io.ReadAll(p)
				mustBe(t, "Serve", stop(), nil)
			})
		}
	}
}

// In its steady state an echo allocates nothing, and an idle connection holds no buffer.
func TestAnEchoAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for name, handler := range handlers {
		// ReadLine returns strings, and TryPeek is what Copy uses.
		if name == "ReadLine" || name == "TryPeek" {
			continue
		}
		for _, k := range carriers {
			t.Run(name+"/"+k.name, func(t *testing.T) {
				testkit.Guard(t)
				err := runTask(func(ctx context.Context) error {
					loop, _ := reactor.FromContext(ctx)
					var c, client *stream.Conn
					switch k.name {
					case "pipe":
						c, client = stream.Pipe(ctx)
					case "tcp":
						c, client = connected(t, loop, "tcp", "127.0.0.1:0")
					case "unix":
						c, client = connected(t, loop, "unix", t.TempDir()+"/s")
					}
					server := task.Spawn(ctx, func(ctx context.Context) error { return handler(ctx, c) })
					request, reply := []byte("hello\n"), make([]byte, 6)
					round := func() {
						client.Write(ctx, request)
						if _, err := client.ReadFull(ctx, reply); err != nil {
							t.Error(err)
						}
					}
					for range 100 {
						round()
					}
					if n := testing.AllocsPerRun(500, round); n != 0 {
						t.Errorf("%v allocations, want 0", n)
					}
					if stream.HoldsMemory(c) || stream.HoldsMemory(client) {
						t.Error("a connection that waits holds a buffer, want none")
					}
					client.Close()
					server.Await(ctx)
					c.Close()
					return nil
				})
				mustBe(t, "Run", err, nil)
			})
		}
	}
}

// connected returns both ends of a connection on one loop. It is called in a task.
func connected(t testing.TB, l *reactor.Loop, network, address string) (server, client *stream.Conn) {
	t.Helper()
	ln, err := stream.Listen(l.Context(), network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if client, err = stream.Dial(l.Context(), network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = ln.Accept(l.Context()); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// Every lent buffer comes back: many connections that are busy one after the other need no more
// buffers than one.
func TestLentMemoryComesBack(t *testing.T) {
	for _, k := range carriers {
		t.Run(k.name, func(t *testing.T) {
			l := startLoop(t)
			kept := 0
			for i := range 20 {
				c, p := k.open(t, l)
				data := pattern(1 << 20)
				sent := in(t, func() { p.Write(data); p.CloseWrite() })
				received := in(t, func() { io.Copy(io.Discard, p) })
				testkit.InTask(t, l, func(ctx context.Context) {
					c.ReadUntil(ctx, []byte("not there"))
					stream.Copy(ctx, c, c)
					c.CloseWrite(ctx)
					if stream.HoldsMemory(c) {
						t.Error("a connection holds a buffer after its end was sent, want none")
					}
					c.Close()
				})
				sent()
				p.Close()
				received()
				testkit.OnLoop(t, l, func() {
					free := stream.FreeBytes(l)
					if i == 3 {
						kept = free
					} else if i > 3 && free > kept+256<<10 {
						t.Errorf("after %d connections %d bytes are kept, want at most 256 KiB over the %d after four", i, free, kept)
					}
				})
			}
		})
	}
}

// A reader that waits with a part of a line keeps little more than that part.
func TestAPartialLineHoldsLittle(t *testing.T) {
	l := startLoop(t)
	const conns = 200
	var all []*stream.Conn
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var waits []func()
	for range conns {
		a, b := stream.Pipe(l.Context())
		all = append(all, b)
		b.WriteString(context.Background(), "part of a line")
		tk := task.Spawn(l.Context(), func(ctx context.Context) error {
			if line, err := a.ReadLine(ctx); line != "part of a line, and the rest" {
				t.Errorf("%q, %v; want %q", line, err, "part of a line, and the rest")
			}
			return nil
		})
		waits = append(waits, func() { tk.Await(context.Background()) })
		testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(a) })
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if per := int64(after.HeapAlloc-before.HeapAlloc) / conns; per > 4000 {
		t.Errorf("%d bytes of heap for each connection, want at most 4000", per)
	}
	for i, b := range all {
		b.WriteString(context.Background(), ", and the rest\n")
		waits[i]()
	}
}

// A long line that comes byte by byte is moved, and searched, a bounded number of times.
func TestASlowLongLineIsNotCopiedForEachByte(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l := startLoop(t)
	testkit.InTask(t, l, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		b.Write(ctx, make([]byte, 60_000))
		reader := task.Spawn(ctx, func(ctx context.Context) error {
			line, err := a.ReadLine(ctx)
			if len(line) != 62_000 {
				t.Errorf("%d bytes, %v; want 62_000", len(line), err)
			}
			return nil
		})
		one := []byte{0}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 2000 {
			b.Write(ctx, one)
			b.Flush(ctx)
			for !stream.ReaderWaits(a) {
				task.Yield(ctx)
			}
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%d bytes allocated for 2000, want at most %d", n, 1<<20)
		}
		b.Write(ctx, []byte("\n"))
		reader.Await(ctx)
	})
}
