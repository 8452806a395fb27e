//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

// numbers is a stream of bytes in which each place is known by what is there.
type numbers struct{ at int }

// What numbers repeats, so that no byte is worked out twice.
var period = func() (p [1 << 16]byte) {
	for i := range p {
		p[i] = byte(i>>8) ^ byte(i*7)
	}
	return p
}()

func (s *numbers) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		k := copy(p[n:], period[s.at%len(period):])
		n += k
		s.at += k
	}
	return len(p), nil
}

func pattern(n int) []byte {
	p := make([]byte, n)
	(&numbers{}).Read(p)
	return p
}

// Megabytes arrive as they were sent, whatever the sizes of the writes. The buffer stays within
// its mark.
func TestABigTransfer(t *testing.T) {
	total := 10 << 20
	if testing.Short() {
		total = 1 << 20 // still many times the mark
	}
	for _, piece := range []int{3000, 16 << 10, total} {
		t.Run(fmt.Sprint(piece), func(t *testing.T) {
			eachWay(t, func(t *testing.T, w way) {
				c, p := w.open(t, w.loop)
				got := sha256.New()
				wait := in(t, func() { io.CopyBuffer(struct{ io.Writer }{got}, struct{ io.Reader }{p}, make([]byte, 30_000)) })
				want := sha256.New()
				w.run(func(ctx context.Context) {
					b := make([]byte, piece)
					for n, src := 0, (&numbers{}); n < total; n += len(b) {
						b = b[:min(piece, total-n)]
						src.Read(b)
						want.Write(b)
						if k, err := c.Write(ctx, b); k != len(b) || err != nil {
							t.Errorf("Write = %d, %v; want %d and nil", k, err, len(b))
							return
						}
						if u := c.Unsent(); u > 64<<10 {
							t.Errorf("%d bytes unsent, want at most %d", u, 64<<10)
						}
					}
					mustBe(t, "CloseWrite", c.CloseWrite(ctx), nil)
				})
				wait()
				same(t, got, want)
			})
		})
	}
}

func same(t *testing.T, got, want hash.Hash) {
	t.Helper()
	if !bytes.Equal(got.Sum(nil), want.Sum(nil)) {
		t.Errorf("the bytes that arrived hash to %x, want %x", got.Sum(nil), want.Sum(nil))
	}
}

func TestWriteWaitsAboveTheHighMarkAndGoesOnBelowTheLow(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		c.SetWaterMarks(1000, 5000)
		sent := fill(c)
		if c.Room() != 0 || c.Unsent() != 5000 {
			t.Errorf("full: room %d, unsent %d; want 0 and 5000", c.Room(), c.Unsent())
		}
		if n, err := c.TryWrite([]byte("x")); n != 0 || err != stream.ErrWouldBlock {
			t.Errorf("TryWrite when full: %d, %v; want 0 and %v", n, err, stream.ErrWouldBlock)
		}
		wait := in(t, func() {
			testkit.Eventually(t, "a writer that waits", func() bool { return stream.WriterWaits(c) })
			if c.Room() != 0 {
				t.Errorf("Room = %d while a writer has the turn, want 0", c.Room())
			}
			_, err := c.TryWrite([]byte("x"))
			mustBe(t, "TryWrite beside a writer", err, stream.ErrBusy)
			unblock(c)
			got, err := io.ReadAll(p)
			if !bytes.Equal(got, append(sent, "the end"...)) {
				t.Errorf("%d bytes arrived, %v; want the %d sent and nil", len(got), err, len(sent)+7)
			}
		})
		w.run(func(ctx context.Context) {
			if n, err := c.WriteString(ctx, "the end"); n != 7 || err != nil {
				t.Errorf("Write: %d, %v; want 7 and nil", n, err)
			}
			if u := c.Unsent(); u > 1007 {
				t.Errorf("Write went on with %d unsent, want at most 1007", u)
			}
			mustBe(t, "CloseWrite", c.CloseWrite(ctx), nil)
		})
		wait()
	})
}

func TestACancelledWriteSaysHowMuchItHasTaken(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		data := pattern(8 << 20)
		cause := errors.New("enough")
		var taken int
		w.run(func(ctx context.Context) {
			ctx, cancel := context.WithCancelCause(ctx)
			wait := in(t, func() {
				testkit.Eventually(t, "a writer that waits", func() bool { return stream.WriterWaits(c) })
				cancel(cause)
			})
			n, err := c.Write(ctx, data)
			mustBe(t, "Write", err, cause)
			mustBe(t, "Write", err, context.Canceled)
			if n == 0 || n == len(data) {
				t.Errorf("a cancelled Write took %d bytes, want some but not all of %d", n, len(data))
			}
			again, err := c.Write(ctx, data[n:])
			mustBe(t, "Write with a context that is done", err, cause)
			if again != 0 {
				t.Errorf("it took %d, want 0", again)
			}
			taken = n
			wait()
		})
		wait := in(t, func() {
			got, _ := io.ReadAll(p)
			if !bytes.Equal(got, data[:taken]) {
				t.Errorf("%d bytes arrived, want the %d taken, unchanged", len(got), taken)
			}
		})
		w.run(func(ctx context.Context) { mustBe(t, "CloseWrite", c.CloseWrite(ctx), nil) })
		wait()
	})
}

