package reactor_test

import (
	"net/netip"
	"syscall"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

// pair2 is pair without a test's cleanup. On loopback nearly everything arrives at once.
func pair2() (a, b *end) {
	k := kernel()
	socket := func() *end {
		fd, errno := k.Socket("tcp4", false)
		testkit.OK(errno)
		return &end{fd: fd}
	}
	ln := socket()
	defer ln.close()
	testkit.OK(k.Bind(ln.fd, world.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")}))
	testkit.OK(k.Listen(ln.fd, 1))
	addr, errno := k.LocalAddr(ln.fd)
	testkit.OK(errno)
	b = socket()
	if errno := k.Connect(b.fd, addr); errno != syscall.EINPROGRESS {
		testkit.OK(errno)
	}
	p := testkit.Must(poll.New(poll.Auto))
	defer p.Close()
	testkit.Check(p.Add(ln.fd, 1, poll.Readable, poll.Level))
	for testkit.Must(p.Wait(make([]poll.Event, 1), -1)) == 0 {
	}
	fd, _, errno := k.Accept(ln.fd)
	testkit.OK(errno)
	a = &end{fd: fd}
	testkit.Check(p.Remove(ln.fd))
	testkit.Check(p.Add(b.fd, 2, poll.Writable, poll.Level))
	for testkit.Must(p.Wait(make([]poll.Event, 1), -1)) == 0 {
	}
	return a, b
}
