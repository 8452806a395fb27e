//go:build unix && !aix

package poll_test

import (
	"fmt"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

const atOnce = true

// pair is a connection of Unix sockets.
func pair(t *testing.T) (a, b *end) {
	fds := must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	a, b = newEnd(t, fds[0]), newEnd(t, fds[1])
	a.unblock()
	b.unblock()
	return a, b
}

func (e *end) unblock() { must0(unix.SetNonblock(e.fd, true)) }

func tcpPair(t *testing.T) (a, b *end) {
	ln := newSocket(t)
	defer ln.close()
	must0(unix.Bind(ln.fd, loopback()))
	must0(unix.Listen(ln.fd, 1))
	a = newSocket(t)
	must0(unix.Connect(a.fd, must(unix.Getsockname(ln.fd))))
	fd, _, err := unix.Accept(ln.fd)
	must0(err)
	b = newEnd(t, fd)
	a.unblock()
	b.unblock()
	return a, b
}

func newSocket(t *testing.T) *end {
	return newEnd(t, must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)))
}

func loopback() unix.Sockaddr { return &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}} }

// connecting returns what Connect says, and how the attempt ends. The port is bound, so nobody else
// gets it.
func connecting(t *testing.T) (a *end, begun error, outcome func() error) {
	deaf := newSocket(t)
	must0(unix.Bind(deaf.fd, loopback()))
	a = newSocket(t)
	a.unblock()
	begun = unix.Connect(a.fd, must(unix.Getsockname(deaf.fd)))
	return a, begun, func() error {
		return syscall.Errno(must(unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)))
	}
}

func read(fd int, p []byte) (int, syscall.Errno) {
	n, err := unix.Read(fd, p)
	return n, errnoOf(err)
}

func write(fd int, p []byte) (int, syscall.Errno) {
	n, err := unix.Write(fd, p)
	return n, errnoOf(err)
}

func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	return err.(syscall.Errno)
}

func closeDescriptor(fd int) { must0(unix.Close(fd)) }

func shutdownWrite(e *end) { must0(unix.Shutdown(e.fd, unix.SHUT_WR)) }

func sendUrgent(e *end) { must0(unix.Send(e.fd, []byte("!"), unix.MSG_OOB)) }

func reset(e *end) {
	must0(unix.SetsockoptLinger(e.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	e.close()
}

// become closes e, whose number then is from's, too.
func (e *end) become(from *end) {
	e.close()
	if fd := must(unix.FcntlInt(uintptr(from.fd), unix.F_DUPFD, e.fd)); fd != e.fd {
		panic(fmt.Sprintf("number %d was taken by somebody else", e.fd))
	}
	e.closed = false
}
