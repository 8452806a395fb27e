//go:build unix || windows

package stream_test

import (
	"context"
	"io"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

func TestTryCloseWriteEndsTheStreamBehindWhatIsUnsent(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		const total = 1 << 20
		l := w.loop
		c, p := w.open(t, l)
		testkit.OnLoop(t, l, func() {
			c.SetWaterMarks(total, 2*total)
			n, err := c.TryWrite(make([]byte, total))
			if n != total || err != nil {
				t.Errorf("TryWrite: %d, %v; want %d and nil", n, err, total)
			}
			mustBe(t, "TryCloseWrite", c.TryCloseWrite(), nil)
			if _, err := c.TryWrite([]byte("x")); err == nil {
				t.Error("TryWrite after the end: nil, want an error")
			}
		})
		got, err := io.ReadAll(p)
		if len(got) != total || err != nil {
			t.Errorf("the peer has read %d bytes, %v; want %d and nil", len(got), err, total)
		}
		p.Write([]byte("back"))
		back := make([]byte, 4)
		if n, err := c.ReadFull(context.Background(), back); n != 4 || err != nil {
			t.Errorf("reading goes on with %d bytes, %v; want 4 and nil", n, err)
		}
		c.Close()
	})
}

func TestTryFlushSendsWithinACallback(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		l := w.loop
		c, p := w.open(t, l)
		testkit.OnLoop(t, l, func() {
			if _, err := c.TryWrite([]byte("x")); err != nil {
				t.Errorf("TryWrite: %v, want nil", err)
			}
			if n := c.Unsent(); n != 1 {
				t.Errorf("%d bytes are unsent before TryFlush, want 1", n)
			}
			mustBe(t, "TryFlush", c.TryFlush(), nil)
			if n := c.Unsent(); n != 0 {
				t.Errorf("%d bytes are unsent after TryFlush, want 0", n)
			}
			full, err := 0, error(nil)
			for err == nil {
				full, err = c.TryWrite(make([]byte, 32<<10))
				if err == nil {
					err = c.TryFlush()
				}
			}
			if err != stream.ErrWouldBlock || full == 0 && c.Unsent() == 0 {
				t.Errorf("TryFlush to a peer that does not read: %v, %d unsent; want %v", err, c.Unsent(), stream.ErrWouldBlock)
			}
		})
		c.Abort()
		mustBe(t, "TryFlush after Abort", c.TryFlush(), stream.ErrClosed)
		mustBe(t, "TryCloseWrite after Abort", c.TryCloseWrite(), stream.ErrClosed)
		_ = p
	})
}
