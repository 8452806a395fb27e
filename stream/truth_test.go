//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
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

// The ways in which a connection ends with bytes that were taken and can't be delivered.
var losses = map[string]func(ctx context.Context, c *stream.Conn){
	"Abort": func(_ context.Context, c *stream.Conn) { c.Abort() },
	"Close that gives up": func(_ context.Context, c *stream.Conn) {
		c.SetCloseTimeout(time.Millisecond)
		c.Close()
	},
	"Close that does not wait": func(_ context.Context, c *stream.Conn) {
		c.SetCloseTimeout(0)
		c.Close()
	},
	"Close that is told to give up": func(_ context.Context, c *stream.Conn) {
		c.Close()
		c.SetCloseTimeout(0)
	},
	"CloseWrite given up, then Close": func(ctx context.Context, c *stream.Conn) {
		c.SetCloseTimeout(time.Millisecond)
		short, cancel := context.WithCancel(ctx)
		cancel()
		c.CloseWrite(short)
		c.Close()
	},
	"the loop's end": func(_ context.Context, c *stream.Conn) { c.Loop().Close() },
}

// eachLoss runs f for every way of ending, and every combination. A Pipe's other end belongs to the
// same loop, so what it sees of the loop's end is its own.
func eachLoss(t *testing.T, f func(t *testing.T, w way, end func(ctx context.Context, c *stream.Conn))) {
	for name, end := range losses {
		t.Run(name, func(t *testing.T) {
			eachWay(t, func(t *testing.T, w way) {
				if name != "the loop's end" || !strings.Contains(t.Name(), "/pipe/") {
					f(t, w, end)
				}
			})
		})
	}
}

func TestWhatWasNotDeliveredIsNotFollowedByAnOrderlyEnd(t *testing.T) {
	eachLoss(t, func(t *testing.T, w way, end func(ctx context.Context, c *stream.Conn)) {
		c, p := w.open(t, w.loop)
		sent := fill(c)
		end(w.loop.Context(), c)
		if err := c.WaitClosed(context.Background()); err == nil {
			t.Error("WaitClosed = nil, want an error: bytes are missing")
		}
		got, err := io.ReadAll(p)
		if len(got) >= len(sent) || !bytes.HasPrefix(sent, got) {
			t.Errorf("the peer read %d bytes of %d, want a part of them, from the first", len(got), len(sent))
		}
		want := error(syscall.ECONNRESET)
		if strings.Contains(t.Name(), "/unix/") { // which knows no reset
			want = nil
		}
		if !errors.Is(err, want) {
			t.Errorf("the peer read %v at the end, want %v", err, want)
		}
	})
}

// Bytes that a write error has dropped are missing, whatever comes later.
func TestAFailedWriteIsNotFollowedByAnOrderlyEnd(t *testing.T) {
	l := startLoop(t)
	c, p := overTCP.open(t, l)
	fill(c)
	k, _ := faultyOf(l)
	k.broken.Store(true)
	unblock(c)
	testkit.Eventually(t, "the unsent bytes are dropped", func() bool { return c.Unsent() == 0 })
	c.Close()
	if _, err := io.ReadAll(p); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer read %v at the end, want %v", err, syscall.ECONNRESET)
	}
}

// What was delivered before is followed by the end, also by Abort.
func TestWhatWasDeliveredIsFollowedByAnOrderlyEnd(t *testing.T) {
	eachLoss(t, func(t *testing.T, w way, end func(ctx context.Context, c *stream.Conn)) {
		c, p := w.open(t, w.loop)
		w.run(func(ctx context.Context) {
			c.WriteString(ctx, "all of it")
			mustBe(t, "Flush", c.Flush(ctx), nil)
		})
		end(w.loop.Context(), c)
		if got, err := io.ReadAll(p); string(got) != "all of it" || err != nil {
			t.Errorf("the peer read %q, %v; want all of it, and the end", got, err)
		}
	})
}

