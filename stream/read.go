package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"syscall"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/seam"
	"github.com/corobridge/corobridge/reactor"
)

const (
	// defaultLineLimit is how long a line may be, and how much Peek may ask for.
	defaultLineLimit = 64 << 10
	// readBudget is how often a connection that always has input is read before others have their turn.
	readBudget = 16
)

// Read reads up to len(p) bytes into p, for which it waits until there is at least one. At the end of the stream it returns
// io.EOF. After a cancellation, nothing has been taken.
func (c *Conn) Read(ctx context.Context, p []byte) (n int, err error) {
	err = c.read(ctx, "stream: read", func(e *endpoint) (bool, error) {
		if n, err = e.takeInput(p); err == ErrWouldBlock {
			return false, nil
		}
		return true, err
	})
	return n, err
}

// read runs one reading operation: it calls step until that says it is done, and waits for input in between.
func (c *Conn) read(ctx context.Context, op string, step func(e *endpoint) (done bool, err error)) error {
	e, err := c.lock()
	if err != nil {
		return c.refused(op, err)
	}
	if err := c.take(ctx, e, &e.reading, op); err != nil {
		e.mu.Unlock()
		return e.wrap(op, err)
	}
	defer c.give(e, &e.reading)
	if err := c.beFair(e); err != nil {
		return e.wrap(op, err)
	}
	for {
		done, err := step(e)
		if done || err != nil {
			return e.wrap(op, err)
		}
		if e.readable {
			continue
		}
		e.reads = 0
		e.in.shrink(&e.streams.lender)
		if err := c.park(ctx, e, &e.reader, op); err != nil {
			return e.wrap(op, err)
		}
	}
}

