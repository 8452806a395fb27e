package asyncore_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestLoopOnAnEmptyMapReturnsAtOnce(t *testing.T) {
	newRoom(t).must(asyncore.Loop(asyncore.NewMap()))
}

func TestLoopEndsWhenTheMapIsEmptyAndFreesItsDescriptors(t *testing.T) {
	for name, opts := range map[string][]asyncore.LoopOption{"auto": nil, "poll": {asyncore.UsePoll()}, "count": {asyncore.Count(1000)}} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			before := len(testkit.Descriptors())
			d := newDisp("", &r.log)
			peer := r.connected(d, "unix")
			r.send(peer, "x")
			peer.Close()
			r.must(asyncore.Loop(r.m, opts...))
			r.want("read", "read", "close")
			if after := len(testkit.Descriptors()); after != before {
				t.Errorf("%d descriptors are open after Loop, want %d as before", after, before)
			}
		})
	}
}

// epolls counts the open epoll descriptors.
func epolls(t *testing.T) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	for _, e := range entries {
		if to, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.Contains(to, "eventpoll") {
			n++
		}
	}
	return n
}

func TestUsePollReallyUsesPoll(t *testing.T) {
	r := newRoom(t)
	atFirst := epolls(t)
	d := newDisp("", &r.log)
	during := -1
	d.on["read"] = func() error {
		during = epolls(t)
		return d.Close()
	}
	r.send(r.connected(d, "unix"), "x")
	r.must(asyncore.Loop(r.m, asyncore.UsePoll()))
	if during != atFirst {
		t.Errorf("%d epoll descriptors during Loop with UsePoll, want %d as before", during, atFirst)
	}
}

func TestCountAndTimeoutBoundLoop(t *testing.T) {
	r := newRoom(t)
	r.connected(&asked{disp: newDisp("", &r.log)}, "unix")
	r.must(asyncore.Loop(r.m, asyncore.Timeout(0), asyncore.Count(3)))
	r.want("readable?", "writable?", "readable?", "writable?", "readable?", "writable?")
	began := time.Now()
	r.must(asyncore.Loop(r.m, asyncore.Timeout(20*time.Millisecond), asyncore.Count(4)))
	if d := time.Since(began); d < 40*time.Millisecond { // an event may cut one of them short
		t.Errorf("four iterations that wait 20 ms took %v, want at least %v", d, 40*time.Millisecond)
	}
}

func TestErrorThatEndsLoop(t *testing.T) {
	for _, tt := range []struct {
		name string
		on   func(d *disp)
		is   error
	}{
		{"ErrExitNow", func(d *disp) { d.on["read"] = func() error { return asyncore.ErrExitNow } }, asyncore.ErrExitNow},
		{"panic with ErrExitNow", func(d *disp) { d.on["read"] = func() error { panic(asyncore.ErrExitNow) } }, asyncore.ErrExitNow},
		{"HandleError's", func(d *disp) {
			d.on["read"] = func() error { return errBoom }
			d.on["error"] = func() error { return context.Canceled }
		}, context.Canceled},
		{"HandleClose's, in HandleError", func(d *disp) {
			d.on["read"] = func() error { return errBoom }
			d.on["close"] = func() error { return os.ErrInvalid }
		}, os.ErrInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			d, other := newDisp("", &r.log), newDisp("other ", &r.log)
			tt.on(d)
			p, q := r.connected(d, "unix"), r.connected(other, "unix")
			r.send(p, "x")
			r.send(q, "x")
			if err := asyncore.Loop(r.m); !errors.Is(err, tt.is) {
				t.Errorf("Loop returned %v, want %v", err, tt.is)
			}
			if r.m.Len() != 2 || !d.Connected() {
				t.Errorf("%d handlers are left, want both", r.m.Len())
			}
			d.on, r.log = map[string]func() error{}, nil
			r.poll(1)
			r.want("read", "other read")
		})
	}
}

func TestCloseAllStopsAtTheFirstErrorUnlessToldOtherwise(t *testing.T) {
	r := newRoom(t)
	for _, name := range []string{"a", "b", "c"} {
		d := newDisp(name, &r.log)
		r.connected(&badCloser{d}, "unix")
	}
	if err := asyncore.CloseAll(r.m, false); !errors.Is(err, errBoom) || r.m.Len() != 2 {
		t.Errorf("CloseAll: %v, %d left; want %v and 2", err, r.m.Len(), errBoom)
	}
	if err := asyncore.CloseAll(r.m, true); r.m.Len() != 0 {
		t.Errorf("CloseAll: %v, %d left; want 0", err, r.m.Len())
	}
}

