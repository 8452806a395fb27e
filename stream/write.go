package stream

import (
	"context"
	"fmt"
	"syscall"
	"unsafe"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/world"
)

// The marks between which Write waits, and the size from which on a writer's bytes go to the
// transport without a copy.
const (
	defaultLow  = 16 << 10
	defaultHigh = 64 << 10
	directWrite = 16 << 10
)

// writePiece is what Write sends before it sees whether it has had its share.
const writePiece = 4 * world.MaxTransfer

// Write copies p into the outbound buffer, and the loop sends that when the batch of callbacks
// ends. Write waits only while the buffer is over its high-water mark. After an error, or a
// cancellation, the first n bytes have been taken and the rest has not.
//
// What was taken and can't be sent is dropped. The next call that writes, and Flush, tell why. If
// it was for want of memory (ENOBUFS, ENOMEM), a read that would wait tells it too: the connection
// still stands, and nothing else would end the wait for an answer.
//
// A task that computes for long after a Write calls Flush, or task.Yield, first. Called outside the
// connection's loop, Write tries to send at once.
func (c *Conn) Write(ctx context.Context, p []byte) (n int, err error) {
	const op = "stream: write"
	e, err := c.begin(ctx, outward, op)
	if err != nil {
		return 0, err
	}
	defer c.end(e, outward)
	for {
		if err := c.beFair(ctx, e, &e.sends); err != nil {
			return n, e.wrap(op, err)
		}
		piece := p[n:min(n+writePiece, len(p))]
		k, err := e.accept(piece)
		n += k
		if n == len(p) || err != nil {
			return n, e.wrap(op, err)
		}
		if k == len(piece) { // also if all of it went into the buffer
			e.sends += e.weigh(k)
			continue
		}
		e.sends = 0
		if err := c.park(ctx, e, &e.writer, (*room)(e), op); err != nil {
			return n, e.wrap(op, err)
		}
	}
}

// accept takes as much of p as there is room for.
func (e *endpoint) accept(p []byte) (n int, err error) {
	low, high := e.marks()
	for {
		switch err := e.writeErr(); {
		case err != nil:
			return n, err
		case e.finish:
			return n, syscall.EPIPE
		}
		if e.out.len() == 0 && len(p)-n >= directWrite && e.mayWrite {
			n += e.send(p[n:])
			continue
		}
		if k := min(len(p)-n, high-e.out.len()); k > 0 {
			e.out.append(e.lender(), p[n:n+k])
			n += k
		}
		if !e.onLoop || e.out.len() >= high {
			e.sendOut()
		} else if e.out.len() > 0 {
			e.flushLater()
		}
		if n == len(p) || e.out.len() > low {
			return n, e.writeErr()
		}
	}
}

func (e *endpoint) marks() (low, high int) {
	if e.more != nil && e.more.high > 0 {
		return e.more.low, e.more.high
	}
	return defaultLow, defaultHigh
}

// flushLater queues the endpoint for the end of the batch. It is called on the loop.
func (e *endpoint) flushLater() {
	if !e.dirty && e.mayWrite {
		e.dirty = true
		e.core().At(loop.BatchEnd, (*batchFlush)(e))
	}
}

// batchFlush is an endpoint as an entry of the list that the loop runs when a batch ends.
type batchFlush endpoint

func (f *batchFlush) Run() {
	e := (*endpoint)(f)
	e.lock()
	e.dirty = false
	e.sends = 0
	if !e.closed {
		e.sendOut()
	}
	e.unlock()
}

// send gives p to the transport, once, and returns how much that took.
func (e *endpoint) send(p []byte) int {
	n, more, err := e.transport.write(p)
	e.mayWrite = more
	if err != nil {
		e.failWrite(err)
		return 0
	}
	e.sends += e.weigh(n)
	e.flushHeld()
	return n
}

// flushHeld makes the transport send what it holds, and notes whether that leaves something.
func (e *endpoint) flushHeld() {
	var err error
	if e.pending, err = e.transport.flush(); err != nil {
		e.failWrite(err)
	}
}

// allSent reports whether everything written has left the transport.
func (e *endpoint) allSent() bool { return e.out.len() == 0 && !e.pending }

// sendOut sends what the transport takes, and does what waits for that. It is called locked.
func (e *endpoint) sendOut() {
	if e.pending || e.out.len() == 0 {
		e.flushHeld()
	}
	for e.out.len() > 0 && e.mayWrite {
		if n := e.send(e.out.bytes()); n > 0 {
			e.out.consume(e.lender(), n)
		}
	}
	if low, _ := e.marks(); e.out.len() <= low {
		wake(&e.writer)
	}
	if e.allSent() {
		e.drained()
	}
}