// refused says why a call was refused.
func (c *Conn) refused(op string, err error) error {
	if e := c.e.Load(); e != nil {
		return e.wrap(op, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// beFair lets others have their turn when the connection has been read for long without a wait. It is called locked, by who
// has the turn to read.
func (c *Conn) beFair(e *endpoint) error {
	if e.reads < readBudget {
		return nil
	}
	e.reads = 0
	if t := coro.Current(); t != nil {
		e.mu.Unlock()
		t.Yield()
		e.mu.Lock()
	}
	return e.usable(c.epoch)
}

// takeInput moves input into p: what is buffered, else straight from the transport.
func (e *endpoint) takeInput(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if n := copy(p, e.in.bytes()); n > 0 {
		e.in.consume(&e.streams.lender, n)
		return n, nil
	}
	return e.receive(p)
}

// receive reads from the transport. ErrWouldBlock means that there is nothing, and that the reader has to wait.
func (e *endpoint) receive(p []byte) (int, error) {
	if e.readErr != nil {
		return 0, e.readErr
	}
	if !e.readable {
		return 0, ErrWouldBlock
	}
	n, errno := e.transport.read(p)
	switch {
	case errno == syscall.EAGAIN:
		e.mustWaitToRead()
		return 0, ErrWouldBlock
	case errno != 0:
		e.readErr = sysError("read", errno)
		return 0, e.readErr
	case n == 0:
		e.readErr = io.EOF
		return 0, io.EOF
	case n < min(len(p), seam.MaxTransfer) && !e.hangup:
		e.mustWaitToRead()
	}
	e.reads++
	return n, nil
}

func (e *endpoint) mustWaitToRead() {
	e.readable = false
	e.transport.blocked(reactor.Readable)
}

// fill reads some more into the buffer.
func (e *endpoint) fill() error {
	l := &e.streams.lender
	want := page
	if e.in.len() >= page {
		want = e.in.len() // a long line: twice as much each time
	}
	n, err := e.receive(e.in.room(l, want))
	if n > 0 {
		e.in.commit(n)
	} else if e.in.len() == 0 {
		e.in.drop(l)
	}
	return err
}

// ReadFull reads exactly len(p) bytes. Its errors are io.ReadFull's: io.EOF if there was nothing, io.ErrUnexpectedEOF if there was less.
// When it fails, what it has taken is in p, and n says how much.
func (c *Conn) ReadFull(ctx context.Context, p []byte) (n int, err error) {
	err = c.read(ctx, "stream: read", func(e *endpoint) (bool, error) {
		for n < len(p) {
			k, err := e.takeInput(p[n:])
			n += k
			switch {
			case err == ErrWouldBlock:
				return false, nil
			case err == io.EOF && n > 0:
				return true, io.ErrUnexpectedEOF
			case err != nil:
				return true, err
			}
		}
		return true, nil
	})
	return n, err
}

// ReadUntil reads up to and including delim, which must not be empty. If the stream ends before, the rest comes with io.ErrUnexpectedEOF. If
// more than the line limit comes without delim it fails with ErrLineTooLong. After that, and after a cancellation, nothing has been taken.
func (c *Conn) ReadUntil(ctx context.Context, delim []byte) (line []byte, err error) {
	err = c.readUntil(ctx, delim, func(b []byte) { line = bytes.Clone(b) })
	return line, err
}

// ReadLine returns a line without its "\n" or "\r\n". Otherwise it is ReadUntil.
func (c *Conn) ReadLine(ctx context.Context) (line string, err error) {
	err = c.readUntil(ctx, newline, func(b []byte) { line = string(trimLine(b)) })
	return line, err
}

var newline = []byte("\n")

func trimLine(b []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(b, newline), []byte("\r"))
}

// readUntil gives take what ends with delim, before it is consumed.
func (c *Conn) readUntil(ctx context.Context, delim []byte, take func([]byte)) error {
	if len(delim) == 0 {
		panic("stream: ReadUntil needs a delimiter")
	}
	return c.read(ctx, "stream: read", func(e *endpoint) (bool, error) {
		n, err := e.findInput(delim)
		if n > 0 {
			take(e.in.bytes()[:n])
			e.in.consume(&e.streams.lender, n)
		}
		if err == ErrWouldBlock {
			return false, nil
		}
		return true, err
	})
}

// findInput reads until the buffer holds delim, and returns how many bytes end with it. At the end of the stream it
// returns the rest with io.ErrUnexpectedEOF.
func (e *endpoint) findInput(delim []byte) (int, error) {
	for from := 0; ; {
		b := e.in.bytes()
		if i := bytes.Index(b[from:], delim); i >= 0 {
			return from + i + len(delim), nil
		}
		if len(b) >= e.lineLimit() {
			return 0, ErrLineTooLong
		}
		from = max(0, len(b)-len(delim)+1)
		switch err := e.fill(); {
		case err == io.EOF && e.in.len() > 0:
			return e.in.len(), io.ErrUnexpectedEOF
		case err != nil:
			return 0, err
		}
	}
}

func (e *endpoint) lineLimit() int {
	if e.more != nil && e.more.lineLimit > 0 {
		return e.more.lineLimit
	}
	return defaultLineLimit
}

// SetLineLimit bounds how long a line may be, and how much Peek may ask for; the default is 64 KiB. It panics if n is not positive.
func (c *Conn) SetLineLimit(n int) {
	if n <= 0 {
		panic(fmt.Sprintf("stream: SetLineLimit(%d): give a positive number of bytes", n))
	}
	if e, err := c.lock(); err == nil {
		e.rare().lineLimit = n
		e.mu.Unlock()
	}
}

// Lines yields lines, as ReadLine returns them, until the stream ends, which is no error. An unfinished last line is
// yielded too. Any error is yielded once, and ends the loop.
func (c *Conn) Lines(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for {
			line, err := c.ReadLine(ctx)
			switch err {
			case nil:
				if !yield(line, nil) {
					return
				}
			case io.EOF:
				return
			case io.ErrUnexpectedEOF:
				yield(line, nil)
				return
			default:
				yield("", err)
				return
			}
		}
	}
}

// Peek waits for n bytes, which may not be more than the line limit, and lends them until the next call that reads: nothing is
// taken. If there are fewer before the end of the stream, it lends those with io.EOF. Peek(ctx, 0) lends what is buffered.
func (c *Conn) Peek(ctx context.Context, n int) (p []byte, err error) {
	err = c.read(ctx, "stream: peek", func(e *endpoint) (bool, error) {
		if n > e.lineLimit() {
			return true, ErrLineTooLong
		}
		for e.in.len() < n {
			switch err := e.fill(); {
			case err == ErrWouldBlock:
				return false, nil
			case err != nil:
				p = e.in.bytes()
				return true, err
			}
		}
		p = e.in.bytes()
		if n > 0 {
			p = p[:n]
		}
		return true, nil
	})
	return p, err
}

// PeekSome waits for input and lends all there is, without taking it, until the next call that reads.
func (c *Conn) PeekSome(ctx context.Context) (p []byte, err error) {
	err = c.read(ctx, "stream: peek", func(e *endpoint) (bool, error) {
		p, err = e.peekInput()
		if err == ErrWouldBlock {
			return false, nil
		}
		return true, err
	})
	return p, err
}

// peekInput lends what is buffered, for which it asks the transport once if that is nothing.
func (e *endpoint) peekInput() ([]byte, error) {
	if e.in.len() == 0 {
		if err := e.fill(); err != nil {
			return nil, err
		}
	}
	return e.in.bytes(), nil
}

// Discard takes n bytes and drops them. If the stream ends before, it returns how many there were, with io.EOF.
func (c *Conn) Discard(ctx context.Context, n int) (dropped int, err error) {
	err = c.read(ctx, "stream: discard", func(e *endpoint) (bool, error) {
		for {
			k := min(n-dropped, e.in.len())
			e.in.consume(&e.streams.lender, k)
			dropped += k
			if dropped == n {
				return true, nil
			}
			switch err := e.fill(); {
			case err == ErrWouldBlock:
				return false, nil
			case err != nil:
				return true, err
			}
		}
	})
	return dropped, err
}

// Buffered returns how many bytes have been read from the transport and not been taken.
func (c *Conn) Buffered() int {
	e, err := c.lock()
	if err != nil {
		return 0
	}
	defer e.mu.Unlock()
	return e.in.len()
}

// Unread puts p, which is copied, before what is to be read next.
func (c *Conn) Unread(p []byte) error {
	e, err := c.lock()
	if err != nil {
		return c.refused("stream: unread", err)
	}
	defer e.mu.Unlock()
	if len(p) > 0 {
		e.in.unread(&e.streams.lender, p)
	}
	return nil
}

// TryPeek is PeekSome that never waits: if there is no input it returns ErrWouldBlock, and while another reader has its
// turn, ErrBusy. It may be called in callbacks.
func (c *Conn) TryPeek() ([]byte, error) {
	e, err := c.tryRead()
	if err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	p, err := e.peekInput()
	return p, e.wrap("stream: peek", err)
}

// TryRead is Read that never waits: if there is no input it returns ErrWouldBlock, and while another reader has its
// turn, ErrBusy. It may be called in callbacks.
func (c *Conn) TryRead(p []byte) (int, error) {
	e, err := c.tryRead()
	if err != nil {
		return 0, err
	}
	defer e.mu.Unlock()
	n, err := e.takeInput(p)
	return n, e.wrap("stream: read", err)
}

// TryDiscard drops up to n bytes of what is buffered and returns how many it has dropped. It may be called in callbacks.
func (c *Conn) TryDiscard(n int) (int, error) {
	e, err := c.tryRead()
	if err != nil {
		return 0, err
	}
	defer e.mu.Unlock()
	n = min(n, e.in.len())
	e.in.consume(&e.streams.lender, n)
	return n, nil
}

// tryRead locks the endpoint for a reader that does not wait.
func (c *Conn) tryRead() (*endpoint, error) {
	e, err := c.lock()
	if err != nil {
		return nil, c.refused("stream: read", err)
	}
	if e.reading.held {
		e.mu.Unlock()
		return nil, ErrBusy
	}
	return e, nil
}
