package asyncore

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"syscall"

	"github.com/corobridge/corobridge/stream"
)

// maxRecv is how many bytes one Recv returns at most.
const maxRecv = 256 << 10

// Recv returns at most n bytes of input. They are lent until the callback returns, or in a task
// until the task waits. If there is no input now, the error is stream.ErrWouldBlock. When the peer
// is gone, or n is 0, Recv calls HandleClose, and returns no bytes and its error. After Close it
// returns nothing and no error. After a hand-over the error is stream.ErrDetached.
func (d *Dispatcher) Recv(n int) ([]byte, error) {
	if d.conn == nil {
		return nil, d.absent()
	}
	if n <= 0 { // recv(0) is b'', which asyncore takes for the end
		return nil, d.handleClose(io.EOF)
	}
	n = min(n, maxRecv)
	m := d.in
	start := len(m.scratch)
	m.scratch = slices.Grow(m.scratch, n)
	p := m.scratch[start : start+n : start+n]
	got, err := d.receive(p)
	m.scratch = m.scratch[:start+got]
	switch {
	case got > 0:
		return p[:got:got], nil // an error comes again at the next Recv
	case err == io.EOF && d.outputLeft():
		return nil, nil // the end is told when that has been sent
	case err == io.EOF || disconnected(err):
		return nil, d.handleClose(err)
	}
	return nil, err
}

// receive fills p as far as there is input. One TryRead may return less than there is.
func (d *Dispatcher) receive(p []byte) (got int, err error) {
	for got < len(p) && err == nil {
		var n int
		n, err = d.conn.TryRead(p[got:])
		got += n
	}
	return got, err
}

// Send takes as much of p as there is room for, and returns the number of bytes taken. The first
// Send of an iteration gives them to the kernel at once. Further ones follow together, when the
// running batch of callbacks ends.
//
// When the peer is gone Send takes nothing and calls HandleClose. If that shows only after the
// batch, HandleClose is called in the next iteration. After Close it takes nothing, and that is no
// error. After a hand-over the error is stream.ErrDetached.
func (d *Dispatcher) Send(p []byte) (int, error) {
	if d.conn == nil {
		return 0, d.absent()
	}
	if d.finished {
		return 0, errEnded
	}
	d.ending.said = d.ending.said || d.ending.running
	n, err := d.conn.TryWrite(p)
	if err == nil {
		err = d.flush()
	}
	switch {
	case err == nil || err == stream.ErrWouldBlock:
		return n, nil
	case disconnected(err):
		return 0, d.handleClose(err)
	}
	return n, err
}

// flush gives the kernel what was sent, for the first Send of an iteration. So a peer that is gone
// shows inside Send, as in CPython, and replies to pipelined requests still go out together.
func (d *Dispatcher) flush() error {
	if d.flushed == d.in.round {
		d.unsure = true // it may fail when the batch ends
		d.in.wake(d)
		return nil
	}
	d.flushed = d.in.round
	err := d.conn.TryFlush()
	d.unsure = err == stream.ErrWouldBlock
	return err
}

// errEnded is the error of what is sent after CloseWrite.
var errEnded = fmt.Errorf("asyncore: send after CloseWrite: %w", syscall.EPIPE)

// absent returns why there is no connection. It is nil after Close, since HandleClose has told the
// handler.
func (d *Dispatcher) absent() error {
	if d.lost == nil && !d.closed {
		return ErrNoConnection
	}
	return d.lost
}

// disconnected reports whether an error means that the peer, or the connection, is gone: asyncore's
// _DISCONNECTED.
func disconnected(err error) bool {
	if err == nil || err == stream.ErrWouldBlock {
		return false
	}
	for _, e := range []error{syscall.ECONNRESET, syscall.ENOTCONN, syscall.ESHUTDOWN, syscall.ECONNABORTED, syscall.EPIPE, syscall.EBADF, stream.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// CloseWrite ends the stream for the peer once everything that was sent has gone out; reading goes
// on. It returns at once: a Chat, or a DispatcherWithSend, still sends what it has queued. A later
// Send, or Push, fails. It is how socket.shutdown(SHUT_WR) is written here.
// After Close it does nothing. After a hand-over the error is stream.ErrDetached.
func (d *Dispatcher) CloseWrite() error {
	if d.conn == nil {
		return d.absent()
	}
	d.finishing = true
	d.endOutput()
	return nil
}

// endOutput ends the stream for the peer when CloseWrite has asked for it and the base class has
// nothing left to send.
func (d *Dispatcher) endOutput() {
	if d.finishing && d.connected && !d.hasOutput() {
		d.finishing, d.finished = false, true
		d.conn.TryCloseWrite() // a failure shows as any lost connection does
	}
}
