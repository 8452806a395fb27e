package stream

import (
	"context"
	"errors"
	"io"
	"runtime"

	"github.com/corobridge/corobridge/internal/coro"
)

// Copy copies from src to dst until src ends, which is no error, and returns how many bytes it has
// written. All the while it has the turn to read from src. After an error, a cancellation, or a
// Detach of src or dst, from wherever, what has not been written is still in src. In a callback of
// a loop it panics.
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
			n, failed = dst.writeFrom(ctx, p, src, e)
			e.lock()
			gone := e.usable(src.epoch)
			if gone == ErrClosed { // nobody else gets what was read before
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

// writeFrom moves as much of p, which is the input of src, as there is room for, and waits if that
// is nothing. Both endpoints are locked while bytes move. So whoever takes src over finds in it
// what was not written, and nothing else.
func (c *Conn) writeFrom(ctx context.Context, p []byte, src *Conn, from *endpoint) (n int, err error) {
	const op = "stream: write"
	e, err := c.begin(ctx, outward, op)
	if err != nil {
		return 0, err
	}
	defer c.end(e, outward)
	if err := c.beFair(ctx, e, &e.sends); err != nil {
		return 0, e.wrap(op, err)
	}
	e.lockBeside(from)
	err = e.usable(c.epoch)
	if err == nil && from.usable(src.epoch) == nil {
		n, err = e.accept(p[:min(len(p), writePiece)])
		if from.in.len() > 0 { // a source that accept has closed has lost its buffer
			from.in.consume(from.lender(), n)
		}
	} else {
		src = nil
	}
	e.unlockBeside(from)
	if n == 0 && err == nil && src != nil {
		e.sends = 0
		err = c.park(ctx, e, &e.writer, (*room)(e), op)
	}
	return n, e.wrap(op, err)
}

// lockBeside locks other as well as e, which is locked. Elsewhere somebody may do the same the
// other way round: so nobody waits for one lock who has the other. e is unlocked now and then.
func (e *endpoint) lockBeside(other *endpoint) {
	if e == other { // an echo
		return
	}
	for !other.mu.TryLock() {
		e.unlock()
		runtime.Gosched()
		e.lock()
	}
	other.onLoop = other.streams.core.InLoop()
}

func (e *endpoint) unlockBeside(other *endpoint) {
	if e != other {
		other.unlock()
	}
}
