package poll_test

import (
	"net/netip"
	"syscall"
	"testing"

	"golang.org/x/sys/windows"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

// Sockets of TCP: what one end does arrives a moment later.
const atOnce = false

var k = world.System()

func tcpPair(t *testing.T) (a, b *end) { return pair(t) }

// pair is a connection; a has been accepted, b has connected.
func pair(t *testing.T) (a, b *end) {
	t.Helper()
	p := facility{testkit.Must(poll.New(poll.Poll)), poll.Poll}
	defer p.Close()
	ln, addr := bound(t)
	defer ln.close()
	testkit.OK(k.Listen(ln.fd, 1))
	fd, errno := k.Socket("tcp4", false)
	testkit.OK(errno)
	b = newEnd(t, fd)
	if errno := k.Connect(fd, addr); errno != 0 && errno != syscall.EINPROGRESS {
		panic(errno)
	}
	testkit.Check(p.Add(ln.fd, 1, poll.Readable, poll.Level))
	await(t, p, 1, poll.Readable)
	fd, _, errno = k.Accept(ln.fd)
	testkit.OK(errno)
	testkit.Check(p.Add(b.fd, 2, poll.Writable, poll.Level))
	await(t, p, 2, poll.Writable)
	return newEnd(t, fd), b
}

// bound returns a socket with an address of its own.
func bound(t *testing.T) (*end, world.Addr) {
	fd, errno := k.Socket("tcp4", false)
	testkit.OK(errno)
	e := newEnd(t, fd)
	testkit.OK(k.Bind(fd, world.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")}))
	addr, errno := k.LocalAddr(fd)
	testkit.OK(errno)
	return e, addr
}

// connecting begins a connection to a port where nobody listens. It returns what Connect says, and
// how the attempt ends. The port is bound, so nobody else gets it.
func connecting(t *testing.T) (a *end, outcome func() error, begun error) {
	_, addr := bound(t)
	fd, errno := k.Socket("tcp4", false)
	testkit.OK(errno)
	outcome = func() error {
		const soError = 0x1007
		value, errno := k.SockoptInt(fd, windows.SOL_SOCKET, soError)
		testkit.OK(errno)
		return syscall.Errno(value)
	}
	begun = k.Connect(fd, addr)
	return newEnd(t, fd), outcome, begun
}

func read(fd int, p []byte) (int, syscall.Errno)  { return k.Read(fd, p) }
func write(fd int, p []byte) (int, syscall.Errno) { return k.Write(fd, p) }
func closeDescriptor(fd int)                      { testkit.OK(k.Close(fd)) }
func shutdownWrite(e *end)                        { testkit.OK(k.Shutdown(e.fd, syscall.SHUT_WR)) }

func sendUrgent(e *end) {
	const oob = 1
	one := byte('!')
	var sent uint32
	testkit.Check(windows.WSASend(windows.Handle(e.fd), &windows.WSABuf{Len: 1, Buf: &one}, 1, &sent, oob, nil, nil))
}

func reset(e *end) {
	linger := &windows.Linger{Onoff: 1}
	testkit.Check(windows.SetsockoptLinger(windows.Handle(e.fd), windows.SOL_SOCKET, windows.SO_LINGER, linger))
	e.close()
}
