package stream

import (
	"context"
	"errors"
	"io"

	"github.com/corobridge/corobridge/internal/coro"
)

// Copy copies from src to dst until src ends, which is no error, and returns how many bytes it has
// written. All the while it has the turn to read from src. After an error, and after a
// cancellation, what has not been written is still in src. In a callback of a loop it panics.
func Copy(ctx context.Context, dst, src *Conn) (written int64, err error) {
	coro.Who(ctx, "stream: Copy")
	var failed error
	err = src.read(ctx, "stream: copy", func(e *endpoint) error {
		for {
			p, err := e.peekInput()
			if err != nil {
				return err
			}
			n := 0
			e.unlock()
			n, failed = dst.Write(ctx, p)
			e.lock()
			written += int64(n)
			if err := e.usable(src.epoch); err != nil {
				return err // and the input is another's, or gone
			}
			e.in.consume(e.lender(), n)
			if failed != nil {
				return nil
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
