package stream

import (
	"context"
	"errors"
	"io"

	"github.com/corobridge/corobridge/internal/coro"
)

// Copy copies from src to dst until src ends, which is no error, and returns how many bytes it has
// written. All the while it has the turn to read from src. After an error, a cancellation, or a
// Detach of src, what has not been written is still in src. In a callback of a loop it panics.
func Copy(ctx context.Context, dst, src *Conn) (written int64, err error) {
	coro.Who(ctx, "stream: Copy")
	var failed error
	err = src.read(ctx, "stream: copy", func(e *endpoint) error {
		for {
			p, err := e.peekInput()
			if err != nil {
				return err
			}
			n, rest := 0, 0
			e.unlock()
			n, failed = dst.writeSome(ctx, p, src)
			e.lock()
			gone := e.usable(src.epoch)
			switch gone {
			case nil:
				e.in.consume(e.lender(), n)
			case ErrClosed: // nobody else gets what was read before
				e.unlocked(func() { rest, failed = dst.Write(ctx, p[n:]) })
			}
			written += int64(n + rest)
			if gone != nil || failed != nil {
				return gone
			}
		}
	})
	switch {
	case failed != nil:
		return written, failed
	case errors.Is(err, io.EOF):
		return written, nil
	}
	return written, err
}
