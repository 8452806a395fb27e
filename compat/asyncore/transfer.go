package asyncore

import (
	"errors"
	"io"
	"slices"
	"syscall"

	"github.com/corobridge/corobridge/stream"
)

// maxRecv bounds what one Recv lends.
const maxRecv = 256 << 10

// Recv returns at most n bytes of input, lent until the callback returns; in a task, until it waits.
// When the peer has gone it calls HandleClose and returns nothing, as it does for an n of 0, and
// returns nothing after Close. If there is nothing now the error is stream.ErrWouldBlock, after a
// hand-over stream.ErrDetached.
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
		return p[:got:got], nil // an error comes again
	case err == io.EOF || disconnected(err):
		return nil, d.handleClose()
	}
	return nil, err
}

// receive fills p as far as there is input. What was read ahead may be less than there is.
func (d *Dispatcher) receive(p []byte) (got int, err error) {
	for got < len(p) && err == nil {
		var n int
		n, err = d.conn.TryRead(p[got:])
		got += n
	}
	return got, err
}

// Send takes as much of p as there is room for, and returns how much that is; p is copied. When the
// peer has gone it calls HandleClose and has taken nothing, as after Close. After a hand-over the
// error is stream.ErrDetached.
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

// absent tells why there is no connection. That the handler was closed is no error: HandleClose has told it.
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
