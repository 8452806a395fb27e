//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

func TestCloseSendsWhatIsUnsent(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		sent := fill(c)
		w.run(func(ctx context.Context) {
			mustBe(t, "Close", c.Close(), nil)
			mustBe(t, "Close again", c.Close(), nil)
		})
		unblock(c)
		got, err := io.ReadAll(p)
		if !bytes.Equal(got, sent) || err != nil {
			t.Errorf("%d bytes arrived, %v; want the %d sent and nil", len(got), err, len(sent))
		}
		w.run(func(ctx context.Context) { mustBe(t, "WaitClosed", c.WaitClosed(ctx), nil) })
	})
}

func TestAWriteBeforeCloseIsSent(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		w.run(func(ctx context.Context) {
			defer c.Close()
			c.WriteString(ctx, "last words")
		})
		if got, err := io.ReadAll(p); string(got) != "last words" || err != nil {
			t.Errorf("%q, %v; want %q and nil", got, err, "last words")
		}
	})
}

// calls is everything that may wait on a connection, or refuse.
var calls = map[string]func(ctx context.Context, c *stream.Conn) error{
	"Read": func(ctx context.Context, c *stream.Conn) error { _, err := c.Read(ctx, make([]byte, 1)); return err },
	"ReadFull": func(ctx context.Context, c *stream.Conn) error {
		_, err := c.ReadFull(ctx, make([]byte, 1))
		return err
	},
	"ReadLine":  func(ctx context.Context, c *stream.Conn) error { _, err := c.ReadLine(ctx); return err },
	"ReadUntil": func(ctx context.Context, c *stream.Conn) error { _, err := c.ReadUntil(ctx, []byte("x")); return err },
	"Peek":      func(ctx context.Context, c *stream.Conn) error { _, err := c.Peek(ctx, 1); return err },
	"PeekSome":  func(ctx context.Context, c *stream.Conn) error { _, err := c.PeekSome(ctx); return err },
	"Discard":   func(ctx context.Context, c *stream.Conn) error { _, err := c.Discard(ctx, 1); return err },
	"Copy":      func(ctx context.Context, c *stream.Conn) error { _, err := stream.Copy(ctx, c, c); return err },
	"Write": func(ctx context.Context, c *stream.Conn) error {
		_, err := c.Write(ctx, make([]byte, 8<<20))
		return err
	},
	"Printf":     func(ctx context.Context, c *stream.Conn) error { _, err := c.Printf(ctx, "%01000000d", 1); return err },
	"Flush":      func(ctx context.Context, c *stream.Conn) error { return c.Flush(ctx) },
	"CloseWrite": func(ctx context.Context, c *stream.Conn) error { return c.CloseWrite(ctx) },
}

var tries = map[string]func(c *stream.Conn) error{
	"TryPeekSome": func(c *stream.Conn) error { _, err := c.TryPeekSome(); return err },
	"TryRead":     func(c *stream.Conn) error { _, err := c.TryRead(make([]byte, 1)); return err },
	"TryDiscard":  func(c *stream.Conn) error { _, err := c.TryDiscard(1); return err },
	"TryWrite":    func(c *stream.Conn) error { _, err := c.TryWrite(make([]byte, 1)); return err },
	"Unread":      func(c *stream.Conn) error { return c.Unread([]byte("x")) },
	"OnReady":     func(c *stream.Conn) error { return c.OnReady(nil) },
	"Detach":      func(c *stream.Conn) error { _, err := c.Detach(); return err },
}

// inert checks that every call on a connection fails with want, at once.
func inert(t *testing.T, ctx context.Context, c *stream.Conn, want error) {
	t.Helper()
	for name, call := range calls {
		mustBe(t, name, call(ctx, c), want)
	}
	for name, try := range tries {
		mustBe(t, name, try(c), want)
	}
	for _, err := range c.Lines(ctx) {
		mustBe(t, "Lines", err, want)
	}
	c.SetLineLimit(5)
	c.SetWaterMarks(1, 2)
	if c.Buffered() != 0 || c.Unsent() != 0 || c.Room() != 0 {
		t.Errorf("buffered %d, unsent %d, room %d; want 0 of each", c.Buffered(), c.Unsent(), c.Room())
	}
}

