//go:build unix

package asyncore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func reset(c net.Conn) {
	c.(*net.TCPConn).SetLinger(0)
	c.Close()
}

// partings are what a HandleClose may do.
var partings = map[string]func(d *disp) error{
	"sends and closes":        func(d *disp) error { d.Send([]byte("bye")); return d.Close() },
	"sends much and closes":   func(d *disp) error { d.Send(make([]byte, 1<<20)); return d.Close() },
	"sends and goes on":       func(d *disp) error { _, err := d.Send([]byte("bye")); return err },
	"closes and sends":        func(d *disp) error { d.Close(); _, err := d.Send([]byte("bye")); return err },
	"receives":                func(d *disp) error { _, err := d.Recv(1); return err },
	"fails":                   func(d *disp) error { d.Send([]byte("bye")); return errBoom },
	"panics":                  func(d *disp) error { d.Send([]byte("bye")); panic(errBoom) },
	"closes and fails":        func(d *disp) error { d.Close(); return errBoom },
	"aborts":                  func(d *disp) error { d.Abort(); return nil },
	"calls its base twice":    func(d *disp) error { d.Base().HandleClose(); return d.Base().HandleClose() },
	"ends the stream":         func(d *disp) error { d.CloseWrite(); return d.Close() },
	"closes in a goroutine":   func(d *disp) error { go d.Close(); return nil },
	"sends when all was sent": func(d *disp) error { d.WhenSent(func(error) { d.Send([]byte("bye")) }); return d.Close() },
}

func TestHandleCloseOfABrokenConnectionRunsOnce(t *testing.T) {
	for name, parting := range partings {
		for _, way := range []string{"reading", "sending", "sending in HandleError"} {
			t.Run(name+", "+way, func(t *testing.T) {
				r := newRoom(t)
				d := newDisp("", &r.log)
				peer := r.connected(d, "tcp")
				closes := 0
				d.on["close"] = func() error { closes++; return parting(d) }
				d.on["read"] = func() error {
					switch way {
					case "sending":
						reset(peer)
						_, err := d.Send([]byte("reply"))
						return err
					case "sending in HandleError":
						reset(peer)
						return errBoom
					}
					return d.drop()
				}
				d.on["error"] = func() error {
					d.Send([]byte("sorry"))
					return d.Base().HandleError(errBoom)
				}
				r.send(peer, "x")
				if way == "reading" {
					reset(peer)
				}
				for r.m.Len() > 0 { // what HandleClose does in HandleError may come out
					if err := asyncore.Poll(r.m, time.Second); err != nil && !errors.Is(err, errBoom) {
						t.Fatal(err)
					}
				}
				if closes != 1 {
					t.Errorf("HandleClose was called %d times, want once", closes)
				}
			})
		}
	}
}

func TestHandleCloseThatSaysSomethingIsNotToldOfTheEndAgain(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	d.on["close"] = func() error { _, err := d.Send([]byte("bye")); return err }
	peer := r.connected(d, "tcp")
	peer.(*net.TCPConn).CloseWrite()
	r.poll(10)
	r.want("read", "close")
	if d.Cause() != io.EOF {
		t.Errorf("Cause: %v, want %v", d.Cause(), io.EOF)
	}
	peer.SetDeadline(time.Now().Add(10 * time.Second))
	got := make([]byte, 3)
	if _, err := io.ReadFull(peer, got); string(got) != "bye" || err != nil {
		t.Errorf("the peer reads %q, %v; want %q and nil", got, err, "bye")
	}
	if _, err := d.Send([]byte("more")); err != nil || !d.Connected() {
		t.Errorf("Send after HandleClose: %v, connected %v; want nil and true", err, d.Connected())
	}
}

func TestSecondReasonCloses(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	d.on["read"] = func() error { return errBoom }
	d.on["close"] = nothing
	peer := r.connected(d, "tcp")
	r.send(peer, "x")
	r.poll(1)
	delete(d.on, "read")
	peer.Close()
	r.until(func() bool { return r.m.Len() == 0 })
	r.want("read", "error", "close", "read", "read")
	if !errors.Is(d.Cause(), errBoom) {
		t.Errorf("Cause: %v, want the first, %v", d.Cause(), errBoom)
	}
}

func TestHandleErrorIsNotCalledFromWithinItself(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	d.on["read"] = func() error { d.drop(); return errBoom }
	d.on["error"] = func() error { panic(errBoom) }
	peer := r.connected(d, "unix")
	r.send(peer, "x")
	if err := asyncore.Poll(r.m, 0); !errors.Is(err, errBoom) {
		t.Errorf("Poll: %v, want %v", err, errBoom)
	}
	r.want("read", "error")
}

