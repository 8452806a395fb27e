package stream

import (
	"context"
	"io"
)

// Copy copies from src to dst until src ends, which is no error, and returns how many bytes it has written. After an error, and after
// a cancellation, what has not been written is still in src.
func Copy(ctx context.Context, dst, src *Conn) (written int64, err error) {
	for {
		n, err := src.passTo(ctx, dst)
		written += int64(n)
		if err == io.EOF {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

// passTo waits for input and writes it to dst. It has the turn to read all the while, so nobody else reads what it is writing.
func (c *Conn) passTo(ctx context.Context, dst *Conn) (n int, err error) {
	const op = "stream: copy"
	e, err := c.begin(ctx, inward, op)
	if err != nil {
		return 0, err
	}
	defer c.end(e, inward)
	p, err := c.someInput(ctx, e, op)
	if err != nil {
		return 0, e.wrap(op, err)
	}
	e.unlocked(func() { n, err = dst.Write(ctx, p) })
	if unusable := e.usable(c.epoch); unusable != nil {
		return n, e.wrap(op, unusable) // and the input is another's, or gone
	}
	e.in.consume(&e.streams.lender, n)
	return n, err
}
