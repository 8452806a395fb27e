//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// diary is a kernel that writes down its reads, and what else happens.
type diary struct {
	world.World
	mu      sync.Mutex
	entries []string
}

func (d *diary) note(entry string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, entry)
}

func (d *diary) Read(fd int, p []byte) (int, syscall.Errno) {
	n, errno := d.World.Read(fd, p)
	if n > 0 {
		d.note("read")
	}
	return n, errno
}

// What one poll finds is read in one go, before the first of the tasks that it is for goes on: as
// far as its share of a millisecond goes, and here the clock stands still.
func TestTheReadsOfOnePollComeBeforeTheTasks(t *testing.T) {
	testkit.Guard(t)
	d := &diary{}
	clock := &testkit.Clock{}
	l := startLoop(t, noFaults, reactor.WithWorld(worldtest.On(d, &d.World)), clock.Option())
	address, stop := serving(t, l, &stream.Server{Handler: func(ctx context.Context, c *stream.Conn) error {
		for {
			line, err := c.ReadLine(ctx)
			if err != nil {
				return err
			}
			d.note("task")
			c.WriteString(ctx, line+"\n")
		}
	}})
	const conns = 10
	var peers [conns]net.Conn
	for i := range peers {
		peers[i] = dial(t, address)
		ask(t, peers[i], "hello\n")
	}
	testkit.OnLoop(t, l, func() { // it does not poll until all have asked
		d.mu.Lock()
		d.entries = nil
		d.mu.Unlock()
		for _, p := range peers {
			p.Write([]byte("hello\n"))
		}
	})
	for _, p := range peers {
		io.ReadFull(p, make([]byte, len("hello\n")))
	}
	for _, p := range peers {
		p.Close()
	}
	mustBe(t, "Serve", stop(), nil)
	want := append(slices.Repeat([]string{"read"}, conns), slices.Repeat([]string{"task"}, conns)...)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.entries, want) {
		t.Errorf("%v, want %v", d.entries, want)
	}
}

// An event that brings nothing resumes no task.
func TestAnEventThatBringsNothingWakesNobody(t *testing.T) {
	for _, c := range carriers {
		t.Run(c.name, func(t *testing.T) {
			l := startLoop(t)
			conn, p := c.open(t, l)
			got := make(chan string, 1)
			task.Spawn(l.Context(), func(ctx context.Context) error {
				line, err := conn.ReadLine(ctx)
				got <- line
				return err
			})
			testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(conn) })
			steps := func() (n uint64) {
				testkit.OnLoop(t, l, func() { n = statsOf(l).TaskSteps })
				return n
			}
			before := steps()
			for range 10 {
				testkit.OnLoop(t, l, func() { stream.BecomesReadable(conn) })
			}
			if n := steps() - before; n != 0 {
				t.Errorf("%d resumes, want 0", n)
			}
			p.Write([]byte("hello\n"))
			if line := <-got; line != "hello" {
				t.Errorf("read %q, want %q", line, "hello")
			}
			conn.Close()
			p.Close()
		})
	}
}

// A task that is cancelled, or loses the connection, in the moment its input is read leaves that
// input to the next reader.
func TestWhatWasReadAheadIsNotLost(t *testing.T) {
	for _, c := range []carrier{overTCP, overUnix} {
		for name, take := range map[string]func(cancel context.CancelCauseFunc, conn *stream.Conn) *stream.Conn{
			"cancelled": func(cancel context.CancelCauseFunc, conn *stream.Conn) *stream.Conn { cancel(nil); return conn },
			"detached": func(_ context.CancelCauseFunc, conn *stream.Conn) *stream.Conn {
				moved, err := conn.Detach()
				mustBe(t, "Detach", err, nil)
				return moved
			},
		} {
			t.Run(fmt.Sprintf("%s/%s", c.name, name), func(t *testing.T) {
				l := startLoop(t)
				conn, p := c.open(t, l)
				read := make(chan []byte, 1)
				var cancel context.CancelCauseFunc
				task.Spawn(l.Context(), func(ctx context.Context) error {
					ctx, cancel = context.WithCancelCause(ctx)
					defer cancel(nil)
					b := make([]byte, 100)
					n, _ := conn.Read(ctx, b)
					read <- b[:n]
					return nil
				})
				testkit.Eventually(t, "a reader that waits", func() bool { return stream.ReaderWaits(conn) })
				testkit.OnLoop(t, l, func() {
					p.Write([]byte("hello"))
					testkit.Eventually(t, "5 bytes in the kernel", func() bool { return stream.Waiting(conn) == 5 })
					stream.BecomesReadable(conn) // reads, and queues the task
					conn = take(cancel, conn)
				})
				got := <-read
				testkit.InTask(t, l, func(ctx context.Context) {
					for len(got) < 5 {
						b := make([]byte, 5)
						n, err := conn.Read(ctx, b)
						if err != nil {
							t.Errorf("Read = %v, want nil", err)
							return
						}
						got = append(got, b[:n]...)
					}
				})
				if !bytes.Equal(got, []byte("hello")) {
					t.Errorf("read %q, want %q", got, "hello")
				}
				conn.Close()
				p.Close()
			})
		}
	}
}

// Copy in a callback is refused before anything is taken.
func TestCopyInACallbackPanics(t *testing.T) {
	l := startLoop(t)
	a, p := overPipe.open(t, l)
	p.Write([]byte("hello"))
	testkit.OnLoop(t, l, func() {
		testkit.Panics(t, "stream: Copy in a loop callback would stop the loop…", func() { stream.Copy(context.Background(), a, a) })
	})
	testkit.InTask(t, l, func(ctx context.Context) {
		if got, err := a.Peek(ctx, 5); string(got) != "hello" || err != nil {
			t.Errorf("%q, %v; want %q and nil", got, err, "hello")
		}
	})
	a.Close()
	p.Close()
}
