package asyncore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestRecvLendsUntilTheCallbackReturns(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "unix")
	var got string
	d.on["read"] = func() error {
		a, _ := d.Recv(3)
		b, _ := d.Recv(3)
		c, _ := d.Recv(100)
		_, err := d.Recv(1)
		if !errors.Is(err, stream.ErrWouldBlock) {
			t.Errorf("Recv of nothing: %v, want %v", err, stream.ErrWouldBlock)
		}
		got = string(a) + "|" + string(b) + "|" + string(c)
		return nil
	}
	r.send(peer, "abcdefgh")
	r.poll(1)
	if got != "abc|def|gh" {
		t.Errorf("received %q, want %q", got, "abc|def|gh")
	}
}

func TestRecvTakesAllThereIs(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "unix")
	got := 0
	d.on["read"] = func() error {
		p, err := d.Recv(64 << 10)
		got = len(p)
		return err
	}
	r.send(peer, strings.Repeat("x", 50000))
	r.poll(1)
	if got != 50000 {
		t.Errorf("received %d bytes of 50000, want 50000", got)
	}
}

func TestPredicatesAreAskedOnceAnIterationInMapOrder(t *testing.T) {
	r := newRoom(t)
	var peers []net.Conn
	for _, name := range []string{"a ", "b ", "c "} {
		peers = append(peers, r.connected(&askedWriter{asked{disp: newDisp(name, &r.log), readable: true, writable: name == "b "}}, "unix"))
	}
	for _, p := range peers {
		r.send(p, "x")
	}
	r.log = nil
	r.poll(2)
	asks := []string{"a readable?", "a writable?", "b readable?", "b writable?", "c readable?", "c writable?"}
	r.want(slices.Concat(asks, []string{"a read", "b read", "c read", "b write"}, asks, []string{"b write"})...)
}

func TestHandlerThatIsNotReadableKeepsItsInput(t *testing.T) {
	r := newRoom(t)
	a := &asked{disp: newDisp("", &r.log)}
	peer := r.connected(a, "unix")
	r.send(peer, "kept")
	r.poll(3)
	a.readable, r.log = true, nil
	got := ""
	a.on["read"] = func() error {
		p, err := a.Recv(100)
		got = string(p)
		return err
	}
	r.poll(1)
	r.want("readable?", "writable?", "read")
	if got != "kept" {
		t.Errorf("received %q, want %q", got, "kept")
	}
}

func TestHandlerThatDoesNotConsumeIsCalledAgain(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	d.on["read"] = nothing
	peer := r.connected(d, "unix")
	r.send(peer, "x")
	r.poll(3)
	r.want("read", "read", "read")
}

func TestEndIsToldAgainUntilTheHandlerCloses(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	d.on["close"] = nothing
	peer := r.connected(d, "unix")
	peer.Close()
	r.poll(2)
	delete(d.on, "close")
	r.poll(2)
	r.want("read", "close", "read", "close", "read", "close")
}

func TestHandlerWithoutWritableIsToldOfRoomOnce(t *testing.T) {
	r := newRoom(t)
	r.connected(&writer{newDisp("", &r.log)}, "unix")
	r.poll(10)
	r.want("write")
}

func TestBareDispatcherCausesNoCalls(t *testing.T) {
	r := newRoom(t)
	d := &struct{ asyncore.Dispatcher }{}
	peer := r.connected(d, "unix")
	r.send(peer, "nobody reads this")
	r.poll(5)
	before := r.m.Stats().Callbacks
	r.poll(50)
	if n := r.m.Stats().Callbacks - before; n > 0 {
		t.Errorf("%d calls in 50 iterations, want 0", n)
	}
}