// Writers come in the order they called, and none's bytes are among another's.
func TestWritersTakeTurns(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		sent := fill(c)
		const writers, size = 6, 200_000
		var waits []func()
		for i := range writers {
			waits = append(waits, in(t, func() {
				w.run(func(ctx context.Context) {
					if n, err := c.Write(ctx, bytes.Repeat([]byte{byte('a' + i)}, size)); n != size || err != nil {
						t.Errorf("Write: %d, %v; want %d and nil", n, err, size)
					}
				})
			}))
			testkit.Eventually(t, "one more writer in the queue, behind one that waits", func() bool { _, q := stream.Queued(c); return q == i && stream.WriterWaits(c) })
		}
		unblock(c)
		if _, err := io.ReadFull(p, make([]byte, len(sent))); err != nil {
			t.Error(err)
		}
		got := make([]byte, writers*size)
		io.ReadFull(p, got)
		for i := range writers {
			if part := got[i*size : (i+1)*size]; bytes.Count(part, []byte{byte('a' + i)}) != size {
				t.Errorf("the bytes of place %d differ from what writer %d wrote, want the same", i, i)
			}
		}
		for _, wait := range waits {
			wait()
		}
	})
}

// A waiter of a turn that is cancelled, or was handed the turn just before, loses it to nobody.
func TestACancelledWaiterLeavesTheQueue(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		first := in(t, func() { w.run(func(ctx context.Context) { c.ReadLine(ctx) }) })
		testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(c) })
		cctx, cancel := context.WithCancel(context.Background())
		second := in(t, func() {
			w.run(func(context.Context) {
				_, err := c.ReadLine(cctx)
				mustBe(t, "the second", err, context.Canceled)
			})
		})
		testkit.Eventually(t, "1 reader in the queue", func() bool { q, _ := stream.Queued(c); return q == 1 })
		var line string
		third := in(t, func() { w.run(func(ctx context.Context) { line, _ = c.ReadLine(ctx) }) })
		testkit.Eventually(t, "2 readers in the queue", func() bool { q, _ := stream.Queued(c); return q == 2 })
		cancel()
		second()
		p.Write([]byte("one\nthree\n"))
		first()
		third()
		if line != "three" {
			t.Errorf("the third got %q, want %q", line, "three")
		}
	})
}

func TestFlushWaitsForTheKernel(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		sent := fill(c)
		w.run(func(ctx context.Context) {
			cctx, cancel := context.WithCancel(ctx)
			wait := in(t, func() {
				testkit.Eventually(t, "a Flush that waits", func() bool { return stream.FlushWaits(c) })
				cancel()
			})
			mustBe(t, "Flush", c.Flush(cctx), context.Canceled)
			wait()
			wait = in(t, func() {
				testkit.Eventually(t, "a Flush that waits", func() bool { return stream.FlushWaits(c) })
				unblock(c)
				io.ReadFull(p, make([]byte, len(sent)))
			})
			mustBe(t, "Flush", c.Flush(ctx), nil)
			if c.Unsent() != 0 {
				t.Errorf("%d unsent after Flush, want 0", c.Unsent())
			}
			wait()
		})
		if stream.HoldsMemory(c) {
			t.Error("a connection holds a buffer when all is sent, want none")
		}
	})
}

func TestACancelledCloseWriteComesAfterWhatIsUnsent(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		c, p := w.open(t, w.loop)
		sent := fill(c)
		w.run(func(ctx context.Context) {
			cctx, cancel := context.WithCancel(ctx)
			wait := in(t, func() {
				testkit.Eventually(t, "a Flush that waits", func() bool { return stream.FlushWaits(c) })
				cancel()
			})
			mustBe(t, "CloseWrite", c.CloseWrite(cctx), context.Canceled)
			wait()
			_, err := c.Write(ctx, []byte("more"))
			mustBe(t, "Write after CloseWrite", err, syscall.EPIPE)
			if c.Room() != 0 {
				t.Errorf("Room = %d after CloseWrite, want 0", c.Room())
			}
			unblock(c)
			wait = in(t, func() {
				got, err := io.ReadAll(p)
				if !bytes.Equal(got, sent) || err != nil {
					t.Errorf("%d bytes arrived, %v; want the %d sent and nil", len(got), err, len(sent))
				}
				p.Write([]byte("reply"))
				p.Close()
			})
			reply, err := readAll(ctx, c) // reading goes on
			if string(reply) != "reply" || err != io.EOF {
				t.Errorf("%q, %v; want %q and %v", reply, err, "reply", io.EOF)
			}
			wait()
			mustBe(t, "CloseWrite again", c.CloseWrite(ctx), nil)
		})
	})
}

