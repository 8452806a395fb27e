//go:build unix || windows

package stream_test

import (
	"context"
	"io"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// poor is a kernel that has no memory for what is to be sent, from some moment on.
type poor struct {
	world.World
	errno atomic.Uint32
}

func (k *poor) Write(fd int, p []byte) (int, syscall.Errno) {
	if errno := syscall.Errno(k.errno.Load()); errno != 0 {
		return 0, errno
	}
	return k.World.Write(fd, p)
}

// Output that Write has taken, and the loop can't send, is lost. A reader that waits for an answer
// to it learns that, though the connection stands.
func TestBytesLostForWantOfMemoryEndTheWaitForAnAnswer(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOBUFS, syscall.ENOMEM} {
		t.Run(errno.Error(), func(t *testing.T) {
			testkit.Guard(t)
			k := &poor{}
			l := startLoop(t, reactor.WithWorld(worldtest.On(k, &k.World)), noFaults)
			c, p := overTCP.open(t, l)
			io.WriteString(p, "before")
			testkit.Eventually(t, "6 bytes in the kernel", func() bool { return stream.Waiting(c) == 6 })
			k.errno.Store(uint32(errno))
			testkit.InTask(t, l, func(ctx context.Context) {
				_, err := c.WriteString(ctx, "question")
				mustBe(t, "Write", err, nil)
				got := make([]byte, 6)
				_, err = c.ReadFull(ctx, got)
				if string(got) != "before" || err != nil {
					t.Errorf("what came before: %q, %v; want %q and nil", got, err, "before")
				}
				_, err = c.ReadFull(ctx, got)
				mustBe(t, "the wait for an answer", err, errno)
				_, err = c.TryRead(got)
				mustBe(t, "TryRead", err, errno)
				mustBe(t, "Flush", c.Flush(ctx), errno)
			})
		})
	}
}

func TestBytesLostForWantOfMemoryEndAServersEcho(t *testing.T) {
	testkit.Guard(t)
	k := &poor{}
	l := startLoop(t, reactor.WithWorld(worldtest.On(k, &k.World)), noFaults)
	failed := make(chan error, 1)
	address, _ := serving(t, l, &stream.Server{Handler: echo, OnError: func(_ *stream.Conn, err error) { failed <- err }})
	p := dial(t, address)
	ask(t, p, "hello")
	k.errno.Store(uint32(syscall.ENOBUFS))
	io.WriteString(p, "hello again")
	mustEnd(t, p)
	mustBe(t, "the handler", <-failed, syscall.ENOBUFS)
}

// A callback that has nothing to write is told too.
func TestBytesLostForWantOfMemoryAreToldToACallback(t *testing.T) {
	testkit.Guard(t)
	k := &poor{}
	l := startLoop(t, reactor.WithWorld(worldtest.On(k, &k.World)), noFaults)
	c, _ := overTCP.open(t, l)
	k.errno.Store(uint32(syscall.ENOBUFS))
	failed := make(chan error, 1)
	testkit.OnLoop(t, l, func() {
		c.OnReady(func() {
			if _, err := c.TryRead(make([]byte, 1)); err != stream.ErrWouldBlock {
				c.OnReady(nil)
				failed <- err
			}
		})
		_, err := c.TryWrite([]byte("question"))
		mustBe(t, "TryWrite", err, nil)
	})
	mustBe(t, "TryRead", <-failed, syscall.ENOBUFS)
}
