//go:build unix || windows

package stream_test

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// faulty is a kernel whose calls fail as it is told.
type faulty struct {
	world.World
	mu      sync.Mutex
	accepts []syscall.Errno // of the next calls of Accept
	lack    syscall.Errno   // of all calls of Accept after that, while it is not 0
	tries   int             // calls of Accept
	full    atomic.Bool     // Write takes nothing
	broken  atomic.Bool     // Write fails with ENOBUFS
	deaf    atomic.Bool     // no socket listens
}

func (f *faulty) SockoptInt(fd, level, name int) (int, syscall.Errno) {
	if f.deaf.Load() && level == syscall.SOL_SOCKET && name == stream.SOAcceptConn {
		return 0, 0
	}
	return f.World.SockoptInt(fd, level, name)
}

func (f *faulty) Write(fd int, p []byte) (int, syscall.Errno) {
	switch {
	case f.full.Load():
		return 0, syscall.EAGAIN
	case f.broken.Load():
		return 0, syscall.ENOBUFS
	}
	return f.World.Write(fd, p)
}

// fill makes the connections of c's loop take nothing until unblock is called, and writes to c
// until its buffer is full too. It returns what was written.
func fill(c *stream.Conn) (all []byte) {
	if f, ok := faultyOf(c.Loop()); ok {
		f.full.Store(true)
	}
	for n, src := 1, (&numbers{}); n > 0; {
		b := make([]byte, 10_000)
		src.at = len(all)
		src.Read(b)
		n, _ = c.TryWrite(b)
		all = append(all, b[:n]...)
	}
	return all
}

// unblock ends fill.
func unblock(c *stream.Conn) {
	l := c.Loop()
	f, _ := faultyOf(l)
	f.full.Store(false)
	l.CallSoon(func() { stream.BecomesWritable(c) })
}

// faultyOf returns the loop's faulty kernel, if it has one. It also finds one below the faults that
// the environment may ask for.
func faultyOf(l *reactor.Loop) (*faulty, bool) {
	return worldtest.Find[*faulty](loop.From(l.Context()).World())
}

// noFaults keeps a loop whose calls or bytes are counted from what the environment may ask for.
var noFaults = reactor.WithWorld(worldtest.NoFaults)

func newFaulty() *faulty { return &faulty{} }

func (f *faulty) option() reactor.Option { return reactor.WithWorld(worldtest.On(f, &f.World)) }

func (f *faulty) Accept(fd int) (int, world.Addr, syscall.Errno) {
	f.mu.Lock()
	errno := f.lack
	f.tries++
	if len(f.accepts) > 0 {
		errno, f.accepts = f.accepts[0], f.accepts[1:]
	}
	f.mu.Unlock()
	if errno != 0 {
		return -1, world.Addr{}, errno
	}
	return f.World.Accept(fd)
}

// accept makes a call of Accept fail.
func (f *faulty) accept(errno syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepts = append(f.accepts, errno)
}

// lacking makes every call of Accept fail, and accepted tells how many there have been.
func (f *faulty) lacking(errno syscall.Errno) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lack = errno
}

func (f *faulty) accepted() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tries
}

// failing returns how many calls are still to fail.
func (f *faulty) failing() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.accepts)
}

// eachTurn calls fn in each turn of the loop until stop is called. Both are called on the loop.
func eachTurn(l *reactor.Loop, fn func()) (stop func()) {
	stopped := false
	var again func()
	again = func() {
		if !stopped {
			fn()
			l.CallSoon(again)
		}
	}
	l.CallSoon(again)
	return func() { stopped = true }
}

func system() world.World { return world.System() }

// count is for a loop of a kind of poller whose calls are counted.
func count(kind reactor.PollerKind) (*worldtest.Counter, []reactor.Option) {
	n := &worldtest.Counter{}
	return n, []reactor.Option{noFaults, reactor.WithPoller(kind), reactor.WithWorld(n.Layer)}
}

func addr(a netip.AddrPort) world.Addr { return world.Addr{IP: a} }

// statsOf is what the loop has done.
func statsOf(l *reactor.Loop) reactor.Stats {
	s, err := l.Stats(context.Background())
	if err != nil {
		panic(err)
	}
	return s
}