// drained does what waits for everything to be sent.
func (e *endpoint) drained() {
	if e.finish && !e.finished && e.writeErr() == nil {
		e.finished = true
		if err := e.transport.closeWrite(); err != nil {
			e.failWrite(err)
		} else if e.flushHeld(); e.pending {
			return
		}
	}
	if e.more != nil {
		wakeAll(&e.more.flushed)
	}
	if e.closing && !e.closed {
		e.shut(e.writeErr())
	}
}

// failWrite ends the writing side: nothing more can be sent.
func (e *endpoint) failWrite(err error) {
	if x := e.rare(); x.writeErr == nil {
		x.writeErr = err
	}
	e.out.drop(e.lender())
	e.pending = false
	wake(&e.writer)
	if outOfResources(err) && !e.closed {
		e.rare().lost = true
		e.mayRead = true // what is there already comes first
		wake(&e.reader)
		e.notifyLater()
	}
}

// WriteString is Write for a string.
func (c *Conn) WriteString(ctx context.Context, s string) (int, error) {
	return c.Write(ctx, unsafe.Slice(unsafe.StringData(s), len(s))) // it is read only
}

// Printf formats and writes.
func (c *Conn) Printf(ctx context.Context, format string, a ...any) (int, error) {
	return c.Write(ctx, fmt.Appendf(nil, format, a...))
}

// TryWrite takes as much of p as there is room for below the high-water mark, and never waits. If
// that is nothing it returns ErrWouldBlock, and while another writer has its turn, ErrBusy. It may
// be called in callbacks.
func (c *Conn) TryWrite(p []byte) (int, error) {
	e, err := c.lock()
	if err != nil {
		return 0, c.refused("stream: write", err)
	}
	defer e.unlock()
	if e.held[outward] {
		return 0, ErrBusy
	}
	n, err := e.accept(p)
	if n == 0 && len(p) > 0 && err == nil {
		err = ErrWouldBlock
	}
	return n, e.wrap("stream: write", err)
}

// Room returns how many bytes TryWrite would take; zero when the writing side has ended.
func (c *Conn) Room() int {
	e, err := c.lock()
	if err != nil {
		return 0
	}
	defer e.unlock()
	_, high := e.marks()
	if e.writeErr() != nil || e.finish || e.held[outward] {
		return 0
	}
	return max(high-e.out.len(), 0)
}

// Unsent returns how many bytes have been written and not been given to the kernel.
func (c *Conn) Unsent() int {
	e, err := c.lock()
	if err != nil {
		return 0
	}
	defer e.unlock()
	return e.out.len()
}

// SetWaterMarks sets the amounts of unsent bytes between which Write waits: it waits from high on,
// until there are at most low. The defaults are 16 and 64 KiB. It panics unless 0 ≤ low < high.
func (c *Conn) SetWaterMarks(low, high int) {
	if low < 0 || low >= high {
		panic(fmt.Sprintf("stream: SetWaterMarks(%d, %d): low must be at least 0 and below high", low, high))
	}
	if e, err := c.lock(); err == nil {
		x := e.rare()
		x.low, x.high = low, high
		if e.out.len() <= low {
			wake(&e.writer)
		}
		e.unlock()
	}
}

// Flush waits until the kernel has everything that was written. A cancellation leaves what is
// unsent to be sent. If the connection is closed meanwhile, it tells whether all was sent even so.
func (c *Conn) Flush(ctx context.Context) error { return c.flushed(ctx, "stream: flush", false) }

// CloseWrite ends the stream for the peer, after what is unsent: it waits, as Flush does, until the
// kernel has everything, and the end. Reading goes on. A later Write fails. A cancellation leaves
// the end to come after what is unsent.
func (c *Conn) CloseWrite(ctx context.Context) error {
	return c.flushed(ctx, "stream: close writing", true)
}

func (c *Conn) flushed(ctx context.Context, op string, finish bool) error {
	e, err := c.begin(ctx, outward, op)
	if err != nil {
		return err
	}
	defer c.end(e, outward)
	e.finish = e.finish || finish
	e.sendOut()
	for !e.allSent() {
		err := c.awaitEnd(ctx, e, &e.rare().flushed, (*flush)(e), op)
		if err == nil && e.closed {
			return e.wrap(op, e.more.closeErr)
		}
		if err != nil {
			return e.wrap(op, err)
		}
	}
	return e.wrap(op, e.writeErr())
}

// awaitEnd waits in a line until it is woken, also if the connection is closed meanwhile.
func (c *Conn) awaitEnd(ctx context.Context, e *endpoint, line *coro.Line, on fmt.Stringer, op string) error {
	err := e.await(ctx, line, on, op)
	if e.epoch != c.epoch {
		return ErrDetached
	}
	return err
}
