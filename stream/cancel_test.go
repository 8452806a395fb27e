//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

func TestACancelledReadTakesNothing(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		cause := errors.New("no more")
		w.run(func(ctx context.Context) {
			done, cancel := context.WithCancelCause(ctx)
			cancel(cause)
			cctx, cancel := context.WithCancelCause(ctx)
			wait := feed(t, c, p, "buf")
			c.Peek(ctx, 3)
			wait()
			for name, call := range calls { // what is buffered stays, and what is to be written too
				mustBe(t, name, call(done, c), cause)
			}
			if c.Buffered() != 3 {
				t.Errorf("%d bytes are left of 3, want 3", c.Buffered())
			}
			_ = cctx
			cancel(nil)
			rest, _ := readAll(ctx, c)
			if string(rest) != "buf" {
				t.Errorf("%q is left, want %q", rest, "buf")
			}
			mustBe(t, "Flush", c.Flush(ctx), nil)
		})
	})
}

// Whenever the cancellation comes, the line is read by the cancelled call or by the next one.
func TestCancellationNearTheData(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		for i := range 200 {
			w.run(func(ctx context.Context) {
				cctx, cancel := context.WithCancel(ctx)
				wait := in(t, func() {
					testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(c) })
					switch i % 3 {
					case 0:
						cancel()
						p.Write([]byte("line\n"))
					case 1:
						p.Write([]byte("line\n"))
						cancel()
					case 2:
						sent := in(t, func() { p.Write([]byte("line\n")) })
						cancel()
						sent()
					}
				})
				line, err := c.ReadLine(cctx)
				if err != nil {
					mustBe(t, "ReadLine", err, context.Canceled)
					line, err = c.ReadLine(ctx)
				}
				if line != "line" || err != nil {
					t.Errorf("%q, %v; want %q and nil", line, err, "line")
				}
				wait()
				cancel()
			})
		}
		if c.Buffered() != 0 {
			t.Errorf("%d bytes too many, want 0", c.Buffered())
		}
	})
}
