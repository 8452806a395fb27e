//go:build unix

package world_test

import (
	"fmt"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

// faultyWorld returns a world with faults, its poller, and a connection.
func faultyWorld(t *testing.T, kind poll.Kind, f world.Faults) (w world.World, p poll.Poller, a, b int) {
	t.Helper()
	testkit.Guard(t)
	w = f.Around(world.System())
	p, err := w.OpenPoller(kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	a, b = pair(t)
	return w, p, a, b
}

// A caller that waits after EAGAIN and after a transfer that fell short, as an edge-triggered
// poller asks, gets everything through.
func TestTheFaultsKeepEdgesAlive(t *testing.T) {
	for _, kind := range poll.Kinds() {
		for _, f := range []world.Faults{{EAGAIN: 0.6}, {Short: 0.9}, {EINTR: 0.6}, {EAGAIN: 0.4, Short: 0.6, EINTR: 0.3}} {
			for _, size := range []int{1, 100, 100_000} {
				t.Run(fmt.Sprintf("%v, %+v, %d bytes", kind, f, size), func(t *testing.T) {
					k, p, a, b := faultyWorld(t, kind, f)
					const readerTag, writerTag = 1, 2
					if err := p.Add(a, readerTag, poll.Readable|poll.Writable, poll.Edge); err != nil {
						t.Fatal(err)
					}
					if err := p.Add(b, writerTag, poll.Readable|poll.Writable, poll.Edge); err != nil {
						t.Fatal(err)
					}
					sent := strings.Repeat("x", size)
					var got []byte
					readable, writable := false, false
					buf, into := make([]byte, 1<<16), make([]poll.Event, 1)
					for len(got) < size {
						for writable && len(sent) > 0 {
							piece := sent[:min(len(sent), 5000)]
							n, errno := k.Write(b, []byte(piece))
							sent = sent[n:]
							if writable = n == len(piece); !writable {
								p.Rearm(b, poll.Writable)
							}
							if errno != 0 && errno != syscall.EAGAIN {
								t.Fatalf("Write: %v, want %v at most", errno, syscall.EAGAIN)
							}
						}
						for readable {
							n, errno := k.Read(a, buf)
							got = append(got, buf[:n]...)
							if readable = n == len(buf); !readable {
								p.Rearm(a, poll.Readable)
							}
							if errno != 0 && errno != syscall.EAGAIN {
								t.Fatalf("Read: %v, want %v at most", errno, syscall.EAGAIN)
							}
						}
						if len(got) == size {
							break
						}
						n, err := p.Wait(into, time.Minute) // the guard is faster
						if err != nil {
							t.Fatal(err)
						}
						for _, e := range into[:n] {
							readable = readable || e.Tag == readerTag && e.Events&poll.Readable != 0
							writable = writable || e.Tag == writerTag && e.Events&poll.Writable != 0
						}
					}
				})
			}
		}
	}
}

// A fault that another goroutine meets ends a wait that has begun.
func TestAFaultEndsAWaitThatIsUnderWay(t *testing.T) {
	for _, kind := range poll.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			k, p, a, _ := faultyWorld(t, kind, world.Faults{EAGAIN: 0.5, Seed: 1})
			if err := p.Add(a, 1, poll.Readable|poll.Writable, poll.Edge); err != nil {
				t.Fatal(err)
			}
			into := make([]poll.Event, 8)
			for n := 1; n > 0; { // the first readiness
				var err error
				if n, err = p.Wait(into, 0); err != nil {
					t.Fatal(err)
				}
			}
			var wait sync.WaitGroup
			wait.Go(func() {
				for {
					n, err := p.Wait(into, time.Minute)
					if err != nil {
						t.Error(err)
					}
					if n > 0 {
						return
					}
				}
			})
			for {
				if _, errno := k.Write(a, []byte("x")); errno == syscall.EAGAIN {
					break
				}
			}
			p.Rearm(a, poll.Writable)
			wait.Wait()
			if into[0] != (poll.Event{Tag: 1, Events: poll.Writable}) {
				t.Errorf("told %+v, want %+v", into[0], (poll.Event{Tag: 1, Events: poll.Writable}))
			}
		})
	}
}

// Once a descriptor is closed or removed, no event of it is owed any more, and none to the next
// owner of its number.
func TestNothingIsOwedToAClosedDescriptor(t *testing.T) {
	ways := map[string]func(k world.Kernel, p poll.Poller, fd int){
		"closed":  func(k world.Kernel, _ poll.Poller, fd int) { k.Close(fd) },
		"removed": func(_ world.Kernel, p poll.Poller, fd int) { p.Remove(fd) },
		"made level-triggered": func(_ world.Kernel, p poll.Poller, fd int) {
			p.Modify(fd, 1, poll.Readable, poll.Level)
		},
	}
	for name, leave := range ways {
		t.Run(name, func(t *testing.T) {
			k, p, a, b := faultyWorld(t, poll.Auto, world.Faults{EAGAIN: 0.5, Seed: 1})
			if err := p.Add(a, 1, poll.Readable, poll.Edge); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				k.Read(a, make([]byte, 1))
			}
			if n, err := p.Wait(make([]poll.Event, 8), 0); n != 1 || err != nil {
				t.Errorf("owed: %d, %v; want 1 and nil", n, err)
			}
			for range 20 {
				k.Read(a, make([]byte, 1))
			}
			leave(k, p, a)
			if name == "closed" {
				if n, err := unix.Dup(b); n != a || err != nil { // the next owner of the number
					t.Fatalf("Dup: %d, %v; want %d and nil", n, err, a)
				}
			}
			if n, err := p.Wait(make([]poll.Event, 8), 0); n != 0 || err != nil {
				t.Errorf("after that: %d, %v; want 0 and nil", n, err)
			}
		})
	}
}
