package stream

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"syscall"

	"github.com/corobridge/corobridge/internal/coro"
)

// defaultLineLimit is how long a line may be, and how much Peek may ask for.
const defaultLineLimit = 64 << 10

// Read waits until there is at least one byte, and reads up to len(p) bytes into p. At the end of
// the stream it returns io.EOF. After a cancellation, nothing has been taken.
func (c *Conn) Read(ctx context.Context, p []byte) (n int, err error) {
	err = c.read(ctx, "stream: read", func(e *endpoint) error {
		n, err = e.takeInput(p)
		return err
	})
	return n, err
}

// read runs one reading operation. It calls step. As long as that returns ErrWouldBlock, it waits
// for input and calls step again.
func (c *Conn) read(ctx context.Context, op string, step func(e *endpoint) error) error {
	coro.Spend(ctx)
	e, err := c.begin(ctx, inward, op)
	if err != nil {
		return err
	}
	defer c.end(e, inward)
	for {
		if err := step(e); err != ErrWouldBlock {
			return e.wrap(op, err)
		}
		if e.mayRead { // only its share has been spent
			if err := c.beFair(ctx, e, &e.reads); err != nil {
				return e.wrap(op, err)
			}
			continue
		}
		e.reads = 0
		e.in.shrink(e.lender())
		w, err := e.beginWait(ctx, &e.reader, op)
		if err == nil {
			w.Begin(ctx, (*input)(e)).Suspend()
			err = e.endWait(ctx, &e.reader, w)
			if unusable := e.usable(c.epoch); unusable != nil {
				err = unusable
			}
		}
		if err != nil {
			return e.wrap(op, err)
		}
	}
}

// takeInput moves input into p: what is buffered, or otherwise straight from the transport. If
// little is asked for it reads ahead into the buffer.
func (e *endpoint) takeInput(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if e.in.len() == 0 {
		if len(p) >= small {
			return e.receive(p)
		}
		if err := e.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, e.in.bytes())
	e.in.consume(e.lender(), n)
	return n, nil
}

// mayReceive says why there is no use in asking the transport. ErrWouldBlock means that there is
// nothing and the reader has to wait; or that there may be more, and others have their turn first.
// If bytes were lost on their way out, the reader is told, since no answer will come.
func (e *endpoint) mayReceive() error {
	if err := e.readErr(); err != nil {
		return err
	}
	switch {
	case e.mayRead && e.reads < share:
		return nil
	case !e.mayRead && e.more != nil && e.more.lost:
		return e.more.writeErr
	}
	return ErrWouldBlock
}

// broken reports whether a write has met the end of the connection. A socket tells such an error
// once: recv(2) says then that the stream has ended, though it was reset. EPIPE comes behind an
// orderly end too, and what is lacking here says nothing of the peer.
func (e *endpoint) broken() bool {
	err := e.writeErr()
	return err != nil && !outOfResources(err) && !isOneOf(err, syscall.EPIPE)
}

// receive reads from the transport.
func (e *endpoint) receive(p []byte) (int, error) {
	if err := e.mayReceive(); err != nil {
		return 0, err
	}
	n, more, err := e.transport.read(p)
	e.mayRead = more
	if err == io.EOF && e.broken() {
		err = e.writeErr()
	}
	switch {
	case err == io.EOF:
		e.ended = true
	case err != nil:
		e.rare().readErr = err
	}
	if n > 0 {
		e.reads += e.weigh(n)
		return n, nil // what ends the input comes with the next call
	}
	if err == nil {
		err = e.mayReceive()
	}
	return 0, err
}

// fill reads some more into the buffer. It uses the room that is left, if that is worth a call;
// otherwise it makes the buffer a page, or as large as the last read was. A buffer that is longer
// already is doubled.
func (e *endpoint) fill() error {
	if err := e.mayReceive(); err != nil {
		return err
	}
	l, have := e.lender(), e.in.len()
	want := max(page-have, have)
	switch {
	case e.in.free() >= small:
		want = small
	case have == 0 && e.bulk:
		want = large
	}
	n, err := e.receive(e.in.room(l, want))
	if n > 0 {
		e.in.commit(n)
		e.bulk = n >= page
	} else if have == 0 {
		e.in.drop(l)
	}
	return err
}

