//go:build unix || windows

package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

// readings are ways to read n bytes, which are whole lines. After the last byte they say io.EOF.
var readings = []struct {
	name string
	read func(ctx context.Context, c *Conn, n int) ([]byte, error)
}{
	{"Read", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return repeat(n, func(left int) ([]byte, error) {
			p := make([]byte, min(left, 5))
			k, err := c.Read(ctx, p)
			return p[:k], err
		})
	}},
	{"Read of much", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return repeat(n, func(left int) ([]byte, error) {
			p := make([]byte, min(left, 8<<10))
			k, err := c.Read(ctx, p)
			return p[:k], err
		})
	}},
	{"ReadFull", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		p := make([]byte, n)
		k, err := c.ReadFull(ctx, p)
		return p[:k], err
	}},
	{"ReadUntil", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return repeat(n, func(int) ([]byte, error) { return c.ReadUntil(ctx, []byte(";\n")) })
	}},
	{"ReadLine", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return repeat(n, func(int) ([]byte, error) {
			line, err := c.ReadLine(ctx)
			return withNewline(line, err), err
		})
	}},
	{"Lines", func(ctx context.Context, c *Conn, n int) (got []byte, err error) {
		for line, err := range c.Lines(ctx) {
			if got = append(got, withNewline(line, err)...); err != nil || len(got) >= n {
				return got, err
			}
		}
		return got, io.EOF
	}},
	{"Peek", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return repeat(n, func(left int) ([]byte, error) {
			p, err := c.Peek(ctx, min(left, 7))
			return taken(c, p, left, err)
		})
	}},
	{"PeekSome", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return repeat(n, func(left int) ([]byte, error) {
			p, err := c.PeekSome(ctx)
			return taken(c, p, left, err)
		})
	}},
	{"Discard", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		k, err := c.Discard(ctx, n-1) // the last byte has to be the right one
		if err != nil {
			return make([]byte, k), err
		}
		p := make([]byte, 1)
		last, err := c.ReadFull(ctx, p)
		return append(message(n)[:k:k], p[:last]...), err
	}},
	{"TryRead", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return inCallbacks(ctx, c, n, func(left int) ([]byte, error) {
			p := make([]byte, min(left, 5))
			k, err := c.TryRead(p)
			return p[:k], err
		})
	}},
	{"TryPeekSome", func(ctx context.Context, c *Conn, n int) ([]byte, error) {
		return inCallbacks(ctx, c, n, func(left int) ([]byte, error) {
			p, err := c.TryPeekSome()
			return taken(c, p, left, err)
		})
	}},
}

// repeat calls read until n bytes have been read.
func repeat(n int, read func(left int) ([]byte, error)) (got []byte, err error) {
	for len(got) < n && err == nil {
		var p []byte
		p, err = read(n - len(got))
		got = append(got, p...)
	}
	return got, err
}

// inCallbacks is repeat for a read that never waits, which is called by OnReady.
func inCallbacks(
	ctx context.Context, c *Conn, n int, read func(left int) ([]byte, error),
) (got []byte, err error) {
	f, p := future.New[[]byte]()
	step := func() {
		for len(got) < n {
			b, err := read(n - len(got))
			if err == ErrWouldBlock {
				return
			}
			if got = append(got, b...); err != nil {
				c.OnReady(nil)
				p.Fail(err)
				return
			}
		}
		c.OnReady(nil)
		p.Resolve(got)
	}
	c.Loop().CallSoon(func() { c.OnReady(step); step() })
	return f.Await(ctx)
}

func withNewline(line string, err error) []byte {
	if err != nil {
		return []byte(line)
	}
	return []byte(line + "\n")
}

// taken takes what was lent, but at most n bytes.
func taken(c *Conn, p []byte, n int, err error) ([]byte, error) {
	p = bytes.Clone(p[:min(len(p), n)])
	c.TryDiscard(len(p))
	return p, err
}

// message returns n bytes of lines that end with ";\n".
func message(n int) []byte {
	var b []byte
	for i := 0; len(b) < n-10; i++ {
		b = fmt.Appendf(b, "%d;\n", i)
	}
	for len(b) < n-2 {
		b = append(b, '.')
	}
	return append(b, ";\n"...)
}

// pause lets the other side come to what has been sent, most often.
func pause(ctx context.Context) {
	for range 70 { // the loop polls once in 64 items at least
		task.Yield(ctx)
	}
}

// A message is read as it was sent, wherever it is cut in two, and then the end comes.
func TestEachReadingMethodOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		msg := message(24)
		for _, way := range readings {
			c, p := t.pair(3)
			sent := t.beside(func(ctx context.Context) {
				for cut := range len(msg) {
					p.Write(ctx, msg[:cut])
					p.Flush(ctx)
					pause(ctx)
					p.Write(ctx, msg[cut:])
					p.Flush(ctx)
					pause(ctx)
				}
				p.CloseWrite(ctx)
			})
			t.run(func(ctx context.Context) {
				for cut := range len(msg) {
					got, err := way.read(ctx, c, len(msg))
					if !bytes.Equal(got, msg) || err != nil {
						t.Errorf("%s, cut at %d: %q, %v; want %q", way.name, cut, got, err, msg)
						return
					}
				}
				got, err := way.read(ctx, c, 1)
				if len(got) > 0 || err != io.EOF {
					t.Errorf("%s at the end: %q, %v; want %v", way.name, got, err, io.EOF)
				}
			})
			if t.Failed() {
				p.Abort()
			}
			sent()
		}
	})
}

// The same for much at once, which comes in many pieces.
func TestEachReadingMethodOfMuchOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		msg := message(70_000) // more than the marks of any buffer
		for _, way := range readings {
			c, p := t.pair(1000)
			sent := t.beside(func(ctx context.Context) {
				p.Write(ctx, msg)
				p.CloseWrite(ctx)
			})
			t.run(func(ctx context.Context) {
				got, err := way.read(ctx, c, len(msg))
				if !bytes.Equal(got, msg) || err != nil {
					t.Errorf("%s: %d bytes, %v; want %d", way.name, len(got), err, len(msg))
					return
				}
				if _, err := way.read(ctx, c, 1); err != io.EOF {
					t.Errorf("%s at the end: %v, want %v", way.name, err, io.EOF)
				}
			})
			if t.Failed() {
				p.Abort()
			}
			sent()
		}
	})
}

// Copy ends with the stream, and what it has taken is what was sent.
func TestCopyOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		for _, size := range []int{24, 200_000} {
			msg := message(size)
			c, p := t.pair(1 + size/200)
			done := t.beside(func(ctx context.Context) {
				sent := t.beside(func(ctx context.Context) {
					p.Write(ctx, msg[:size/2])
					pause(ctx)
					p.Write(ctx, msg[size/2:])
					p.CloseWrite(ctx)
				})
				got := make([]byte, size+1)
				n, err := p.ReadFull(ctx, got)
				if !bytes.Equal(got[:n], msg) || err != io.ErrUnexpectedEOF {
					t.Errorf("%d bytes came back, %v; want %d and the end", n, err, size)
				}
				sent()
			})
			t.run(func(ctx context.Context) {
				if n, err := Copy(ctx, c, c); n != int64(size) || err != nil {
					t.Errorf("Copy: %d, %v; want %d", n, err, size)
				}
				t.wantError("CloseWrite", c.CloseWrite(ctx), nil)
			})
			if t.Failed() {
				p.Abort()
			}
			done()
		}
	})
}