func TestCallsAfterClose(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		c.SetValue(7)
		local, remote := c.LocalAddr(), c.RemoteAddr()
		p.Write([]byte("x"))
		w.run(func(ctx context.Context) {
			c.Peek(ctx, 1)
			c.Close()
			inert(t, ctx, c, stream.ErrClosed)
			inert(t, ctx, c, net.ErrClosed)
			mustBe(t, "WaitClosed", c.WaitClosed(ctx), nil)
		})
		if c.LocalAddr() != local || c.RemoteAddr() == nil || c.RemoteAddr().String() != remote.String() || c.Value() != 7 {
			t.Errorf("after Close: %v, %v, %v; want %v, %v, 7", c.LocalAddr(), c.RemoteAddr(), c.Value(), local, remote)
		}
		if stream.HoldsMemory(c) {
			t.Error("a closed connection holds a buffer, want none")
		}
		c.Abort()
	})
}

// waiting calls f for each call that can be made to wait, with a connection where somebody waits in
// that call.
func waiting(t *testing.T, w way, f func(name string, c *stream.Conn, p peer), want map[string]error) {
	for name, call := range calls {
		c, p := w.open(t, w.loop)
		fill(c)
		wait := in(t, func() {
			w.run(func(ctx context.Context) {
				err := call(ctx, c)
				if w, ok := want[name]; ok {
					mustBe(t, name, err, w)
				} else {
					mustBe(t, name, err, want[""])
				}
			})
		})
		queued := in(t, func() {
			testkit.Eventually(t, "a caller that waits", func() bool { return stream.ReaderWaits(c) || stream.WriterWaits(c) || stream.FlushWaits(c) })
			w.run(func(ctx context.Context) { mustBe(t, name+" after another", call(ctx, c), want[""]) })
		})
		ended := in(t, func() {
			w.run(func(ctx context.Context) {
				err := c.WaitClosed(ctx)
				if wanted := want["WaitClosed"]; wanted != nil {
					mustBe(t, "WaitClosed", err, wanted)
				}
			})
		})
		testkit.Eventually(t, "a call in the queue, and one that waits for the end", func() bool {
			i, o := stream.Queued(c)
			return i+o == 1 && stream.EndWaits(c)
		})
		f(name, c, p)
		wait()
		queued()
		ended()
		c.Abort()
		p.Close()
	}
}

func TestCloseWhileOthersWait(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		waiting(t, w, func(_ string, c *stream.Conn, p peer) {
			c.Close() // sends what is unsent, and so ends Flush and CloseWrite well
			unblock(c)
			go io.Copy(io.Discard, p)
		}, map[string]error{"": stream.ErrClosed, "Flush": nil, "CloseWrite": nil})
	})
}

func TestAbortWhileOthersWait(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		waiting(t, w, func(_ string, c *stream.Conn, p peer) { c.Abort() },
			map[string]error{"": stream.ErrClosed, "WaitClosed": stream.ErrClosed})
	})
}

func TestDetachWhileOthersWait(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		waiting(t, w, func(name string, c *stream.Conn, p peer) {
			d, err := c.Detach()
			if err != nil {
				t.Fatal(err)
			}
			unblock(d)
			drained := in(t, func() {
				p.Write([]byte("x"))
				io.Copy(io.Discard, p)
			})
			w.run(func(ctx context.Context) { // the turns are free
				defer d.Close()
				if n, err := d.Read(ctx, make([]byte, 1)); n != 1 || err != nil {
					t.Errorf("Read on the new handle: %d, %v; want 1 and nil", n, err)
				}
				if name == "CloseWrite" { // that is begun, and a state of the connection
					return
				}
				if _, err := d.Write(ctx, []byte("y")); err != nil {
					t.Errorf("Write on the new handle: %v, want nil", err)
				}
			})
			drained()
		}, map[string]error{"": stream.ErrDetached, "WaitClosed": stream.ErrDetached})
	})
}

