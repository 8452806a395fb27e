//go:build unix

package asyncore_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

// connecting begins to connect d to a listener. If there is false, nobody listens any more.
func connecting(r *room, d asyncore.Handler, network string, there bool) net.Listener {
	r.t.Helper()
	address := "127.0.0.1:0"
	if network == "unix" {
		address = filepath.Join(r.t.TempDir(), "s")
	}
	ln, err := net.Listen(network, address)
	r.must(err)
	r.t.Cleanup(func() { ln.Close() })
	if !there {
		ln.Close()
	}
	asyncore.Init(d, r.m)
	c := d.(interface {
		CreateSocket(string) error
		Connect(string) error
	})
	r.must(c.CreateSocket(network))
	r.must(c.Connect(ln.Addr().String()))
	return ln
}

func flags(d *disp) string {
	return fmt.Sprint(d.Connected(), d.Connecting(), d.Accepting())
}

func TestStateThroughConnectAndClose(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			r := newRoom(t)
			d := newDisp("", &r.log)
			during := ""
			d.on["connect"] = func() error { during = flags(d); return nil }
			if flags(d) != "false false false" {
				t.Errorf("at first: %s, want %s", flags(d), "false false false")
			}
			ln := connecting(r, d, network, true)
			if flags(d) != "false true false" || r.m.Len() != 1 {
				t.Errorf("connecting: %s, %d in the map; want %s and 1", flags(d), r.m.Len(), "false true false")
			}
			r.until(d.Connected)
			if during != "false true false" || flags(d) != "true false false" {
				t.Errorf("in HandleConnect: %s, after it: %s; want %s and %s", during, flags(d), "false true false", "true false false")
			}
			peer, err := ln.Accept()
			r.must(err)
			defer peer.Close()
			r.must(d.Close())
			r.must(d.Close())
			if flags(d) != "false false false" || r.m.Len() != 0 || d.Addr() == nil {
				t.Errorf("closed: %s, %d in the map, address %v; want all false, 0, and an address", flags(d), r.m.Len(), d.Addr())
			}
			if rest, err := io.ReadAll(peer); len(rest) > 0 || err != nil {
				t.Errorf("the peer read %q, %v; want nothing and nil", rest, err)
			}
			r.want("connect")
		})
	}
}

func TestConnectThatFailsIsToldOnceAndThenCloses(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		for _, swallow := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s swallowed %v", network, swallow), func(t *testing.T) {
				r := newRoom(t)
				d := newDisp("", &r.log)
				if swallow {
					d.on["error"] = nothing
				}
				connecting(r, d, network, false)
				r.until(func() bool { return !d.Connecting() })
				r.want("error", "close")
				if !errors.Is(d.errors[0], syscall.ECONNREFUSED) && !errors.Is(d.errors[0], syscall.ENOENT) {
					t.Errorf("the error is %v, want ECONNREFUSED or ENOENT", d.errors[0])
				}
			})
		}
	}
}

func TestConnectAgainInsideHandleError(t *testing.T) {
	r := newRoom(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	r.must(err)
	defer ln.Close()
	d := newDisp("", &r.log)
	d.on["error"] = func() error { return d.Connect(ln.Addr().String()) }
	connecting(r, d, "tcp", false)
	r.until(d.Connected)
	r.want("error", "connect")
}

func TestCloseWhileConnecting(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	connecting(r, d, "tcp", true)
	r.must(d.Close())
	r.poll(5)
	r.want()
}

func TestConnectWithInputIsConnectReadWrite(t *testing.T) {
	r := newRoom(t)
	d := &writer{newDisp("", &r.log)}
	ln := connecting(r, d, "tcp", true)
	r.poll(1)
	peer, err := ln.Accept()
	r.must(err)
	defer peer.Close()
	r.send(peer, "hi")
	r.until(d.Connected)
	r.poll(2)
	r.want("connect", "read", "write")
}

func TestHandleConnectThatFailsIsCalledAgain(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	d.on["error"] = nothing
	d.on["connect"] = func() error { delete(d.on, "connect"); return errBoom }
	connecting(r, d, "tcp", true)
	r.until(d.Connected)
	r.want("connect", "error", "connect")
}

// taker is a listener.
type taker struct {
	*disp
	take func(c *stream.Conn) error
}

func (t *taker) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	*t.log = append(*t.log, "accepted")
	return t.take(c)
}

