//go:build linux

package stream_test

import (
	"context"
	"math"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// flooded is a kernel with endless input on each connection, which takes its time.
type flooded struct {
	world.World
	clock *testkit.Clock
	on    bool
	bytes int // read since the loop last looked for events
	most  int
}

// perTransfer is what a kernel takes for 256 KiB.
const perTransfer = 60 * time.Microsecond

func (f *flooded) Read(fd int, p []byte) (int, syscall.Errno) {
	if !f.on {
		return f.World.Read(fd, p)
	}
	f.bytes += len(p)
	f.clock.Advance(perTransfer * time.Duration(len(p)) / world.MaxTransfer)
	return len(p), 0
}

func (f *flooded) looked(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
	f.most, f.bytes = max(f.most, f.bytes), 0
	return p.Wait(into, d)
}

// Eight clients flood a handler that reads 256 KiB at a time. It is counted in bytes: a millisecond
// is about 4 MiB.
func TestFloodsLetTimersAndEventsComeInTime(t *testing.T) {
	const clients, most = 8, 8 << 20
	handlers := map[string]func(l *reactor.Loop, c *stream.Conn){
		"tasks": func(l *reactor.Loop, c *stream.Conn) {
			task.Spawn(l.Context(), func(ctx context.Context) error {
				buf := make([]byte, 256<<10)
				for {
					if _, err := c.Read(ctx, buf); err != nil {
						return nil // it was aborted
					}
				}
			})
		},
		"tasks with a context of package context": func(l *reactor.Loop, c *stream.Conn) {
			task.Spawn(l.Context(), func(ctx context.Context) error {
				ctx, cancel := context.WithCancel(ctx)
				defer cancel()
				c.Discard(ctx, math.MaxInt)
				return nil
			})
		},
		"OnReady": func(l *reactor.Loop, c *stream.Conn) {
			buf := make([]byte, 256<<10)
			var ready func()
			ready = func() {
				if _, err := c.TryRead(buf); err == nil {
					l.CallSoon(ready)
				}
			}
			c.OnReady(ready)
			l.CallSoon(ready)
		},
	}
	for name, handle := range handlers {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			clock := &testkit.Clock{}
			f := &flooded{clock: clock}
			l := startLoop(t, clock.Option(), testkit.WithWait(f.looked),
				reactor.WithWorld(func(w world.World) world.World { return worldtest.On(f, &f.World)(worldtest.NoFaults(w)) }))
			var conns []*stream.Conn
			for range clients {
				c, peer := overUnix.open(t, l)
				peer.Write([]byte("x"))
				conns = append(conns, c)
			}
			fired, latest := 0, time.Duration(0)
			over := make(chan struct{})
			testkit.OnLoop(t, l, func() {
				f.on, f.most = true, 0
				for _, c := range conns {
					handle(l, c)
				}
				due := clock.Now()
				var again func()
				again = func() {
					latest = max(latest, clock.Now()-due)
					if fired++; fired == 100 {
						for _, c := range conns {
							c.Abort()
						}
						close(over)
						return
					}
					due = clock.Now() + time.Millisecond
					l.CallLater(time.Millisecond, again)
				}
				again()
			})
			<-over
			if f.most > most {
				t.Errorf("%d MiB were read between two looks for events, want at most %d", f.most>>20, most>>20)
			}
			if bound := 2 * time.Millisecond; latest > bound {
				t.Errorf("a timer was %v late, want at most %v", latest, bound)
			}
			testkit.Check(l.Close())
		})
	}
}
