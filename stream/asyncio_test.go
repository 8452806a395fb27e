//go:build unix || windows

package stream_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

// Mistakes of asyncio's streams that are known, each a test here.

// In asyncio, wait_closed hung when the peer was gone or had more to send, returned before the
// connection was closed, or hid the error: gh-83939, gh-104344, gh-120866.
func TestAsyncioMistake8_WaitClosedHangsOrLies(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a reset comes another way")
	}
	for name, c := range map[string]struct {
		before func(ctx context.Context, c *stream.Conn, p *net.TCPConn)
		want   error // of WaitClosed
	}{
		"the peer does nothing": {func(context.Context, *stream.Conn, *net.TCPConn) {}, nil},
		"there is unread input": {func(_ context.Context, _ *stream.Conn, p *net.TCPConn) { p.Write([]byte("x")) }, nil},
		"the peer has closed":   {func(_ context.Context, _ *stream.Conn, p *net.TCPConn) { p.Close() }, nil},
		"there is output":       {func(ctx context.Context, c *stream.Conn, _ *net.TCPConn) { c.WriteString(ctx, "last words") }, nil},
		"the peer has reset":    {func(ctx context.Context, c *stream.Conn, p *net.TCPConn) { reset(p); readAll(ctx, c) }, nil},
		"the peer has reset, and there is output": {func(ctx context.Context, c *stream.Conn, p *net.TCPConn) {
			reset(p)
			readAll(ctx, c)
			c.WriteString(ctx, "last words")
		}, syscall.EPIPE},
	} {
		t.Run(name, func(t *testing.T) {
			l := startLoop(t)
			conn, p := overTCP.open(t, l)
			testkit.InTask(t, l, func(ctx context.Context) {
				c.before(ctx, conn, p.(*net.TCPConn))
				conn.Close()
				for range 2 {
					mustBe(t, "WaitClosed", conn.WaitClosed(ctx), c.want)
				}
			})
			if s := stream.StatsOf(l); s.Open != 0 {
				t.Errorf("%d connections are open after WaitClosed, want 0", s.Open)
			}
		})
	}
}

func reset(p *net.TCPConn) {
	p.SetLinger(0)
	p.Close()
}

// readuntil threw away what it had when a line was over the limit.
func TestAsyncioMistake9_ReadUntilOverTheLimitThrowsTheBufferAway(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		c.SetLineLimit(100)
		sent := strings.Repeat("x", 200) + "\n" + "next\n"
		wait := in(t, func() { p.Write([]byte(sent)); p.CloseWrite() })
		w.run(func(ctx context.Context) {
			for range 2 {
				_, err := c.ReadUntil(ctx, []byte("\n"))
				mustBe(t, "ReadUntil", err, stream.ErrLineTooLong)
			}
			if all, err := readAll(ctx, c); string(all) != sent || err != io.EOF {
				t.Errorf("what is left = %d bytes, %v; want the %d sent and EOF", len(all), err, len(sent))
			}
		})
		wait()
	})
}

// What had come before a reset was dropped when the reset was seen.
func TestAsyncioMistake11_BytesBeforeAResetCannotBeRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows forgets what came before a reset")
	}
	l := startLoop(t)
	c, p := overTCP.open(t, l)
	p.Write([]byte("before"))
	reset(p.(*net.TCPConn))
	testkit.InTask(t, l, func(ctx context.Context) {
		all, err := readAll(ctx, c)
		if string(all) != "before" {
			t.Errorf("%q, want %q", all, "before")
		}
		mustBe(t, "then", err, syscall.ECONNRESET)
	})
}

// In asyncio, Server.close closed the listener, and left the clients' connections and their
// handlers alone: gh-79033.
func TestAsyncioMistake12_ServerCloseLeavesClientsOpen(t *testing.T) {
	l := startLoop(t)
	ended := 0
	address, stop := serving(t, l, &stream.Server{Handler: func(ctx context.Context, c *stream.Conn) error {
		defer func() { ended++ }()
		return echo(ctx, c)
	}, OnError: func(*stream.Conn, error) {}})
	var clients []net.Conn
	for range 5 {
		p := dial(t, address)
		ask(t, p, "hello")
		clients = append(clients, p)
	}
	mustBe(t, "Serve", stop(), nil)
	testkit.OnLoop(t, l, func() {
		if s := stream.StatsOf(l); ended != len(clients) || s.Open != 0 {
			t.Errorf("%d handlers have ended, and %d connections are open; want %d and 0", ended, s.Open, len(clients))
		}
	})
	for _, p := range clients {
		if _, err := p.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("a client: %v, want %v", err, io.EOF)
		}
	}
}
