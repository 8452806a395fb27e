package stream

import (
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
	localAddr() seam.Addr
}

// socket is the transport over a descriptor.
type socket struct {
	kernel seam.Kernel
	source *reactor.Source
	fd     int
}

func (s *socket) read(p []byte) (int, syscall.Errno)  { return s.kernel.Read(s.fd, p) }
func (s *socket) write(p []byte) (int, syscall.Errno) { return s.kernel.Write(s.fd, p) }
func (s *socket) blocked(dir reactor.Events)          { s.source.Blocked(dir) }
func (s *socket) closeWrite() syscall.Errno           { return s.kernel.Shutdown(s.fd, syscall.SHUT_WR) }

func (s *socket) close() syscall.Errno {
	s.source.Closing()
	return s.kernel.Close(s.fd)
}

func (s *socket) localAddr() seam.Addr {
	a, _ := s.kernel.LocalAddr(s.fd)
	return a
}