func TestCauseTellsWhyAHandlerEnds(t *testing.T) {
	for name, tt := range map[string]struct {
		do   func(r *room, d *disp, peer net.Conn)
		want error
	}{
		"the end":   {func(r *room, d *disp, peer net.Conn) { peer.Close() }, io.EOF},
		"a reset":   {func(r *room, d *disp, peer net.Conn) { reset(peer) }, syscall.ECONNRESET},
		"its Close": {func(r *room, d *disp, peer net.Conn) { d.Close() }, stream.ErrClosed},
		"its Abort": {func(r *room, d *disp, peer net.Conn) { d.Abort() }, stream.ErrClosed},
		"an error": {func(r *room, d *disp, peer net.Conn) {
			d.on["read"] = func() error { return errBoom }
			r.send(peer, "x")
		}, errBoom},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			d := newDisp("", &r.log)
			peer := r.connected(d, "tcp")
			if d.Cause() != nil {
				t.Errorf("at first: %v, want nil", d.Cause())
			}
			var during error
			d.on["close"] = func() error { during = d.Cause(); return d.Base().HandleClose() }
			tt.do(r, d, peer)
			r.until(func() bool { return r.m.Len() == 0 })
			if !errors.Is(d.Cause(), tt.want) || during != nil && !errors.Is(during, tt.want) {
				t.Errorf("in HandleClose: %v, after it: %v; want %v", during, d.Cause(), tt.want)
			}
		})
	}
	t.Run("a refused connection", func(t *testing.T) {
		r := newRoom(t)
		d := newDisp("", &r.log)
		connecting(r, d, "tcp", false)
		r.until(func() bool { return !d.Connecting() })
		testkit.ErrorIs(t, d.Cause(), syscall.ECONNREFUSED)
	})
	t.Run("a new connection", func(t *testing.T) {
		r := newRoom(t)
		d := newDisp("", &r.log)
		r.connected(d, "unix").Close()
		r.until(func() bool { return r.m.Len() == 0 })
		r.connected(d, "unix")
		if d.Cause() != nil {
			t.Errorf("with a new connection: %v, want nil", d.Cause())
		}
	})
}

// stuck has a Close that fails, each time in another way.
type stuck struct {
	*disp
	closes int
	close  func(s *stuck) error
}

func (s *stuck) Close() error { s.closes++; return s.close(s) }

// refusals are ways in which a Close fails to close, and how often it is called at most.
var refusals = map[string]struct {
	close func(s *stuck) error
	most  int
}{
	"fails":            {func(*stuck) error { return errBoom }, 1},
	"panics":           {func(*stuck) error { panic(errBoom) }, 1},
	"closes and fails": {func(s *stuck) error { s.disp.Close(); return errBoom }, 1},
	"does nothing":     {func(*stuck) error { return nil }, 1},
}

func TestCloseThatFailsIsNotCalledForEver(t *testing.T) {
	for name, refusal := range refusals {
		for _, why := range []string{"the end", "an error", "an error, swallowed"} {
			t.Run(name+", "+why, func(t *testing.T) {
				testkit.Guard(t)
				testkit.Run(t, func(ctx context.Context) error {
					l, _ := reactor.FromContext(ctx)
					m := asyncore.On(l, asyncore.Logger(func(string, string) {}))
					a, b := stream.Pipe(ctx)
					var log []string
					s := &stuck{disp: newDisp("", &log), close: refusal.close}
					if why != "the end" {
						s.on["read"] = func() error { return errBoom }
						b.WriteString(ctx, "x")
					}
					if why == "an error, swallowed" {
						s.on["error"] = nothing
						s.on["read"] = func() error { s.drop(); return errBoom }
					}
					asyncore.Attach(s, a, m)
					for range 10 {
						task.Yield(ctx)
					}
					b.Close()
					for range 1000 {
						task.Yield(ctx)
					}
					if s.closes > refusal.most+1 {
						t.Errorf("Close was called %d times, want at most %d", s.closes, refusal.most+1)
					}
					if name != "does nothing" && m.Len() != 0 {
						t.Errorf("%d handlers are in the map, want none", m.Len())
					}
					s.disp.Close()
					return nil
				}, reactor.WithExceptionHandler(func(*reactor.Loop, reactor.Exception) {}))
			})
		}
	}
}

func TestCloseFromAnotherGoroutineTakesEffectOnTheLoop(t *testing.T) {
	for _, abort := range []bool{false, true} {
		t.Run(fmt.Sprintf("abort %v", abort), func(t *testing.T) {
			r := newRoom(t)
			d := newDisp("", &r.log)
			peer := r.connected(d, "tcp")
			d.on["read"] = func() error {
				go func() {
					if abort {
						d.Abort()
					} else {
						d.Close()
					}
				}()
				return d.drop()
			}
			r.send(peer, "x")
			r.must(asyncore.Loop(r.m))
			r.want("read")
		})
	}
}
