//go:build unix && !aix

package poll_test

import (
	"fmt"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/testkit"
)

const atOnce = true

// pair is a connection of Unix sockets.
func pair(t *testing.T) (a, b *end) {
	fds := testkit.Must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	a, b = newEnd(t, fds[0]), newEnd(t, fds[1])
	a.unblock()
	b.unblock()
	return a, b
}

func (e *end) unblock() { testkit.Check(unix.SetNonblock(e.fd, true)) }

func tcpPair(t *testing.T) (a, b *end) {
	ln := newSocket(t)
	defer ln.close()
	testkit.Check(unix.Bind(ln.fd, loopback()))
	testkit.Check(unix.Listen(ln.fd, 1))
	a = newSocket(t)
	testkit.Check(unix.Connect(a.fd, testkit.Must(unix.Getsockname(ln.fd))))
	fd, _, err := unix.Accept(ln.fd)
	testkit.Check(err)
	b = newEnd(t, fd)
	a.unblock()
	b.unblock()
	return a, b
}

func newSocket(t *testing.T) *end {
	return newEnd(t, testkit.Must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)))
}

func loopback() unix.Sockaddr { return &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}} }

// connecting begins a connection to a port where nobody listens. It returns what Connect says, and
// how the attempt ends. The port is bound, so nobody else gets it.
func connecting(t *testing.T) (a *end, outcome func() error, begun error) {
	deaf := newSocket(t)
	testkit.Check(unix.Bind(deaf.fd, loopback()))
	a = newSocket(t)
	a.unblock()
	outcome = func() error {
		return syscall.Errno(testkit.Must(unix.GetsockoptInt(a.fd, unix.SOL_SOCKET, unix.SO_ERROR)))
	}
	return a, outcome, unix.Connect(a.fd, testkit.Must(unix.Getsockname(deaf.fd)))
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

func closeDescriptor(fd int) { testkit.Check(unix.Close(fd)) }

func shutdownWrite(e *end) { testkit.Check(unix.Shutdown(e.fd, unix.SHUT_WR)) }

func sendUrgent(e *end) { testkit.Check(unix.Send(e.fd, []byte("!"), unix.MSG_OOB)) }

func reset(e *end) {
	testkit.Check(unix.SetsockoptLinger(e.fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	e.close()
}

// become closes e, whose number then is from's, too.
func (e *end) become(from *end) {
	e.close()
	if fd := testkit.Must(unix.FcntlInt(uintptr(from.fd), unix.F_DUPFD, e.fd)); fd != e.fd {
		panic(fmt.Sprintf("number %d was taken by somebody else", e.fd))
	}
	e.closed = false
}
