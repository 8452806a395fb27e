package stream

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/corobridge/corobridge/internal/seam"
	"github.com/corobridge/corobridge/reactor"
)

// transport is what carries the bytes of a connection. Its methods are called with the connection's mutex held, and none
// of them waits.
//
// Readiness is edge-triggered: after a change for the better, the transport calls the endpoint's Ready on the loop. A transfer
// that would block, or is shorter than asked for, says that the next one waits for such a call.
type transport interface {
	// read returns 0, 0 at the end of the stream, and EAGAIN when there is nothing yet.
	read(p []byte) (int, syscall.Errno)
	// write returns how much was taken, and EAGAIN when nothing was.
	write(p []byte) (int, syscall.Errno)
	// blocked tells that a direction has been seen to block.
	blocked(dir reactor.Events)
	// closeWrite ends the stream for the peer.
	closeWrite() syscall.Errno
	// close ends both directions, and frees everything.
	close() syscall.Errno
	localAddr() net.Addr
	// remoteAddr may be called at any time, without the mutex.
	remoteAddr() net.Addr
}

// socket is the transport over a descriptor, but for the peer's address.
type socket struct{ reactor.Source }

func (s *socket) kernel() seam.Kernel { return s.Loop().Kernel() }

func (s *socket) read(p []byte) (int, syscall.Errno)  { return s.kernel().Read(s.FD(), p) }
func (s *socket) write(p []byte) (int, syscall.Errno) { return s.kernel().Write(s.FD(), p) }
func (s *socket) blocked(dir reactor.Events)          { s.Blocked(dir) }
func (s *socket) closeWrite() syscall.Errno           { return s.kernel().Shutdown(s.FD(), syscall.SHUT_WR) }

func (s *socket) close() syscall.Errno {
	s.Closing()
	return s.kernel().Close(s.FD())
}

func (s *socket) localAddr() net.Addr {
	a, _ := s.kernel().LocalAddr(s.FD())
	return netAddr(a)
}

// tcpEndpoint and unixEndpoint are an endpoint and its socket in one piece of memory, which is what an idle connection
// consists of.
type (
	tcpEndpoint struct {
		socket // first, since the loop has fetched what follows a Source
		endpoint
		peer netip.AddrPort
	}
	unixEndpoint struct {
		socket
		endpoint
		peer string
	}
)

func (t *tcpEndpoint) remoteAddr() net.Addr  { return netAddr(addr{IP: t.peer}) }
func (u *unixEndpoint) remoteAddr() net.Addr { return netAddr(addr{Path: u.peer}) }

// adopt makes a connection of a descriptor, which it closes if that fails.
func adopt(loop *reactor.Loop, fd int, peer addr, writable bool) (*Conn, error) {
	var e *endpoint
	var s *socket
	if peer.IP.IsValid() {
		t := &tcpEndpoint{peer: peer.IP}
		e, s = &t.endpoint, &t.socket
		e.transport = t
	} else {
		u := &unixEndpoint{peer: peer.Path}
		e, s = &u.endpoint, &u.socket
		e.transport = u
	}
	e.writable = writable
	if err := s.attach(loop, fd, e); err != nil {
		loop.Kernel().Close(fd)
		return nil, err
	}
	return newConn(e), nil
}

func (s *socket) attach(loop *reactor.Loop, fd int, e *endpoint) error {
	e.streams = streamsOf(loop)
	e.lock() // the first event may come before this is done
	defer e.unlock()
	if err := e.streams.add(e); err != nil {
		return err
	}
	err := s.Attach(loop, fd, e)
	if err != nil {
		e.closed = true
		e.streams.remove(e)
	}
	return err
}
