//go:build unix

package asyncore_test

import (
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

const large = 4 << 20

// readLater reads everything that a peer gets, once start is closed.
func readLater(peer net.Conn, start chan struct{}) (got chan int) {
	got = make(chan int, 1)
	go func() {
		<-start
		peer.SetDeadline(time.Now().Add(time.Minute))
		n, _ := io.Copy(io.Discard, peer)
		got <- int(n)
	}()
	return got
}

func TestWhenSentTellsThatTheKernelHasEverything(t *testing.T) {
	r := newRoom(t)
	d := &struct{ asyncore.DispatcherWithSend }{}
	peer := r.connected(d, "tcp")
	start := make(chan struct{})
	got := readLater(peer, start)
	told := []error{}
	r.must(d.Send(make([]byte, large)))
	if n := d.WriteBufferSize(); n == 0 || n > large {
		t.Errorf("WriteBufferSize is %d, want from 1 to %d", n, large)
	}
	d.WhenSent(func(err error) { told = append(told, err) })
	r.poll(10)
	if len(told) > 0 {
		t.Errorf("WhenSent told %v before the peer has read, want nothing", told)
	}
	close(start)
	r.until(func() bool { return len(told) > 0 })
	if told[0] != nil || d.WriteBufferSize() != 0 {
		t.Errorf("WhenSent told %v, %d bytes are left; want nil and 0", told, d.WriteBufferSize())
	}
	d.WhenSent(func(err error) { told = append(told, err) })
	r.until(func() bool { return len(told) == 2 })
	r.must(d.Close())
	if n := <-got; n != large {
		t.Errorf("the peer has read %d bytes, want %d", n, large)
	}
	d.WhenSent(func(err error) { told = append(told, err) })
	if !errors.Is(told[2], stream.ErrClosed) {
		t.Errorf("WhenSent after Close told %v, want %v", told[2], stream.ErrClosed)
	}
}

func TestWhenSentTellsWhyItNeverWill(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(d *disp, peer net.Conn)
		want error
	}{
		"Close":   {func(d *disp, _ net.Conn) { d.Close() }, stream.ErrClosed},
		"a reset": {func(_ *disp, peer net.Conn) { reset(peer) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			d := newDisp("", &r.log)
			peer := r.connected(d, "tcp")
			for n, err := 1, error(nil); n > 0 && err == nil; {
				n, err = d.Send(make([]byte, 64<<10))
			}
			var told []error
			d.WhenSent(func(err error) { told = append(told, err) })
			r.poll(2)
			tt.do(d, peer)
			r.until(func() bool { return r.m.Len() == 0 })
			if len(told) != 1 || told[0] == nil || tt.want != nil && !errors.Is(told[0], tt.want) {
				t.Errorf("WhenSent told %v, want one error, %v", told, tt.want)
			}
		})
	}
}

func TestCloseWriteEndsTheStreamBehindWhatIsQueued(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			r := newRoom(t)
			d := &struct{ asyncore.DispatcherWithSend }{}
			peer := r.connected(d, network)
			start := make(chan struct{})
			got := readLater(peer, start)
			r.must(d.Send(make([]byte, large)))
			r.must(d.CloseWrite())
			if err := d.Send([]byte("late")); err == nil {
				t.Error("Send after CloseWrite: nil, want an error")
			}
			close(start)
			n := 0
			r.until(func() bool {
				select {
				case n = <-got:
				default:
				}
				return n > 0
			})
			if n != large || !d.Connected() {
				t.Errorf("the peer has read %d bytes, and connected is %v; want %d and true", n, d.Connected(), large)
			}
			r.send(peer, "still")
			data := []byte(nil)
			r.until(func() bool { data, _ = d.Recv(10); return len(data) > 0 })
			if string(data) != "still" {
				t.Errorf("received %q after CloseWrite, want %q", data, "still")
			}
		})
	}
}

func TestAbortDropsWhatIsUnsent(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "tcp")
	for n, err := 1, error(nil); n > 0 && err == nil; {
		n, err = d.Send(make([]byte, 64<<10))
	}
	d.Abort()
	d.Abort()
	if r.m.Len() != 0 || d.Connected() {
		t.Errorf("%d handlers are left, connected is %v; want 0 and false", r.m.Len(), d.Connected())
	}
	peer.SetDeadline(time.Now().Add(time.Minute))
	io.Copy(io.Discard, peer)
	r.want()
}

// TestFailedWriteIsToldWithoutAnEvent: when a Unix peer shuts its reading down, no event follows.
func TestFailedWriteIsToldWithoutAnEvent(t *testing.T) {
	for name, send := range map[string]func(r *room, d *disp){
		"in a callback": func(r *room, d *disp) {
			d.on["read"] = func() error {
				d.drop()
				_, err := d.Send([]byte("reply"))
				r.log = append(r.log, "sent")
				return err
			}
		},
		"the second time in a callback": func(r *room, d *disp) {
			d.on["read"] = func() error {
				d.drop()
				d.flushedOnce()
				_, err := d.Send([]byte("reply"))
				return err
			}
		},
		"outside": func(r *room, d *disp) {
			d.Send([]byte("reply"))
			r.log = append(r.log, "sent")
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			d := newDisp("", &r.log)
			peer := r.connected(d, "unix")
			r.poll(2)
			d.peer = peer
			if name != "the second time in a callback" {
				peer.(*net.UnixConn).CloseRead()
			}
			r.poll(2)
			send(r, d)
			if name != "outside" {
				r.send(peer, "x")
			}
			r.until(func() bool { return r.m.Len() == 0 })
			want := map[string][]string{
				"in a callback":                 {"read", "close", "sent"},
				"the second time in a callback": {"read", "close"},
				"outside":                       {"close", "sent"},
			}[name]
			if !slices.Equal(r.log, want) {
				t.Errorf("calls %q, want %q", r.log, want)
			}
		})
	}
}

// flushedOnce sends once, and then has the peer end its reading.
func (d *disp) flushedOnce() {
	d.Send([]byte("first"))
	d.peer.(*net.UnixConn).CloseRead()
}
