package stream

import "net"

// transport is what carries the bytes of a connection, and what knows when it can. The endpoint
// above it holds buffers and turns, and asks again when the transport says that there is a point in
// it. A transport is a socket, one end of a Pipe, or what encrypts on top of one.
//
// All methods except remoteAddr are called with the endpoint's mutex held, on any goroutine. None
// of them waits.
//
// A transfer ends in one of four ways:
//
//	n > 0, more    n bytes were moved. Come back at once, as often as you like: perhaps there
//	               is more, and no call of ready announces it.
//	n > 0, !more   n bytes were moved, and nothing can be moved now. The transport calls ready
//	               when that changes.
//	n = 0, no err  Nothing can be moved now (more is false). The transport calls ready when
//	               that changes.
//	err            n bytes were moved, and then this direction ended. For reading, io.EOF is the
//	               ordinary end.
//
// "Calls ready" means the endpoint's method of that name, on the loop. A call too many costs one
// transfer that moves nothing; one too few makes a connection hang for ever. Only the transport
// knows what a short transfer means: whether the next one would move nothing (a socket's usually
// would), or whether more lies ready (what is decrypted comes a record at a time). A transport on
// top of another does not keep the other's more for later: ready may have been called since.
type transport interface {
	// read moves bytes into p, which is not empty. What it owes the peer because of them it sends
	// itself, or flush does.
	read(p []byte) (n int, more bool, err error)
	// write takes bytes from p, which is not empty, and keeps no reference to it.
	write(p []byte) (n int, more bool, err error)
	// flush sends what write and closeWrite have taken and the transport still holds. If something
	// is left, pending is true, and the transport calls ready for writing when flush should be
	// tried again. The endpoint calls it after each write and closeWrite, with each ready for
	// writing, and before it closes. A socket holds nothing.
	flush() (pending bool, err error)
	// closeWrite ends the stream for the peer, after everything that write has taken.
	closeWrite() error
	// undelivered returns how many bytes write has taken and the peer has not, as far as that is
	// known. It is asked for to see whether a slow peer takes anything at all.
	undelivered() int
	// close ends both directions at once, and frees everything. reset says that bytes are missing
	// which the peer waits for: then it sees a reset in place of the end, if there is a way to tell
	// it. What the transport has not delivered may be dropped.
	close(reset bool) error
	localAddr() net.Addr
	// remoteAddr may be called at any time, without the mutex, and after close.
	remoteAddr() net.Addr
}
