//go:build unix || windows

package stream

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
)

// held returns what the transport has taken and not let go.
func held(c *Conn) int {
	e := c.e.Load()
	e.lock()
	defer e.unlock()
	switch t := e.transport.(type) {
	case *holding:
		return len(t.held)
	case *tlsTransport:
		return t.below.out.Len()
	}
	return 0
}

// expect reads msg, and fails otherwise. It is called in a task.
func (t over) expect(ctx context.Context, p *Conn, msg []byte) {
	t.Helper()
	got := make([]byte, len(msg))
	if n, err := p.ReadFull(ctx, got); !bytes.Equal(got, msg) || err != nil {
		t.Errorf("the peer has %d bytes, %v; want the %d sent", n, err, len(msg))
		p.Abort()
	}
}

func (t over) expectEnd(ctx context.Context, p *Conn) {
	t.Helper()
	n, err := p.Read(ctx, make([]byte, 1))
	if n != 0 || err != io.EOF {
		t.Errorf("the peer has %d bytes more, %v; want %v", n, err, io.EOF)
	}
}

// Flush leaves nothing in the transport, wherever what is written is cut in two.
func TestWriteAndFlushOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		msg := message(24)
		c, p := t.pair(3)
		received := t.beside(func(ctx context.Context) {
			for range len(msg) {
				t.expect(ctx, p, msg)
			}
		})
		t.run(func(ctx context.Context) {
			for cut := range len(msg) {
				c.Write(ctx, msg[:cut])
				t.wantError("Flush", c.Flush(ctx), nil)
				if n, k := c.Unsent(), held(c); n+k > 0 {
					t.Errorf("after Flush %d bytes are unsent and %d held, want none", n, k)
				}
				n, err := c.Write(ctx, msg[cut:])
				if n != len(msg)-cut || err != nil {
					t.Errorf("Write: %d, %v; want %d", n, err, len(msg)-cut)
				}
			}
		})
		received()
	})
}

// A writer that is faster than its peer waits, and nothing is lost. CloseWrite comes behind it all,
// and the peer's answer still arrives.
func TestMuchIsWrittenOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		msg := message(1 << 20)
		c, p := t.pair(10_000)
		received := t.beside(func(ctx context.Context) {
			pause(ctx) // so long the writer is ahead
			t.expect(ctx, p, msg)
			t.expectEnd(ctx, p)
			p.Write(ctx, []byte("answer\n"))
		})
		t.run(func(ctx context.Context) {
			if n, err := c.Write(ctx, msg); n != len(msg) || err != nil {
				t.Errorf("Write: %d, %v; want %d", n, err, len(msg))
			}
			t.wantError("CloseWrite", c.CloseWrite(ctx), nil)
			if k := held(c); k > 0 {
				t.Errorf("after CloseWrite %d bytes are held, want none", k)
			}
			if line, err := c.ReadLine(ctx); line != "answer" || err != nil {
				t.Errorf("ReadLine: %q, %v; want the answer", line, err)
			}
		})
		received()
	})
}

// What TryWrite has no room for is taken when OnReady has told of room.
func TestTryWriteOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		msg := message(300_000)
		c, p := t.pair(10_000)
		received := t.beside(func(ctx context.Context) { t.expect(ctx, p, msg) })
		t.run(func(ctx context.Context) {
			got, err := inCallbacks(ctx, c, len(msg), func(left int) ([]byte, error) {
				from := msg[len(msg)-left:]
				n, err := c.TryWrite(from)
				return from[:n], err
			})
			if len(got) != len(msg) || err != nil {
				t.Errorf("TryWrite: %d bytes, %v; want %d", len(got), err, len(msg))
			}
			t.wantError("Flush", c.Flush(ctx), nil)
		})
		received()
	})
}

// Close lets everything go that was written, the end last, and WaitClosed tells when.
func TestCloseOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		for _, size := range []int{0, 24, 60_000} {
			msg := message(size + 2)
			c, p := t.pair(1 + size/20)
			received := t.beside(func(ctx context.Context) {
				t.expect(ctx, p, msg)
				t.expectEnd(ctx, p)
			})
			t.run(func(ctx context.Context) {
				if n, err := c.Write(ctx, msg); n != len(msg) || err != nil {
					t.Errorf("Write: %d, %v; want %d", n, err, len(msg))
				}
				t.wantError("Close", c.Close(), nil)
				t.wantError("WaitClosed", c.WaitClosed(ctx), nil)
			})
			received()
		}
	})
}

// What was written and did not go is told by WaitClosed after an Abort, also if it is the transport
// that holds it.
func TestAbortOverEachTransport(t *testing.T) {
	overEach(t, func(t over) {
		c, _ := t.pair(10)
		e := c.e.Load()
		t.run(func(ctx context.Context) {
			e.lock()
			_, holds := e.transport.(*holding)
			if holds { // its event has not come yet
				e.send([]byte("held"))
			}
			e.abort(errAborted)
			e.unlock()
			err := c.WaitClosed(ctx)
			if told := errors.Is(err, ErrClosed); told != holds {
				t.Errorf("WaitClosed: %v; want %v only if something was held", err, ErrClosed)
			}
		})
	})
}