func TestListenerSurvivesABadClient(t *testing.T) {
	r := newRoom(t)
	var good *stream.Conn
	d := &taker{disp: newDisp("", &r.log)}
	d.take = func(c *stream.Conn) error {
		switch len(d.errors) {
		case 0:
			return errBoom
		case 1:
			panic(errBoom)
		}
		good = c
		return nil
	}
	listen(r, d)
	if flags(d.disp) != "false false true" {
		t.Errorf("listening: %s, want %s", flags(d.disp), "false false true")
	}
	bad, worse := dial(r, d.Addr()), dial(r, d.Addr())
	dial(r, d.Addr())
	r.until(func() bool { return good != nil })
	good.Close()
	for _, c := range []net.Conn{bad, worse} {
		if _, err := io.ReadAll(c); err != nil {
			t.Errorf("the bad client reads %v, want nil", err)
		}
	}
	r.want("accept", "accepted", "error", "accept", "accepted", "error", "accept", "accepted")
}

func TestListenerThatDoesNotAcceptIsCalledAgain(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	d.on["accept"] = nothing
	listen(r, d)
	dial(r, d.Addr())
	r.until(func() bool { return len(r.log) == 2 })
	d.on["accept"] = func() error {
		c, _, err := d.Accept()
		if c == nil || err != nil {
			t.Errorf("Accept = %v, %v; want a connection and nil", c, err)
			return err
		}
		c.Close()
		if c, _, err := d.Accept(); c != nil || err != nil {
			t.Errorf("Accept of nobody: %v, %v; want nil and nil", c, err)
		}
		return nil
	}
	r.poll(3)
	r.want("accept", "accept", "accept")
}

func TestListenerPausesWithoutDescriptors(t *testing.T) {
	r := newRoom(t)
	accepted := 0
	d := &taker{disp: newDisp("", &r.log), take: func(c *stream.Conn) error { accepted++; return c.Close() }}
	listen(r, d)
	r.poll(1)
	dial(r, d.Addr())
	var held []*os.File
	var limit syscall.Rlimit
	r.must(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	tight := limit
	tight.Cur = 200
	r.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &tight))
	for {
		f, err := os.Open("/dev/null")
		if err != nil {
			break
		}
		held = append(held, f)
	}
	before := r.m.Stats().Callbacks
	r.poll(50)
	if n := r.m.Stats().Callbacks - before; n > 0 || accepted > 0 || !d.Accepting() {
		t.Errorf("%d calls, %d accepted, listening: %v; want 0, 0, true", n, accepted, d.Accepting())
	}
	for _, f := range held {
		f.Close()
	}
	r.must(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	r.until(func() bool { return accepted == 1 })
}

func TestBindTwiceFails(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	asyncore.Init(d, r.m)
	r.must(d.CreateSocket("tcp"))
	r.must(d.Bind("127.0.0.1:0"))
	if d.Bind("127.0.0.1:0") == nil {
		t.Error("a second Bind = nil, want an error")
	}
	d.Close()
}

func TestDispatcherWithSendKeepsTheOrder(t *testing.T) {
	r := newRoom(t)
	d := &struct{ asyncore.DispatcherWithSend }{}
	peer := r.connected(d, "unix")
	want := make([]byte, 1<<20)
	for i := range want {
		want[i] = byte(i * 7 >> 3)
	}
	r.must(d.Send(want[:1000]))
	r.must(d.Send(want[1000:700000]))
	r.must(d.Send(want[700000:]))
	got := make(chan []byte, 1)
	go func() {
		b := make([]byte, len(want))
		io.ReadFull(peer, b)
		got <- b
	}()
	r.until(func() bool {
		select {
		case b := <-got:
			if !slices.Equal(b, want) {
				t.Errorf("the peer got %d bytes, want the %d sent, unchanged", len(b), len(want))
			}
			return true
		default:
			return false
		}
	})
}
