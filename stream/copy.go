package stream

import (
	"context"
	"io"
)

// Copy copies from src to dst until src ends, which is no error, and returns how many bytes it has written. After an error, and after
// a cancellation, what has not been written is still in src.
func Copy(ctx context.Context, dst, src *Conn) (written int64, err error) {
	for {
		p, err := src.PeekSome(ctx)
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
		n, err := dst.Write(ctx, p)
		written += int64(n)
		if _, e := src.TryDiscard(n); err == nil {
			err = e
		}
		if err != nil {
			return written, err
		}
	}
}
