package channel

import (
	"errors"
	"io"
	"slices"
	"syscall"

	"github.com/corobridge/corobridge/stream"
)

// maxRecv bounds what one Recv lends.
const maxRecv = 256 << 10

// Recv returns at most n bytes, lent until the callback returns. At the end of the stream, and when the peer is gone, it
// calls HandleClose and returns nothing. ErrWouldBlock tells that there is nothing now.
func (c *Channel) Recv(n int) ([]byte, error) {
	if c.conn == nil {
		return nil, c.absent()
	}
	if n <= 0 { // recv(0) is b'', which asyncore takes for the end
		return nil, c.HandleClose()
	}
	n = min(n, maxRecv)
	s := c.set
	start := len(s.scratch)
	s.scratch = slices.Grow(s.scratch, n)
	p := s.scratch[start : start+n : start+n]
	got, err := c.receive(p)
	s.scratch = s.scratch[:start+got]
	switch {
	case got > 0:
		return p[:got:got], nil // an error comes again
	case err == io.EOF || disconnected(err):
		return nil, c.HandleClose()
	}
	return nil, err
}

// receive fills p as far as there is input. What was read ahead may be less than there is.
func (c *Channel) receive(p []byte) (got int, err error) {
	for got < len(p) && err == nil {
		var n int
		n, err = c.conn.TryRead(p[got:])
		got += n
	}
	return got, err
}

// Send takes as much of p as there is room for, and returns how much that is. When the peer is gone it calls HandleClose, and
// has taken nothing.
func (c *Channel) Send(p []byte) (int, error) {
	if c.conn == nil {
		return 0, c.absent()
	}
	n, err := c.conn.TryWrite(p)
	switch {
	case err == nil || err == stream.ErrWouldBlock:
		return n, nil
	case disconnected(err):
		return 0, c.HandleClose()
	}
	return n, err
}

// absent tells why there is no connection. That the handler was closed is no error: HandleClose has told it.
func (c *Channel) absent() error {
	if c.lost == nil && !c.closed {
		return ErrNoConnection
	}
	return c.lost
}

// disconnected reports whether an error means that the peer, or the connection, is gone: asyncore's _DISCONNECTED.
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