func TestFailureInACallbackGoesToHandleError(t *testing.T) {
	for _, panics := range []bool{false, true} {
		for _, where := range []string{"read", "write", "close", "readable", "writable", "accept"} {
			t.Run(fmt.Sprintf("%s panics %v", where, panics), func(t *testing.T) {
				r := newRoom(t)
				d := newDisp("", &r.log)
				d.on["error"] = nothing
				d.on[where] = func() error {
					delete(d.on, where)
					if panics {
						panic(errBoom)
					}
					return errBoom
				}
				failing(r, d, where)
				r.until(func() bool { return len(d.errors) > 0 })
				r.poll(3)
				if len(d.errors) != 1 || !errors.Is(d.errors[0], errBoom) {
					t.Errorf("errors %v, want one, %v", d.errors, errBoom)
				}
				if where != "close" && !d.Connected() && !d.Accepting() {
					t.Error("the handler is closed though HandleError took the error, want it open")
				}
			})
		}
	}
}

// failing gives d, or a handler around it, an event in which it fails.
func failing(r *room, d *disp, where string) {
	switch where {
	case "accept":
		listen(r, d)
		dial(r, d.Addr())
		return
	case "write":
		r.connected(&writer{d}, "unix")
		return
	case "readable", "writable":
		if d.on[where] == nil {
			return
		}
		r.connected(&failingPredicate{disp: d, where: where}, "unix")
		return
	}
	peer := r.connected(d, "unix")
	r.send(peer, "x")
	if where == "close" {
		peer.Close()
	}
}

type failingPredicate struct {
	*disp
	where string
}

func (f *failingPredicate) Readable() bool { return f.ask("readable") }
func (f *failingPredicate) Writable() bool { return f.ask("writable") }

func (f *failingPredicate) ask(which string) bool {
	if f.where == which && f.on[which] != nil {
		if err := f.on[which](); err != nil {
			panic(err)
		}
	}
	return false
}

func listen(r *room, d asyncore.Handler) {
	r.t.Helper()
	asyncore.Init(d, r.m)
	l := d.(interface {
		CreateSocket(string) error
		Bind(string) error
		Listen(int) error
	})
	r.must(l.CreateSocket("tcp"))
	r.must(l.Bind("127.0.0.1:0"))
	r.must(l.Listen(10))
}

func dial(r *room, a net.Addr) net.Conn {
	r.t.Helper()
	c, err := net.Dial("tcp", a.String())
	r.must(err)
	r.t.Cleanup(func() { c.Close() })
	return c
}

func TestClosedHandlerIsNeverCalledAgain(t *testing.T) {
	for _, tt := range []struct {
		name string
		act  func(self, other *disp) error
		want []string
	}{
		{"closed by another in the same turn", func(_, other *disp) error { return other.Close() }, []string{"a read"}},
		{"closes itself", func(self, _ *disp) error { return self.Close() }, []string{"a read", "b read"}},
		{"closes itself, then fails", func(self, _ *disp) error { self.Close(); return errBoom }, []string{"a read", "b read"}},
		{"lets another go", func(_, other *disp) error { other.DelChannel(); return nil }, []string{"a read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRoom(t)
			a, b := newDisp("a ", &r.log), newDisp("b ", &r.log)
			a.on["read"] = func() error {
				delete(a.on, "read")
				return tt.act(a, b)
			}
			pa, pb := r.connected(a, "unix"), r.connected(b, "unix")
			r.send(pa, "x")
			r.send(pb, "x")
			r.poll(1)
			pa.Close()
			pb.Close()
			r.want(tt.want...)
			r.log = nil
			r.poll(1)
			b.Close()
		})
	}
}

func TestHandlerAddedInAnEventTakesPartFromTheNextIteration(t *testing.T) {
	r := newRoom(t)
	a, b := newDisp("a ", &r.log), newDisp("b ", &r.log)
	conn, pb := r.pair("unix")
	r.send(pb, "x")
	pa := r.connected(a, "unix")
	a.on["read"] = func() error {
		asyncore.Attach(b, conn, r.m)
		return a.drop()
	}
	r.send(pa, "x")
	r.poll(1)
	r.want("a read")
	r.poll(1)
	r.want("b read")
}

func TestDelChannelAndAddChannel(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "unix")
	d.DelChannel()
	d.DelChannel()
	r.send(peer, "x")
	r.poll(2)
	r.want()
	if !d.Connected() || r.m.Len() != 0 {
		t.Errorf("connected: %v, %d handlers in the map; want true and 0", d.Connected(), r.m.Len())
	}
	d.AddChannel(r.m)
	r.poll(1)
	r.want("read")
}

