//go:build linux

package stream_test

import (
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/poll/polltest"
	"github.com/corobridge/corobridge/internal/seam"
	"github.com/corobridge/corobridge/internal/seam/seamtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// faulty is a kernel whose calls fail as it is told.
type faulty struct {
	seam.Kernel
	accepts chan syscall.Errno // of the next calls of Accept
	full    atomic.Bool        // Write takes nothing
}

func (f *faulty) Write(fd int, p []byte) (int, syscall.Errno) {
	if f.full.Load() {
		return 0, syscall.EAGAIN
	}
	return f.Kernel.Write(fd, p)
}

// fill makes the connections of c's loop take nothing until unblock is called, and writes to c until that takes no more. It
// returns what was written.
func fill(c *stream.Conn) (all []byte) {
	if f, ok := c.Loop().Kernel().(*faulty); ok {
		f.full.Store(true)
	}
	for n, src := 1, (&numbers{}); n > 0; {
		b := make([]byte, 10_000)
		src.at = uint32(len(all))
		src.Read(b)
		n, _ = c.TryWrite(b)
		all = append(all, b[:n]...)
	}
	return all
}

// unblock ends fill.
func unblock(c *stream.Conn) {
	l := c.Loop()
	l.Kernel().(*faulty).full.Store(false)
	l.CallSoon(func() { stream.BecomesWritable(c) })
}

func newFaulty() *faulty { return &faulty{Kernel: system(), accepts: make(chan syscall.Errno, 100)} }

func (f *faulty) option() reactor.Option { return func(c *seam.Config) { c.Kernel = f } }

func (f *faulty) Accept(fd int) (int, seam.Addr, syscall.Errno) {
	select {
	case errno := <-f.accepts:
		return -1, seam.Addr{}, errno
	default:
		return f.Kernel.Accept(fd)
	}
}

func system() seam.Kernel {
	k, err := seam.System()
	if err != nil {
		panic(err)
	}
	return k
}

// counters count the system calls of a loop.
type counters struct {
	kernel *seamtest.Counter
	poller *polltest.Counter
}

func count(kind reactor.PollerKind) (*counters, reactor.Option) {
	n := &counters{kernel: seamtest.Count(system())}
	return n, func(c *seam.Config) {
		c.Kernel = n.kernel
		c.Poller = func() (poll.Poller, error) {
			p, err := poll.New(kind)
			if err == nil {
				n.poller = polltest.Count(p)
			}
			return n.poller, err
		}
	}
}

func addr(a netip.AddrPort) seam.Addr { return seam.Addr{IP: a} }
