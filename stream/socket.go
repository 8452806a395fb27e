package stream

import (
	"io"
	"net"
	"net/netip"
	"runtime"
	"syscall"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

// socket is the transport over the descriptor of a stream socket, except for the peer's address.
//
// Its readiness is edge-triggered: an event sets readable or writable, and a transfer that proves
// that the next one would block clears it. While it is clear no system call is made.
//
// A transfer that would block proves that. So does a transfer that is shorter than it was asked to
// be, which saves the call that would block. For writing that is exact. For reading there are four
// exceptions, in which recv(2) stops although more is there:
//
//	at the end    The end, or an error, comes after the bytes, and the event that told of it is
//	              not repeated. See ending.
//	urgent data   recv stops at the urgent mark. The event that tells of the bytes behind it has
//	              Priority too, or is followed by one that has: see urgent. If the urgent data
//	              comes after the event was collected, another event follows.
//	descriptors   On a Unix socket recv stops behind a message that carried descriptors, and no
//	              event tells of the bytes that follow.
//	some kernels  have no event for urgent data: see tellsUrgent.
//
// In these cases the socket reads on until recv would block.
type socket struct {
	loop.Source
	// Guarded by the endpoint's mutex.
	readable bool
	writable bool
	ending   bool // an event told of the peer's end, or of an error; never cleared
	urgent   bool // an event told of urgent data; cleared when recv has nothing left
	unix     bool // set once
	shared   bool // SyscallConn has shown it: there may be duplicates
	lingers  bool // closing it waits
}

// below is how a transport on top of another would find the socket.
func (s *socket) below() *socket { return s }

// tellsUrgent is false where kqueue has no filter for urgent data.
const tellsUrgent = runtime.GOOS != "freebsd" && runtime.GOOS != "netbsd"

func (s *socket) kernel() world.World { return s.Core().World() }

// told notes what an event says, and tells the endpoint. It is called on the loop.
func (s *socket) told(e *endpoint, ev loop.Events) {
	const end = loop.ReadHangup | loop.Hangup | loop.Error
	in := ev&(loop.Readable|loop.Priority|end) != 0
	out := ev&(loop.Writable|loop.Hangup|loop.Error) != 0
	e.lock()
	s.readable = s.readable || in
	s.writable = s.writable || out
	s.ending = s.ending || ev&end != 0
	s.urgent = s.urgent || ev&loop.Priority != 0
	tell := e.tellUrgent(ev)
	e.ready(in, out)
	if tell != nil {
		tell()
	}
}

// shortIsAll reports whether a read that was shorter than asked for has left nothing.
func (s *socket) shortIsAll() bool { return !s.ending && !s.urgent && !s.unix && tellsUrgent }

func (s *socket) read(p []byte) (n int, more bool, err error) {
	for s.readable {
		n, errno := s.kernel().Read(s.FD(), p)
		switch {
		case errno == syscall.EAGAIN && s.urgent: // at the mark a pending signal makes recv say so
			s.urgent = false
		case errno == syscall.EAGAIN:
			s.emptied()
		case errno != 0:
			return 0, false, sysError("read", errno)
		case n == 0:
			return 0, false, io.EOF
		case n < min(len(p), world.MaxTransfer) && s.shortIsAll():
			s.emptied()
			return n, false, nil
		default:
			return n, true, nil
		}
	}
	return 0, false, nil
}

func (s *socket) emptied() {
	s.readable = false
	s.Blocked(loop.Readable)
}

func (s *socket) write(p []byte) (n int, more bool, err error) {
	if !s.writable {
		return 0, false, nil
	}
	n, errno := s.kernel().Write(s.FD(), p)
	switch {
	case errno == syscall.EAGAIN:
		n = 0
	case errno != 0:
		s.readable = true // what came before the error is worth a look
		return 0, false, sysError("write", errno)
	case n == min(len(p), world.MaxTransfer):
		return n, true, nil
	}
	s.writable = false
	s.Blocked(loop.Writable)
	return n, false, nil
}

func (s *socket) flush() (pending bool, err error) { return false, nil }

func (s *socket) closeWrite() error {
	errno := s.kernel().Shutdown(s.FD(), syscall.SHUT_WR)
	if errno == syscall.ENOTCONN { // the peer was faster
		return nil
	}
	return sysError("shutdown", errno)
}

func (s *socket) undelivered() int { return s.kernel().Undelivered(s.FD()) }

func (s *socket) close(reset bool) error {
	if s.shared {
		s.Detach() // a duplicate would keep the registration
	} else {
		s.Closing()
	}
	if s.lingers && !reset && s.closeElsewhere() {
		return nil
	}
	if reset && !s.unix { // a Unix socket knows no reset
		return sysError("close", s.kernel().Reset(s.FD()))
	}
	return sysError("close", s.kernel().Close(s.FD()))
}

// closeElsewhere closes the descriptor in a goroutine, since that waits for the peer.
func (s *socket) closeElsewhere() bool {
	release, err := s.Core().Hold("SO_LINGER of a connection")
	if err != nil { // the loop closes, and waits here
		return false
	}
	s.Core().World().Go(func() {
		defer release()
		s.kernel().Close(s.FD())
	})
	return true
}

func (s *socket) localAddr() net.Addr {
	a, _ := s.kernel().LocalAddr(s.FD())
	return netAddr(a)
}

// tcpEndpoint and unixEndpoint are an endpoint and its socket in one piece of memory, which is what
// an idle connection consists of.
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

func (t *tcpEndpoint) Ready(ev loop.Events)  { t.told(&t.endpoint, ev) }
func (u *unixEndpoint) Ready(ev loop.Events) { u.told(&u.endpoint, ev) }

func (t *tcpEndpoint) remoteAddr() net.Addr  { return netAddr(addr{IP: t.peer}) }
func (u *unixEndpoint) remoteAddr() net.Addr { return netAddr(addr{Path: u.peer}) }

// adopt makes a connection of a descriptor, which it closes if that fails. writable is false while
// the socket is being connected.
func adopt(loop *reactor.Loop, fd int, peer addr, writable bool) (*Conn, error) {
	var err error
	var e *endpoint
	if peer.IP.IsValid() {
		t := &tcpEndpoint{peer: peer.IP}
		e = &t.endpoint
		err = attach(loop, fd, e, &t.socket, t, writable)
	} else {
		u := &unixEndpoint{peer: peer.Path}
		u.unix = true
		e = &u.endpoint
		err = attach(loop, fd, e, &u.socket, u, writable)
	}
	if err != nil {
		coreOf(loop).World().Close(fd)
		return nil, err
	}
	return newConn(e), nil
}

// socketEndpoint is a tcpEndpoint or a unixEndpoint.
type socketEndpoint interface {
	transport
	loop.ReadyHandler
}

func attach(loop *reactor.Loop, fd int, e *endpoint, s *socket, t socketEndpoint, writable bool) error {
	e.transport, e.streams = t, streamsOf(loop)
	s.writable, e.mayWrite = writable, writable
	e.lock() // the first event may come before this is done
	defer e.unlock()
	if err := e.streams.add(e); err != nil {
		return err
	}
	err := s.Attach(e.streams.core, fd, t)
	if err != nil {
		e.closed = true
		e.streams.remove(e)
	}
	return err
}