// A goroutine's Write sends by itself, even while the loop is busy, as it is in this test.
func TestAGoroutineWritesByItself(t *testing.T) {
	for _, k := range []carrier{overTCP, overUnix} {
		t.Run(k.name, func(t *testing.T) {
			l := startLoop(t, noFaults)
			c, p := k.open(t, l)
			busy, free := make(chan struct{}), make(chan struct{})
			l.CallSoon(func() { close(busy); <-free })
			<-busy
			if n, err := c.WriteString(context.Background(), "now"); n != 3 || err != nil {
				t.Errorf("Write: %d, %v; want 3 and nil", n, err)
			}
			b := make([]byte, 3)
			if _, err := io.ReadFull(p, b); string(b) != "now" {
				t.Errorf("%q, %v; want %q", b, err, "now")
			}
			close(free)
		})
	}
}

// Whoever writes to A and then waits for B does not wait for ever.
func TestWriteThenAwaitSomethingElse(t *testing.T) {
	eachWay(t, func(t *testing.T, w way) {
		a, pa := w.open(t, w.loop)
		b, pb := w.open(t, w.loop)
		wait := in(t, func() {
			for range 3 {
				io.ReadFull(pa, make([]byte, 5))
				pb.Write([]byte("pong\n"))
			}
		})
		w.run(func(ctx context.Context) {
			for range 3 {
				a.WriteString(ctx, "ping\n")
				if s, err := b.ReadLine(ctx); s != "pong" {
					t.Errorf("%q, %v; want %q", s, err, "pong")
				}
			}
		})
		wait()
	})
}

// To wait in a callback panics with a sentence that says so, and leaves the connection as it was.
func TestWaitingInACallbackPanics(t *testing.T) {
	for _, k := range carriers {
		t.Run(k.name, func(t *testing.T) {
			l := startLoop(t)
			c, p := k.open(t, l)
			ctx := context.Background()
			refuses := func(name string, f func()) {
				testkit.OnLoop(t, l, func() {
					s, _ := testkit.PanicOf(f).(string)
					if !strings.HasPrefix(s, "stream: ") || !strings.Contains(s, "would stop the loop") {
						t.Errorf("%s: panic %q, want one that says that it would stop the loop", name, s)
					}
				})
			}
			refuses("Read", func() { c.Read(ctx, make([]byte, 1)) })
			refuses("ReadLine", func() { c.ReadLine(ctx) })
			refuses("WaitClosed", func() { c.WaitClosed(ctx) })
			refuses("Copy", func() { stream.Copy(ctx, c, c) })
			refuses("Dial", func() { stream.Dial(l.Context(), "tcp", "127.0.0.1:1") })
			wait := in(t, func() {
				testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(c) })
				refuses("Read beside a reader", func() { c.Read(ctx, make([]byte, 1)) })
				p.Write([]byte("abc\n"))
			})
			if s, err := c.ReadLine(ctx); s != "abc" {
				t.Errorf("%q, %v; want %q", s, err, "abc")
			}
			wait()
			p.Write([]byte("more\n"))
			_, err := c.Peek(ctx, 5)
			mustBe(t, "Peek", err, nil)
			testkit.OnLoop(t, l, func() { // no wait, no panic
				if s, err := c.ReadLine(ctx); s != "more" {
					t.Errorf("%q, %v; want %q", s, err, "more")
				}
				if n, err := c.Write(ctx, []byte("x")); n != 1 || err != nil {
					t.Errorf("Write: %d, %v; want 1 and nil", n, err)
				}
			})
			sent := fill(c)
			refuses("Write", func() { c.Write(ctx, []byte("x")) })
			refuses("Flush", func() { c.Flush(ctx) })
			wait = in(t, func() {
				testkit.Eventually(t, "a writer that waits", func() bool { return stream.WriterWaits(c) })
				refuses("Write beside a writer", func() { c.Write(ctx, []byte("x")) })
				unblock(c)
				io.ReadFull(p, make([]byte, 1+len(sent)+1))
			})
			if n, err := c.Write(ctx, []byte("y")); n != 1 || err != nil {
				t.Errorf("Write: %d, %v; want 1 and nil", n, err)
			}
			wait()
			mustBe(t, "Flush", c.Flush(ctx), nil)
		})
	}
}

func TestMisuseOfWritingPanics(t *testing.T) {
	l := startLoop(t)
	a, _ := stream.Pipe(l.Context())
	for _, marks := range [][2]int{{-1, 5}, {5, 5}, {6, 5}} {
		testkit.Panics(t, "stream: …", func() { a.SetWaterMarks(marks[0], marks[1]) })
	}
}
