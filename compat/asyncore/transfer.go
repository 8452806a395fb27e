package asyncore

import (
	"errors"
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
		return nil, d.handleClose()
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
	case err == io.EOF || disconnected(err):
		return nil, d.handleClose()
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

// Send copies as much of p as there is room for, and returns the number of bytes copied. When the
// peer is gone it takes nothing and calls HandleClose. After Close it takes nothing, and that is no
// error. After a hand-over the error is stream.ErrDetached.
func (d *Dispatcher) Send(p []byte) (int, error) {
	if d.conn == nil {
		return 0, d.absent()
	}
	n, err := d.conn.TryWrite(p)
	switch {
	case err == nil || err == stream.ErrWouldBlock:
		return n, nil
	case disconnected(err):
		return 0, d.handleClose()
	}
	return n, err
}

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
// on. It returns at once. A later Send fails. It is how socket.shutdown(SHUT_WR) is written here.
// After Close it does nothing. After a hand-over the error is stream.ErrDetached.
func (d *Dispatcher) CloseWrite() error {
	if d.conn == nil {
		return d.absent()
	}
	return d.conn.TryCloseWrite()
}