// slow is a kernel whose peers take nothing of what is written, and then, what the socket holds, at
// the pace of a test.
type slow struct {
	faulty
	holds atomic.Int64
}

func (s *slow) Undelivered(int) int { return int(s.holds.Load()) }

// A peer that reads is not cut off, however slowly it does. Progress may show in the kernel alone,
// which frees room in large steps.
func TestCloseIsPatientWithAPeerThatReads(t *testing.T) {
	now := &skewed{Clock: world.System()}
	k := &slow{}
	l := startLoop(t, reactor.WithWorld(func(below world.World) world.World {
		k.World = worldtest.WithTime(now)(below)
		return k
	}))
	c, p := overTCP.open(t, l)
	k.holds.Store(1000)
	k.full.Store(true)
	task.Spawn(l.Context(), func(ctx context.Context) error {
		_, err := c.WriteString(ctx, "at last")
		return errors.Join(err, c.Close())
	}).Await(t.Context())
	for minute := range 10 { // in steps of 7.5 seconds, and some of it is taken in each
		for range 8 {
			now.skew.Add(int64(7500 * time.Millisecond))
			k.holds.Add(-1)
			for range 4 {
				testkit.OnLoop(t, l, func() {})
			}
		}
		if n := stream.StatsOf(l).Open; n != 1 {
			t.Fatalf("%d connections are open after %d minutes, want 1", n, minute+1)
		}
	}
	k.full.Store(false)
	l.CallSoon(func() { stream.BecomesWritable(c) })
	mustBe(t, "WaitClosed", c.WaitClosed(t.Context()), nil)
	if got, err := io.ReadAll(p); string(got) != "at last" || err != nil {
		t.Errorf("the peer read %q, %v; want all of it, and the end", got, err)
	}
}

// A negative timeout is none.
func TestCloseWithoutABoundWaitsForever(t *testing.T) {
	now := &skewed{Clock: world.System()}
	l := startLoop(t, reactor.WithWorld(worldtest.WithTime(now)))
	c, _ := overTCP.open(t, l)
	fill(c)
	c.SetCloseTimeout(-1)
	c.Close()
	for range 10 {
		now.skew.Add(int64(time.Hour))
		testkit.OnLoop(t, l, func() {})
	}
	if n := stream.StatsOf(l).Open; n != 1 {
		t.Errorf("%d connections are open after ten hours, want 1", n)
	}
	c.SetCloseTimeout(0)
	if err := c.WaitClosed(t.Context()); err == nil {
		t.Error("WaitClosed = nil, want an error: bytes are missing")
	}
}

// A write, or a read, of much that never has to wait ends with its context all the same.
func TestATransferThatNeverWaitsEndsWithItsContext(t *testing.T) {
	const much = 64 << 20
	transfers := map[string]func(ctx context.Context, c *stream.Conn) (int, error){
		"Write":    func(ctx context.Context, c *stream.Conn) (int, error) { return c.Write(ctx, make([]byte, much)) },
		"ReadFull": func(ctx context.Context, c *stream.Conn) (int, error) { return c.ReadFull(ctx, make([]byte, much)) },
		"Discard":  func(ctx context.Context, c *stream.Conn) (int, error) { return c.Discard(ctx, much) },
	}
	for name, transfer := range transfers {
		t.Run(name, func(t *testing.T) {
			k := &endless{}
			l := startLoop(t, reactor.WithWorld(func(below world.World) world.World { k.World = below; return k }))
			c, p := overTCP.open(t, l)
			testkit.Must(p.Write([]byte("there is an event for input")))
			why := errors.New("why")
			n, err := task.Go(l.Context(), func(ctx context.Context) (int, error) {
				ctx, cancel := context.WithCancelCause(ctx)
				k.soon(func() { cancel(why) })
				n, err := transfer(ctx, c)
				if !errors.Is(err, why) {
					t.Errorf("%s of %d bytes with a context that ends = %d, %v; want %v", name, much, n, err, why)
				}
				return n, nil
			}).Await(t.Context())
			if err != nil || n > much/4 {
				t.Errorf("%s moved %d bytes of %d, %v; want that it ends soon", name, n, much, err)
			}
			c.Abort()
		})
	}
}