func TestHandlerMovesToAnotherMapOfTheLoop(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "unix")
	other := newDisp("", &r.log)
	second := r.connected(other, "unix")
	m := asyncore.On(reactorOf(other))
	r.send(peer, "x")
	r.send(second, "x")
	other.on["read"] = other.drop
	d.on["read"] = func() error {
		other.AddChannel(m) // it is queued, in the map it leaves
		return d.drop()
	}
	r.poll(1)
	r.want("read")
	r.poll(1)
	r.want("read")
	if other.Map() != m || m.Len() != 1 || r.m.Len() != 1 {
		t.Errorf("%d and %d handlers, want one each", r.m.Len(), m.Len())
	}
	other.Close()
	r.poll(1)
}

func reactorOf(h asyncore.Handler) *reactor.Loop {
	l, _ := reactor.FromContext(h.(interface{ Context() context.Context }).Context())
	return l
}

func TestHandlersComeInTheOrderTheyWereAdded(t *testing.T) {
	r := newRoom(t)
	names := func() (names string) {
		for h := range r.m.Handlers() {
			names += h.(*disp).name
		}
		return names
	}
	all := map[string]*disp{}
	for _, name := range []string{"a", "b", "c"} {
		all[name] = newDisp(name, &r.log)
		r.connected(all[name], "unix")
	}
	all["a"].DelChannel()
	if got := names(); got != "bc" {
		t.Errorf("handlers %s, want bc", got)
	}
	all["a"].AddChannel(r.m)
	if got := names(); got != "bca" || r.m.Len() != 3 {
		t.Errorf("handlers %s, want bca", got)
	}
}

func TestResetIsToldOnceAfterTheInput(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "tcp")
	r.send(peer, "abc")
	peer.(*net.TCPConn).SetLinger(0)
	peer.Close()
	r.until(func() bool { return !d.Connected() })
	r.want("read", "read", "close")
}

// closer has a Close of its own.
type closer struct {
	asyncore.Dispatcher
	closed int
}

func (c *closer) Close() error {
	c.closed++
	return c.Dispatcher.Close()
}

func TestCloseOfTheHandlerIsTheOneThatIsCalled(t *testing.T) {
	r := newRoom(t)
	a, b := &closer{}, &closer{}
	r.connected(a, "unix").Close()
	r.connected(b, "unix")
	r.poll(2)
	r.must(asyncore.CloseAll(r.m, false))
	if a.closed != 1 || b.closed != 1 {
		t.Errorf("closed %d and %d times, want once each", a.closed, b.closed)
	}
}

type wrongRead struct{ asyncore.Dispatcher }

func (*wrongRead) HandleRead() {}

type wrongAccepted struct{ asyncore.Dispatcher }

func (*wrongAccepted) HandleAccepted(c *stream.Conn) error { return nil }

type wrongClose struct{ asyncore.Dispatcher }

func (*wrongClose) Close() {}

func TestMethodWithAWrongSignaturePanicsInInit(t *testing.T) {
	r := newRoom(t)
	testkit.Panics(r.t, "asyncore: *asyncore_test.wrongRead.HandleRead must be func() error, and is func()",
		func() { asyncore.Init(&wrongRead{}, r.m) })
	testkit.Panics(r.t, "asyncore: *asyncore_test.wrongAccepted.HandleAccepted must be func(*stream.Conn, net.Addr) error, and is func(*stream.Conn) error",
		func() { asyncore.Init(&wrongAccepted{}, r.m) })
	testkit.Panics(r.t, "asyncore: *asyncore_test.wrongClose.Close must be func() error, and is func()",
		func() { asyncore.Init(&wrongClose{}, r.m) })
	testkit.Panics(r.t, "asyncore: a handler needs a Map; make one with NewMap or On",
		func() { asyncore.Init(&closer{}, nil) })
}