func TestLoopCloseWhileOthersWait(t *testing.T) {
	for _, k := range carriers {
		t.Run(k.name, func(t *testing.T) {
			if k.name == overUnix.name {
				needUnix(t)
			}
			testkit.Guard(t)
			for name, call := range calls {
				l := startLoop(t)
				c, p := k.open(t, l)
				fill(c)
				want := net.ErrClosed
				if name == "Flush" || name == "CloseWrite" {
					want = reactor.ErrClosed // how the connection ended
				}
				wait := in(t, func() { mustBe(t, name, call(context.Background(), c), want) })
				testkit.Eventually(t, "a caller that waits", func() bool { return stream.ReaderWaits(c) || stream.WriterWaits(c) || stream.FlushWaits(c) })
				mustBe(t, "loop.Close", l.Close(), nil)
				wait()
				inert(t, context.Background(), c, stream.ErrClosed)
				mustBe(t, "WaitClosed", c.WaitClosed(context.Background()), reactor.ErrClosed)
				p.Close()
				if n := stream.StatsOf(l).Open; n != 0 {
					t.Errorf("%d connections open, want 0", n)
				}
				a, b := stream.Pipe(l.Context())
				inert(t, context.Background(), a, stream.ErrClosed)
				inert(t, context.Background(), b, stream.ErrClosed)
				_, err := stream.Dial(l.Context(), "tcp", "127.0.0.1:1")
				mustBe(t, "Dial", err, reactor.ErrClosed)
				_, err = stream.Listen(l.Context(), "tcp", "127.0.0.1:0")
				mustBe(t, "Listen", err, reactor.ErrClosed)
			}
		})
	}
}

func TestAnAbortDropsWhatIsUnsent(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, _ := w.open(t, w.loop)
		fill(c)
		w.run(func(ctx context.Context) {
			c.Abort()
			mustBe(t, "WaitClosed", c.WaitClosed(ctx), stream.ErrClosed)
		})
		d, _ := w.open(t, w.loop)
		w.run(func(ctx context.Context) {
			d.Abort()
			mustBe(t, "WaitClosed with nothing unsent", d.WaitClosed(ctx), nil)
		})
	})
}

func TestCloseDoesNotWaitForEverForAPeer(t *testing.T) {
	for _, k := range carriers {
		t.Run(k.name, func(t *testing.T) {
			testkit.Guard(t)
			now := &skewed{Clock: world.System()}
			l := startLoop(t, reactor.WithWorld(worldtest.WithTime(now)))
			c, _ := k.open(t, l)
			fill(c)
			c.Close()
			for looks := range 4 { // it looks four times in ten seconds
				now.skew.Store(int64(time.Duration(looks) * 2501 * time.Millisecond))
				testkit.OnLoop(t, l, func() {})
				testkit.OnLoop(t, l, func() {})
			}
			if n := stream.StatsOf(l).Open; n == 0 {
				t.Error("0 connections are open after 7.5 seconds, want 1")
			}
			now.skew.Store(int64(10_010 * time.Millisecond))
			l.CallSoon(func() {})
			err := c.WaitClosed(context.Background())
			if err == nil || !strings.Contains(err.Error(), "peer did not take what was unsent") {
				t.Errorf("WaitClosed = %v, want that the peer did not take what was unsent", err)
			}
		})
	}
}

// skewed is a clock that can be put forward.
type skewed struct {
	world.Clock
	skew atomic.Int64
}

func (s *skewed) Now() time.Duration { return s.Clock.Now() + time.Duration(s.skew.Load()) }
