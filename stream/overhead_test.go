//go:build linux

package stream_test

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// idleWorld is a kernel and a poller that cost nothing. It has conns connections. Each is readable
// in every poll, and every read brings one message, until requests of them have been answered. The
// time of a request is then the library's own share.
type idleWorld struct {
	world.World
	conns, requests int
	sockets         []byte // what the kernel would look at of each

	accepted int
	fds      int
	order    []uint64 // the connections' tags
	next     int      // in order
	listener uint64
	writes   int
	sum      byte // of what it has looked at
	stop     func()
}

func (w *idleWorld) Socket(string, bool) (int, syscall.Errno) { w.fds++; return w.fds, 0 }
func (w *idleWorld) Bind(int, world.Addr) syscall.Errno       { return 0 }
func (w *idleWorld) Listen(int, int) syscall.Errno            { return 0 }
func (w *idleWorld) Close(int) syscall.Errno                  { return 0 }
func (w *idleWorld) SetSockoptInt(int, int, int, int) syscall.Errno {
	return 0
}
func (w *idleWorld) LocalAddr(int) (world.Addr, syscall.Errno) {
	return world.Addr{IP: netip.MustParseAddrPort("127.0.0.1:1")}, 0
}

func (w *idleWorld) Accept(int) (int, world.Addr, syscall.Errno) {
	if w.accepted == w.conns {
		return 0, world.Addr{}, syscall.EAGAIN
	}
	w.accepted++
	w.fds++
	return w.fds, world.Addr{IP: netip.MustParseAddrPort("127.0.0.1:2")}, 0
}

func (w *idleWorld) Read(fd int, p []byte) (int, syscall.Errno) {
	w.touch(fd)
	return copy(p, message[:]), 0
}

// A socket's state, and how much of it a transfer touches: sixty lines in as many sets of a cache.
const (
	socketSize = 64 << 10
	stride     = 1024 + 64
)

func (w *idleWorld) touch(fd int) {
	if w.sockets == nil {
		return
	}
	s := w.sockets[fd%w.conns*socketSize:][:socketSize]
	for i := 0; i < len(s); i += stride {
		w.sum += s[i]
	}
}

func (w *idleWorld) Write(fd int, p []byte) (int, syscall.Errno) {
	w.touch(fd)
	if w.writes++; w.writes == w.requests {
		w.stop()
	}
	return len(p), 0
}

var message [64]byte

// The poller.

func (w *idleWorld) Add(fd int, tag uint64, _ poll.Events, _ poll.Mode) error {
	if fd == 1 {
		w.listener = tag
	} else {
		w.order = append(w.order, tag)
	}
	return nil
}
func (w *idleWorld) Modify(int, uint64, poll.Events, poll.Mode) error { return nil }
func (w *idleWorld) Remove(int) error                                 { return nil }
func (w *idleWorld) Rearm(int, poll.Events)                           {}
func (w *idleWorld) NeedsRearm() bool                                 { return false }
func (w *idleWorld) KeepsProcessor() bool                             { return false }
func (w *idleWorld) ForgetsClosed() bool                              { return true }
func (w *idleWorld) Wake() error                                      { return nil }

func (w *idleWorld) Wait(into []poll.Event, _ time.Duration) (int, error) {
	if w.accepted < w.conns {
		into[0] = poll.Event{Tag: w.listener, Events: poll.Readable}
		return 1, nil
	}
	n := min(len(into), len(w.order))
	for i := range n {
		into[i] = poll.Event{Tag: w.order[w.next], Events: poll.Readable}
		w.next = (w.next + 1) % len(w.order)
	}
	return n, nil
}

// poller is the world's Poller, whose Close is not the Kernel's.
type idlePoller struct{ *idleWorld }

func (idlePoller) Close() error { return nil }

// BenchmarkOwnShare measures what the library itself spends on a request of an echo server, without
// a kernel. A second row has a kernel that only pushes everything else out of the caches, as a real
// one does; kernel-ns/op is the time that takes.
func BenchmarkOwnShare(b *testing.B) {
	for _, conns := range []int{1, 64, 1000} {
		b.Run(fmt.Sprintf("conns=%d", conns), func(b *testing.B) { benchmarkOwnShare(b, &idleWorld{conns: conns}) })
	}
	for _, conns := range []int{64, 1000} {
		b.Run(fmt.Sprintf("cold/conns=%d", conns), func(b *testing.B) {
			w := &idleWorld{conns: conns, sockets: make([]byte, conns*socketSize)}
			for fd := range conns {
				w.touch(fd)
			}
			start := time.Now()
			for i := range b.N {
				w.touch(i % conns)
				w.touch(i % conns)
			}
			alone := float64(time.Since(start).Nanoseconds()) / float64(b.N)
			benchmarkOwnShare(b, w)
			b.ReportMetric(alone, "kernel-ns/op")
		})
	}
}

func benchmarkOwnShare(b *testing.B, w *idleWorld) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.requests, w.stop = b.N, cancel
	b.ReportAllocs()
	b.ResetTimer()
	err := task.Run(ctx, func(ctx context.Context) error {
		return stream.ListenAndServe(ctx, "tcp", "127.0.0.1:0", func(ctx context.Context, c *stream.Conn) error {
			_, err := stream.Copy(ctx, c, c)
			return err
		})
	}, task.WithSignals(), task.WithLoopOptions(
		reactor.WithWorld(worldtest.On(w, &w.World)),
		reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller {
			p.Close()
			return idlePoller{w}
		}))))
	if err != nil {
		b.Fatal(err)
	}
}
