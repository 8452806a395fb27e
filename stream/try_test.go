//go:build unix || windows

package stream_test

import (
	"context"
	"io"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

func TestTryMethodsInACallback(t *testing.T) {
	for _, k := range carriers {
		t.Run(k.name, func(t *testing.T) {
			l := startLoop(t)
			c, p := k.open(t, l)
			var got []byte
			done := make(chan error, 1)
			testkit.OnLoop(t, l, func() {
				if _, err := c.TryPeekSome(); err != stream.ErrWouldBlock {
					t.Errorf("TryPeekSome of nothing: %v, want %v", err, stream.ErrWouldBlock)
				}
				if _, err := c.TryRead(make([]byte, 1)); err != stream.ErrWouldBlock {
					t.Errorf("TryRead of nothing: %v, want %v", err, stream.ErrWouldBlock)
				}
				if n, err := c.TryDiscard(5); n != 0 || err != nil {
					t.Errorf("TryDiscard of nothing: %d, %v; want 0 and nil", n, err)
				}
				c.OnReady(func() {
					for {
						b, err := c.TryPeekSome()
						if err == stream.ErrWouldBlock {
							return
						}
						if err != nil {
							c.OnReady(nil)
							done <- err
							return
						}
						got = append(got, b...)
						c.TryDiscard(len(b))
						if n, err := c.TryWrite(b); n != len(b) || err != nil {
							t.Errorf("TryWrite: %d, %v; want %d and nil", n, err, len(b))
						}
					}
				})
			})
			echo := make([]byte, 5)
			for _, s := range []string{"hello", "world"} {
				p.Write([]byte(s))
				if _, err := io.ReadFull(p, echo); string(echo) != s {
					t.Errorf("echo = %q, %v; want %q and nil", echo, err, s)
				}
			}
			p.CloseWrite()
			if err := <-done; err != io.EOF {
				t.Errorf("the end: %v, want %v", err, io.EOF)
			}
			if string(got) != "helloworld" {
				t.Errorf("got %q, want %q", got, "helloworld")
			}
		})
	}
}

func TestTryMethodsWhileSomebodyHasTheTurn(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		wait := in(t, func() {
			testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(c) })
			testkit.OnLoop(t, w.loop, func() {
				_, err := c.TryPeekSome()
				mustBe(t, "TryPeekSome", err, stream.ErrBusy)
				_, err = c.TryRead(make([]byte, 1))
				mustBe(t, "TryRead", err, stream.ErrBusy)
				_, err = c.TryDiscard(1)
				mustBe(t, "TryDiscard", err, stream.ErrBusy)
				mustBe(t, "Unread", c.Unread([]byte("x")), stream.ErrBusy)
			})
			p.Write([]byte("x"))
		})
		w.run(func(ctx context.Context) { c.Read(ctx, make([]byte, 1)) })
		wait()
	})
}
