package reactor_test

import (
	"net/netip"
	"syscall"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
)

// pair2 is pair without a test's cleanup. On loopback nearly everything arrives at once.
func pair2() (a, b *end) {
	k := kernel()
	socket := func() *end {
		fd, errno := k.Socket("tcp4", false)
		ok(errno)
		return &end{fd: fd}
	}
	ln := socket()
	defer ln.close()
	ok(k.Bind(ln.fd, world.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")}))
	ok(k.Listen(ln.fd, 1))
	addr, errno := k.LocalAddr(ln.fd)
	ok(errno)
	b = socket()
	if errno := k.Connect(b.fd, addr); errno != syscall.EINPROGRESS {
		ok(errno)
	}
	p := must(poll.New(poll.Auto))
	defer p.Close()
	must0(p.Add(ln.fd, 1, poll.Readable, poll.Level))
	for must(p.Wait(make([]poll.Event, 1), -1)) == 0 {
	}
	fd, _, errno := k.Accept(ln.fd)
	ok(errno)
	a = &end{fd: fd}
	must0(p.Remove(ln.fd))
	must0(p.Add(b.fd, 2, poll.Writable, poll.Level))
	for must(p.Wait(make([]poll.Event, 1), -1)) == 0 {
	}
	return a, b
}
