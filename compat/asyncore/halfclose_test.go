//go:build unix

package asyncore_test

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

// downloads answers each request with much.
type downloads struct {
	asyncore.DispatcherWithSend
	closes int
}

func (d *downloads) HandleRead() error {
	data, err := d.Recv(100)
	if len(data) > 0 {
		err = d.Send(make([]byte, large))
	}
	return err
}

func (d *downloads) HandleClose() error { d.closes++; return d.Base().HandleClose() }

// TestHalfClosingPeerGetsWhatDispatcherWithSendHas: gh-80094.
func TestHalfClosingPeerGetsWhatDispatcherWithSendHas(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, slow := range []bool{false, true} {
			t.Run(network, func(t *testing.T) {
				r := newRoom(t)
				d := &downloads{}
				peer := r.connected(d, network)
				r.send(peer, "GET")
				r.must(peer.(interface{ CloseWrite() error }).CloseWrite())
				start := make(chan struct{})
				got := readLater(peer, start)
				if slow {
					r.poll(20)
				}
				close(start)
				r.until(func() bool { return r.m.Len() == 0 })
				if n := <-got; n != large || d.closes != 1 {
					t.Errorf("the peer has read %d bytes, and HandleClose was called %d times; want %d and once", n, d.closes, large)
				}
			})
		}
	}
}

func TestPeerThatHasGoneIsToldWhileOutputIsQueued(t *testing.T) {
	r := newRoom(t)
	d := &downloads{}
	peer := r.connected(d, "tcp")
	r.send(peer, "GET")
	r.poll(5)
	reset(peer)
	r.until(func() bool { return r.m.Len() == 0 })
	if d.closes != 1 {
		t.Errorf("HandleClose was called %d times, want once", d.closes)
	}
	if err := d.Cause(); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
		t.Errorf("Cause: %v, want a reset", err)
	}
}

// insister sends in HandleError, whatever the error is.
type insister struct {
	downloads
	failures int
}

func (i *insister) HandleError(err error) error {
	i.failures++
	if err := i.Send([]byte("sorry")); err != nil {
		return i.Base().HandleError(err)
	}
	return nil
}

func TestHandleErrorThatSendsDoesNotCallItself(t *testing.T) {
	r := newRoom(t)
	t.Setenv(world.FaultsVariable, "enobufs=0.99,seed=1")
	i := &insister{}
	var peer net.Conn = r.connected(i, "unix")
	r.send(peer, "GET")
	for range 50 {
		err := asyncore.Poll(r.m, 0)
		if err != nil && !errors.Is(err, syscall.ENOBUFS) {
			t.Fatal(err)
		}
	}
	if i.failures == 0 || i.failures > 100 {
		t.Errorf("HandleError was called %d times, want at least once, and not for ever", i.failures)
	}
	testkit.Must(t, i.Close())
}