// endless is a kernel that takes and gives without end.
type endless struct {
	world.World
	calls atomic.Int64
	then  func()
}

// soon has fn called after some transfers.
func (k *endless) soon(fn func()) { k.then = fn; k.calls.Store(1) }

func (k *endless) count() {
	if k.then != nil && k.calls.Add(1) == 10 {
		k.then()
	}
}

func (k *endless) Write(_ int, p []byte) (int, syscall.Errno) {
	k.count()
	return min(len(p), world.MaxTransfer), 0
}

func (k *endless) Read(_ int, p []byte) (int, syscall.Errno) {
	k.count()
	return min(len(p), world.MaxTransfer), 0
}

// A reset that a write is told of first is one to the reader too, and no end.
func TestAResetThatAWriteHasMetIsNoEndOfTheInput(t *testing.T) {
	reads := map[string]func(ctx context.Context, c *stream.Conn) error{
		"Read": func(ctx context.Context, c *stream.Conn) error {
			_, err := c.Read(ctx, make([]byte, 100))
			return err
		},
		"ReadLine": func(ctx context.Context, c *stream.Conn) error { _, err := c.ReadLine(ctx); return err },
		"Copy": func(ctx context.Context, c *stream.Conn) error {
			a, b := stream.Pipe(reactor.WithLoop(ctx, c.Loop()))
			defer a.Abort()
			defer b.Abort()
			_, err := stream.Copy(ctx, a, c)
			return err
		},
	}
	for name, read := range reads {
		t.Run(name, func(t *testing.T) {
			for _, kind := range poll.Kinds() {
				l := startLoop(t, reactor.WithPoller(kind))
				c, p := overTCP.open(t, l)
				p.(*net.TCPConn).SetLinger(0)
				testkit.Must(p.Write([]byte("half")))
				testkit.InTask(t, l, func(ctx context.Context) {
					half := make([]byte, 4)
					testkit.Must(c.ReadFull(ctx, half))
					p.Close()
					for err := error(nil); err == nil; {
						if _, err = c.WriteString(ctx, "x"); err == nil {
							err = c.Flush(ctx)
						}
					}
					if err := read(ctx, c); !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("%v: %s after a write that met a reset = %v, want %v", kind, name, err, syscall.ECONNRESET)
					}
				})
			}
		})
	}
}

// That is so too if all of it goes into the buffer.
func TestAWriteIntoALargeBufferEndsWithItsContext(t *testing.T) {
	l := startLoop(t)
	c, _ := overTCP.open(t, l)
	fill(c)
	const much = 64 << 20
	c.SetWaterMarks(1, 2*much)
	why := errors.New("why")
	testkit.InTask(t, l, func(ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		l.CallSoon(func() { cancel(why) })
		if n, err := c.Write(ctx, make([]byte, much)); n > much/4 || !errors.Is(err, why) {
			t.Errorf("Write of %d bytes with a context that ends = %d, %v; want that it ends soon, with %v", much, n, err, why)
		}
	})
	c.Abort()
}

// A connection that is closed with input that nobody has read is reset, over TCP and in memory.
func TestInputThatIsNotReadResetsThePeer(t *testing.T) {
	for _, k := range []carrier{overTCP, overPipe} {
		t.Run(k.name, func(t *testing.T) {
			l := startLoop(t)
			c, p := k.open(t, l)
			testkit.Must(p.Write([]byte("unread")))
			c.Close()
			if _, err := p.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the peer read %v, want %v", err, syscall.ECONNRESET)
			}
		})
	}
}
