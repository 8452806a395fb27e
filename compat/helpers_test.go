package compat_test

import (
	"context"
	"io"
	"path/filepath"
	"testing"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// liner is a classic line handler that answers <line>. Some lines make it do something else.
type liner struct {
	asynchat.Chat
	on    map[string]func(h *liner) error
	calls int
}

func (h *liner) CollectIncomingData(data []byte) error { h.calls++; h.Collect(data); return nil }

func (h *liner) FoundTerminator() error {
	h.calls++
	line := string(h.Take())
	if fn := h.on[line]; fn != nil {
		return fn(h)
	}
	return h.PushString("<" + line + ">\r\n")
}

func newLiner(on map[string]func(h *liner) error) *liner {
	h := &liner{on: on}
	h.SetTerminator("\r\n")
	return h
}

// attached is the constructor of liners. It sends a greeting.
func attached(on map[string]func(h *liner) error) func(c *stream.Conn, m *asyncore.Map) *liner {
	return func(c *stream.Conn, m *asyncore.Map) *liner {
		h := newLiner(on)
		asynchat.Attach(h, c, m)
		h.PushString("hi\r\n")
		return h
	}
}

// modern answers [line] until the end of the stream, or until a line that on knows.
func modern(on map[string]stream.Handler) stream.Handler {
	return func(ctx context.Context, c *stream.Conn) error {
		for {
			line, err := c.ReadLine(ctx)
			if err != nil {
				if err == io.EOF {
					err = nil
				}
				return err
			}
			if fn := on[line]; fn != nil {
				return fn(ctx, c)
			}
			if _, err := c.WriteString(ctx, "["+line+"]\r\n"); err != nil {
				return err
			}
		}
	}
}

// run runs body as a task of a fresh loop.
func run(t *testing.T, body func(ctx context.Context)) {
	t.Helper()
	testkit.Guard(t)
	testkit.Run(t, func(ctx context.Context) error { body(ctx); return nil })
}

// transports are the ways to make a connected pair.
var transports = map[string]func(t *testing.T, ctx context.Context) (a, b *stream.Conn){
	"pipe": func(_ *testing.T, ctx context.Context) (a, b *stream.Conn) { return stream.Pipe(ctx) },
	"tcp": func(t *testing.T, ctx context.Context) (a, b *stream.Conn) {
		return connectedPair(t, ctx, "tcp", "127.0.0.1:0")
	},
	"unix": func(t *testing.T, ctx context.Context) (a, b *stream.Conn) {
		return connectedPair(t, ctx, "unix", filepath.Join(t.TempDir(), "s"))
	},
}

func connectedPair(t *testing.T, ctx context.Context, network, address string) (a, b *stream.Conn) {
	l, err := stream.Listen(ctx, network, address)
	check(t, err)
	defer l.Close()
	b, err = stream.Dial(ctx, network, l.Addr().String())
	check(t, err)
	a, err = l.Accept(ctx)
	check(t, err)
	return a, b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve starts h for c, as a server does.
func serve(ctx context.Context, c *stream.Conn, h stream.Handler) *task.Task[struct{}] {
	return task.Spawn(ctx, func(ctx context.Context) error {
		defer c.Close()
		return h(ctx, c)
	})
}

func write(t *testing.T, ctx context.Context, c *stream.Conn, s string) {
	t.Helper()
	_, err := c.WriteString(ctx, s)
	check(t, err)
	check(t, c.Flush(ctx))
}

func expect(t *testing.T, ctx context.Context, c *stream.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := c.ReadFull(ctx, got); err != nil || string(got) != want {
		t.Fatalf("the peer reads %q, %v, want %q", got[:n], err, want)
	}
}

func expectEnd(t *testing.T, ctx context.Context, c *stream.Conn) {
	t.Helper()
	if n, err := c.Read(ctx, make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("the peer reads %d bytes, %v, want the end", n, err)
	}
}

// drained waits until nothing else is ready to run, so that the handler has seen what was sent.
func drained(t *testing.T, ctx context.Context) {
	t.Helper()
	for range 20 {
		check(t, task.Yield(ctx))
	}
}

func readAll(ctx context.Context, c *stream.Conn) (string, error) {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(ctx, buf)
		all = append(all, buf[:n]...)
		if err == io.EOF {
			err = nil
			return string(all), err
		}
		if err != nil {
			return string(all), err
		}
	}
}
