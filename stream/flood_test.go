//go:build linux

package stream_test

import (
	"context"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// firehose is a kernel with endless input on one descriptor. It takes whatever is written to it.
type firehose struct {
	world.World
	fd        atomic.Int64
	transfers int // of that descriptor, on the loop
}

func (f *firehose) option() reactor.Option {
	f.fd.Store(-1)
	return reactor.WithWorld(func(w world.World) world.World {
		return worldtest.On(f, &f.World)(worldtest.NoFaults(w))
	})
}

func (f *firehose) Read(fd int, p []byte) (int, syscall.Errno) {
	if int64(fd) != f.fd.Load() {
		return f.World.Read(fd, p)
	}
	f.transfers++
	for i := range p {
		p[i] = "x\n"[i%2]
	}
	return len(p), 0
}

func (f *firehose) Write(fd int, p []byte) (int, syscall.Errno) {
	if int64(fd) != f.fd.Load() {
		return f.World.Write(fd, p)
	}
	f.transfers++
	return len(p), 0
}

func (f *firehose) Writev(fd int, bufs [][]byte) (n int, errno syscall.Errno) {
	if int64(fd) != f.fd.Load() {
		return f.World.Writev(fd, bufs)
	}
	f.transfers++
	for _, b := range bufs {
		n += len(b)
	}
	return n, 0
}

// While one connection is flooded, another that becomes ready is served within 65 turns. The loop
// looks for events after 64 items at the latest, so it notices the event then, and the task runs in
// the next turn. In each of these turns the flood gets 16 transfers or 128 operations, whichever
// are fewer. docs/design.md says so.
func TestUnderAFloodOnOneConnectionAReadyOneIsServed(t *testing.T) {
	const (
		mostTurns      = 64 + 1
		mostTransfers  = 16
		mostOperations = 128
	)
	buf := make([]byte, 64<<10)
	for name, op := range map[string]func(ctx context.Context, c *stream.Conn) error{
		"Read":       func(ctx context.Context, c *stream.Conn) error { _, err := c.Read(ctx, buf); return err },
		"small Read": func(ctx context.Context, c *stream.Conn) error { _, err := c.Read(ctx, buf[:1]); return err },
		"ReadLine":   func(ctx context.Context, c *stream.Conn) error { _, err := c.ReadLine(ctx); return err },
		"Discard":    func(ctx context.Context, c *stream.Conn) error { _, err := c.Discard(ctx, 100_000); return err },
		"Write":      func(ctx context.Context, c *stream.Conn) error { _, err := c.Write(ctx, buf); return err },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			hose := &firehose{}
			l := startLoop(t, hose.option())
			flooded, source := overUnix.open(t, l)
			quiet, peer := overUnix.open(t, l)

			type count struct{ turns, transfers, operations int }
			var now, before, after count
			look := func() count { now.turns, now.transfers = int(statsOf(l).Turns), hose.transfers; return now }
			served := make(chan struct{})
			reader := task.Spawn(l.Context(), func(ctx context.Context) error {
				_, err := quiet.Read(ctx, make([]byte, 1))
				after = look()
				close(served)
				return err
			})
			testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(quiet) })

			hose.fd.Store(int64(stream.FD(flooded)))
			flood := task.Spawn(l.Context(), func(ctx context.Context) error {
				for {
					if now.operations++; now.operations == 1000 {
						before = look()
						peer.Write([]byte("x")) // a local socket: it has arrived when this returns
					}
					select {
					case <-served:
						return nil
					default:
					}
					if before.turns > 0 && now.operations > 1000+1000*mostOperations {
						t.Errorf("%d operations passed in a flood, want at most %d", now.operations, 1000+1000*mostOperations)
						peer.Close()
						return nil
					}
					if err := op(ctx, flooded); err != nil {
						return err
					}
				}
			})
			source.Write([]byte("x"))
			for _, tk := range []*task.Task[struct{}]{flood, reader} {
				if _, err := tk.Await(context.Background()); err != nil {
					t.Error(err)
				}
			}
			if n := after.turns - before.turns; n > mostTurns {
				t.Errorf("it was served after %d turns, want at most %d", n, mostTurns)
			}
			if n := after.transfers - before.transfers; n > mostTurns*mostTransfers+2*mostTransfers {
				t.Errorf("%d transfers of the other came first, want at most %d a turn", n, mostTransfers)
			}
			if n := after.operations - before.operations; n > mostTurns*mostOperations+2*mostOperations {
				t.Errorf("%d operations of the other came first, want at most %d a turn", n, mostOperations)
			}
		})
	}
}