// closing are the ways to call fn on the loop of r while the loop runs.
var closing = map[string]func(r *room, fn func() error){
	"in a callback of the loop": func(r *room, fn func() error) {
		loop, err := r.m.Loop()
		r.must(err)
		r.must(loop.CallSoon(func() { r.must(fn()) }))
	},
	"in a handler": func(r *room, fn func() error) {
		d := newDisp("", &r.log)
		d.on["read"] = fn
		r.send(r.connected(d, "unix"), "x")
	},
}

func TestCloseAllOnTheLoopEndsIt(t *testing.T) {
	for how, on := range closing {
		for name, run := range map[string]func(m *asyncore.Map) error{
			"Loop":           func(m *asyncore.Map) error { return asyncore.Loop(m) },
			"Loop of counts": func(m *asyncore.Map) error { return asyncore.Loop(m, asyncore.Count(1000)) },
			"Poll": func(m *asyncore.Map) error {
				for m.Len() > 0 {
					if err := asyncore.Poll(m, time.Second); err != nil {
						return err
					}
				}
				return nil
			},
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				r := newRoom(t)
				before := len(testkit.Descriptors())
				peer := r.connected(newDisp("", &r.log), "unix")
				on(r, func() error { return asyncore.CloseAll(r.m, false) })
				r.must(run(r.m))
				if n, err := peer.Read(make([]byte, 1)); err != io.EOF {
					t.Errorf("the peer reads %d bytes, %v, want the end", n, err)
				}
				peer.Close()
				if how == "in a handler" {
					before++ // the other peer
				}
				if after := len(testkit.Descriptors()); after != before {
					t.Errorf("%d descriptors are open, want %d", after, before)
				}
			})
		}
	}
}

func TestErrExitNowAfterCloseAllEndsLoop(t *testing.T) {
	r := newRoom(t)
	closing["in a handler"](r, func() error { return errors.Join(asyncore.CloseAll(r.m, false), asyncore.ErrExitNow) })
	if err := asyncore.Loop(r.m); !errors.Is(err, asyncore.ErrExitNow) {
		t.Errorf("Loop returned %v, want %v", err, asyncore.ErrExitNow)
	}
}

func TestHandlerMadeAfterCloseAllKeepsTheLoop(t *testing.T) {
	r := newRoom(t)
	late := newDisp("late ", &r.log)
	conn, peer := r.pair("unix")
	r.send(peer, "x")
	late.on["read"] = late.Close
	closing["in a handler"](r, func() error {
		r.must(asyncore.CloseAll(r.m, false))
		asyncore.Attach(late, conn, r.m)
		return nil
	})
	r.must(asyncore.Loop(r.m))
	r.want("read", "late read")
}

type badCloser struct{ *disp }

func (b *badCloser) Close() error { b.disp.Close(); return errBoom }

// echo is the classic echo handler.
type echo struct{ asyncore.Dispatcher }

func (e *echo) HandleRead() error {
	data, err := e.Recv(8192)
	if len(data) > 0 {
		_, err = e.Send(data)
	}
	return err
}

func TestHandlersLiveBesideTasks(t *testing.T) {
	testkit.Guard(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		m := asyncore.On(loop)
		s := &echoServer{}
		asyncore.Init(s, m)
		if err := errors.Join(s.CreateSocket("tcp"), s.Bind("127.0.0.1:0"), s.Listen(10)); err != nil {
			return err
		}
		defer asyncore.CloseAll(m, false)
		empty := asyncore.On(loop)
		c, err := stream.Dial(ctx, "tcp", s.Addr().String())
		if err != nil {
			return err
		}
		defer c.Close()
		for range 100 {
			if _, err := c.WriteString(ctx, "hello\n"); err != nil {
				return err
			}
			if line, err := c.ReadLine(ctx); line != "hello" {
				t.Errorf("echo of hello is %q, %v; want %q", line, err, "hello")
			}
		}
		for _, m := range []*asyncore.Map{m, empty} {
			testkit.Panics(t, "asyncore: …", func() { asyncore.Loop(m) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

type echoServer struct{ asyncore.Dispatcher }

func (s *echoServer) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	asyncore.Attach(&echo{}, c, s.Map())
	return nil
}
