//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// The peer that says all it has to say and then closes its side still gets the answer.
func TestAHalfClosingPeerGetsItsReply(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		for _, size := range []int{1, 1000, 3 << 20} {
			c, p := w.open(t, w.loop)
			data := pattern(size)
			wait := in(t, func() {
				sent := in(t, func() { p.Write(data); p.CloseWrite() })
				got, err := io.ReadAll(p)
				if !bytes.Equal(got, data) || err != nil {
					t.Errorf("%d bytes came back, %v; want the %d sent and nil", len(got), err, len(data))
				}
				sent()
			})
			w.run(func(ctx context.Context) {
				defer c.Close()
				if n, err := stream.Copy(ctx, c, c); n != int64(size) || err != nil {
					t.Errorf("Copy = %d, %v; want %d and nil", n, err, size)
				}
			})
			wait()
		}
	})
}

// All that came before the peer's close can be read, however late, and more than a buffer of it.
func TestAHangUpWithInputPending(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		data := pattern(60_000)
		p.Write(data)
		p.Close()
		w.run(func(ctx context.Context) {
			got := make([]byte, len(data))
			if n, err := c.ReadFull(ctx, got[:1]); n != 1 || err != nil {
				t.Errorf("%d, %v; want 1 and nil", n, err)
			}
			n, err := c.ReadFull(ctx, got[1:])
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("ReadFull = %d, %v; want the rest of the %d bytes sent and nil", n, err, len(data))
			}
			_, err = c.Read(ctx, got)
			mustBe(t, "the end", err, io.EOF)
			_, err = c.Read(ctx, got)
			mustBe(t, "the end again", err, io.EOF)
		})
	})
}

func TestBytesThatCameBeforeAResetCanBeRead(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows forgets what came before a reset")
	}
	for _, poller := range poll.Kinds() {
		for _, who := range callers {
			t.Run(poller.String()+"/"+who.name, func(t *testing.T) {
				l := startLoop(t, reactor.WithPoller(poller))
				c, p := overTCP.open(t, l)
				p.Write([]byte("a line\nand a half"))
				p.(*net.TCPConn).SetLinger(0)
				p.Close() // sends a reset
				who.run(t, l, func(ctx context.Context) {
					line, err := c.ReadLine(ctx)
					if line != "a line" || err != nil {
						t.Errorf("%q, %v; want %q and nil", line, err, "a line")
					}
					_, err = c.ReadLine(ctx)
					mustBe(t, "ReadLine", err, syscall.ECONNRESET)
					rest, err := readAll(ctx, c)
					if string(rest) != "and a half" {
						t.Errorf("%q, %v; want %q", rest, err, "and a half")
					}
					mustBe(t, "Read", err, syscall.ECONNRESET)
					var op interface{ Timeout() bool }
					if errors.As(err, &op) && op.Timeout() {
						t.Errorf("Timeout of the reset %v = true, want false", err)
					}
					for err = nil; err == nil; _, err = c.Write(ctx, []byte("x")) {
						task.Yield(ctx)
					}
					mustBe(t, "Write", err, syscall.EPIPE)
					mustBe(t, "Flush", c.Flush(ctx), syscall.EPIPE)
					mustBe(t, "CloseWrite", c.CloseWrite(ctx), syscall.EPIPE)
					c.Close()
					mustBe(t, "WaitClosed", c.WaitClosed(ctx), syscall.EPIPE)
				})
			})
		}
	}
}

func TestWritingToAPeerThatIsGone(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		p.Close()
		w.run(func(ctx context.Context) {
			var err error
			for err == nil {
				_, err = c.Write(ctx, make([]byte, 100))
				task.Yield(ctx)
			}
			if !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Write = %v, want EPIPE or ECONNRESET", err)
			}
			if c.Unsent() != 0 || c.Room() != 0 || stream.HoldsMemory(c) {
				t.Errorf("unsent %d, room %d, holds a buffer: %v; want 0, 0, false", c.Unsent(), c.Room(), stream.HoldsMemory(c))
			}
		})
	})
}

// A writer that waits hears of the peer's end.
func TestAPeerThatGoesAwayEndsAWaitingWrite(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		wait := in(t, func() {
			testkit.Eventually(t, "a writer that waits", func() bool { return stream.WriterWaits(c) })
			p.Close()
		})
		w.run(func(ctx context.Context) {
			n, err := c.Write(ctx, make([]byte, 16<<20))
			if n == 16<<20 || !errors.Is(err, syscall.EPIPE) && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("Write = %d, %v; want fewer than %d and EPIPE or ECONNRESET", n, err, 16<<20)
			}
		})
		wait()
	})
}