func TestSecondConnectionForAHandlerPanics(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	r.connected(d, "unix")
	conn, _ := r.pair("unix")
	defer conn.Close()
	testkit.Panics(r.t, "asyncore: the handler has a connection, or a listener, already", func() { asyncore.Attach(d, conn, r.m) })
}

func TestContextTellsWhyTheHandlerHasNothingToServe(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	loop, err := r.m.Loop()
	r.must(err)
	asyncore.Init(d, r.m)
	fresh := d.Context()
	if l, _ := reactor.FromContext(fresh); l != loop || fresh.Err() == nil {
		t.Errorf("before it has a connection: loop %p, %v; want loop %p and an error", l, fresh.Err(), loop)
	}
	r.connected(d, "unix")
	ctx := d.Context()
	if ctx.Err() != nil || d.Context() != ctx {
		t.Errorf("with a connection: %v, the same context again: %v; want nil and true", ctx.Err(), d.Context() == ctx)
	}
	d.Close()
	for when, ctx := range map[string]context.Context{"before": ctx, "after": d.Context()} {
		if cause := context.Cause(ctx); cause != stream.ErrClosed {
			t.Errorf("asked for %s Close: %v, want %v", when, cause, stream.ErrClosed)
		}
	}
}

func TestListenAndAcceptSayWhatIsMissing(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	asyncore.Init(d, r.m)
	if err := d.Listen(1); err == nil || err.Error() != "asyncore: the handler has no address to listen at; call Bind first" {
		t.Errorf("Listen = %v, want an error that says to call Bind first", err)
	}
	if _, _, err := d.Accept(); err == nil || err.Error() != "asyncore: the handler does not listen; call Listen first" {
		t.Errorf("Accept = %v, want an error that says to call Listen first", err)
	}
}

// farewell says goodbye in HandleClose. If the peer is gone, that send finds it out once more.
type farewell struct {
	asyncore.Dispatcher
	closes int
}

func (f *farewell) HandleRead() error {
	_, err := f.Recv(16)
	return err
}

func (f *farewell) HandleClose() error {
	f.closes++
	if _, err := f.Send([]byte("221 bye\n")); err != nil {
		return err
	}
	f.Recv(16) // the end once more
	return f.Close()
}

func TestHandleCloseIsNotCalledFromWithinItself(t *testing.T) {
	for name, end := range map[string]func(c net.Conn){
		"the peer has gone": func(c net.Conn) { c.Close() },
		"the peer has reset": func(c net.Conn) {
			c.(*net.TCPConn).SetLinger(0)
			c.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			h := &farewell{}
			end(r.connected(h, "tcp"))
			r.until(func() bool { return r.m.Len() == 0 })
			if h.closes != 1 {
				t.Errorf("HandleClose was called %d times, want once", h.closes)
			}
		})
	}
}

// stubborn fails to read, and to close.
type stubborn struct {
	asyncore.Dispatcher
	closes int
}

func (s *stubborn) HandleRead() error           { return errBoom }
func (s *stubborn) HandleError(err error) error { return err }
func (s *stubborn) Close() error                { s.closes++; return errBoom }

func TestAHandlerWhoseCloseFailsLeavesASharedLoop(t *testing.T) {
	err := task.Run(t.Context(), func(ctx context.Context) error {
		l, _ := reactor.FromContext(ctx)
		m := asyncore.On(l, asyncore.Logger(func(string, string) {}))
		a, b := stream.Pipe(ctx)
		defer b.Close()
		s := &stubborn{}
		asyncore.Attach(s, a, m)
		if _, err := b.WriteString(ctx, "boom"); err != nil {
			return err
		}
		if _, err := b.ReadLine(ctx); err != io.EOF {
			t.Errorf("the peer reads %v, want io.EOF", err)
		}
		if s.closes != 1 || m.Len() != 0 {
			t.Errorf("Close was called %d times, and the map has %d handlers; want once, and none", s.closes, m.Len())
		}
		return nil
	}, task.WithSignals(), task.WithLoopOptions(reactor.WithExceptionHandler(func(*reactor.Loop, reactor.Exception) {})))
	if err != nil {
		t.Error(err)
	}
}