// ReadFull reads exactly len(p) bytes. Its errors are io.ReadFull's: io.EOF if there was nothing,
// and io.ErrUnexpectedEOF if there was less. When it fails, n bytes have been taken and are in p.
func (c *Conn) ReadFull(ctx context.Context, p []byte) (n int, err error) {
	err = c.read(ctx, "stream: read", func(e *endpoint) error {
		for n < len(p) {
			k, err := e.takeInput(p[n:])
			n += k
			if err == io.EOF && n > 0 {
				return io.ErrUnexpectedEOF
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return n, err
}

// ReadUntil reads up to and including delim, which must not be empty. If the stream ends before,
// the rest comes with io.ErrUnexpectedEOF. If there are more bytes before delim than the line
// limit, it fails with ErrLineTooLong. After that, and after a cancellation, nothing has been
// taken.
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

// readUntil gives take the bytes that end with delim, before they are consumed.
func (c *Conn) readUntil(ctx context.Context, delim []byte, take func([]byte)) error {
	if len(delim) == 0 {
		panic("stream: ReadUntil needs a delimiter")
	}
	searched := 0
	return c.read(ctx, "stream: read", func(e *endpoint) error {
		n, err := e.findInput(delim, &searched)
		if n > 0 {
			take(e.in.bytes()[:n])
			e.in.consume(e.lender(), n)
		}
		return err
	})
}

// findInput reads until the buffer holds delim, and returns how many bytes end with it. At the end
// of the stream it returns the rest with io.ErrUnexpectedEOF. Before searched there is no delim,
// nor its beginning.
func (e *endpoint) findInput(delim []byte, searched *int) (int, error) {
	for {
		b := e.in.bytes()
		at := bytes.Index(b[*searched:], delim)
		if at >= 0 {
			at += *searched
		} else {
			*searched = max(0, len(b)-len(delim)+1)
		}
		switch {
		case max(at, *searched) > e.lineLimit(): // however the input was split
			return 0, ErrLineTooLong
		case at >= 0:
			return at + len(delim), nil
		}
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

// SetLineLimit bounds how long a line may be without its end, and how much Peek may ask for; the
// default is 64 KiB. It panics if n is not positive.
func (c *Conn) SetLineLimit(n int) {
	if n <= 0 {
		panic(fmt.Sprintf("stream: SetLineLimit(%d): give a positive number of bytes", n))
	}
	if e, err := c.lock(); err == nil {
		e.rare().lineLimit = n
		e.unlock()
	}
}

// Lines yields lines, as ReadLine returns them, until the stream ends, which is no error. An
// unfinished last line is yielded too. Any error is yielded once, and ends the loop. Range over it:
// iter.Pull would await in a goroutine of its own, and hang the loop.
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

// Peek waits for n bytes, which may not be more than the line limit, and lends them until the next
// call that reads: nothing is taken. If the stream ends before, it lends what there is, with
// io.EOF. Peek(ctx, 0) lends what is buffered.
func (c *Conn) Peek(ctx context.Context, n int) (p []byte, err error) {
	mustNotBeNegative("Peek", n)
	err = c.read(ctx, "stream: peek", func(e *endpoint) error {
		p, err = e.peekFull(n)
		return err
	})
	return p, err
}

// peekFull reads until n bytes are buffered, and lends them; if n is 0, all there is. At the end of
// the input it lends what there is.
func (e *endpoint) peekFull(n int) ([]byte, error) {
	if n > e.lineLimit() {
		return nil, ErrLineTooLong
	}
	for e.in.len() < n {
		switch err := e.fill(); {
		case err == ErrWouldBlock:
			return nil, err
		case err != nil:
			return e.in.bytes(), err
		}
	}
	p := e.in.bytes()
	if n > 0 {
		p = p[:n]
	}
	return p, nil
}

// PeekSome waits for input and lends all there is, without taking it, until the next call that
// reads.
func (c *Conn) PeekSome(ctx context.Context) (p []byte, err error) {
	err = c.read(ctx, "stream: peek", func(e *endpoint) error {
		p, err = e.peekInput()
		return err
	})
	return p, err
}

// peekInput lends what is buffered. If that is nothing, it asks the transport once.
func (e *endpoint) peekInput() ([]byte, error) {
	if e.in.len() == 0 {
		if err := e.fill(); err != nil {
			return nil, err
		}
	}
	return e.in.bytes(), nil
}

// Discard takes n bytes and drops them. If the stream ends before, it returns how many there were,
// with io.EOF.
func (c *Conn) Discard(ctx context.Context, n int) (dropped int, err error) {
	mustNotBeNegative("Discard", n)
	err = c.read(ctx, "stream: discard", func(e *endpoint) error {
		for {
			k := min(n-dropped, e.in.len())
			e.in.consume(e.lender(), k)
			dropped += k
			if dropped == n {
				return nil
			}
			if err := e.fill(); err != nil {
				return err
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
	defer e.unlock()
	return e.in.len()
}

func mustNotBeNegative(call string, n int) {
	if n < 0 {
		panic(fmt.Sprintf("stream: %s(%d): give a number of bytes that is not negative", call, n))
	}
}

// Unread puts p, which is copied, before what is to be read next. While a reader has its turn it
// returns ErrBusy.
func (c *Conn) Unread(p []byte) error {
	e, err := c.tryRead("stream: unread")
	if err != nil {
		return err
	}
	defer e.unlock()
	if len(p) > 0 {
		e.in.unread(e.lender(), p)
	}
	return nil
}
