//go:build unix || windows

package stream

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// What a connection does is the same over every transport. A new transport is a line in plugs; the
// tests of reading and writing beside this file then run over it.

// plug puts a transport on top of those of a connected pair. It moves at most most bytes at a time,
// if it is one that stops short.
type plug struct {
	name string
	in   func(t testing.TB, tested, peer *Conn, most int)
}

var plugs = []plug{
	{"as it is", func(testing.TB, *Conn, *Conn, int) {}},
	{"short", func(_ testing.TB, tested, _ *Conn, most int) {
		plugIn(tested, func(_ *endpoint, below transport) transport { return &short{below, most} })
	}},
	{"ahead", func(_ testing.TB, tested, _ *Conn, most int) {
		plugIn(tested, func(_ *endpoint, below transport) transport { return &ahead{transport: below, most: most} })
	}},
	{"holding", func(_ testing.TB, tested, _ *Conn, most int) {
		plugIn(tested, func(e *endpoint, below transport) transport {
			return &holding{transport: below, later: later{e: e}, most: most}
		})
	}},
	{"owing", func(_ testing.TB, tested, _ *Conn, _ int) {
		plugIn(tested, func(e *endpoint, below transport) transport {
			return &owing{transport: below, later: later{e: e}}
		})
	}},
	{"TLS 1.2", plugInTLS12},
	{"TLS 1.3", plugInTLS13},
}

// plugIn replaces the transport of a connection that nobody has used yet.
func plugIn(c *Conn, on func(e *endpoint, below transport) transport) {
	e := c.e.Load()
	e.lock()
	defer e.unlock()
	e.transport = on(e, e.transport)
	e.mayRead, e.mayWrite = true, true // it may hold something already
}

// short returns few bytes, with more to come.
type short struct {
	transport
	most int
}

func (s *short) read(p []byte) (n int, more bool, err error) {
	n, _, err = s.transport.read(p[:min(len(p), s.most)])
	return n, n > 0, err
}

func (s *short) write(p []byte) (n int, more bool, err error) {
	return s.transport.write(p[:min(len(p), s.most)])
}

// ahead has input without any event: it takes all there is from below, and gives it away in pieces.
type ahead struct {
	transport
	most int
	have []byte
}

func (a *ahead) read(p []byte) (n int, more bool, err error) {
	if len(a.have) == 0 {
		b := make([]byte, 64<<10)
		n, _, err = a.transport.read(b)
		if a.have = b[:n]; n == 0 {
			return 0, false, err
		}
	}
	n = copy(p[:min(len(p), a.most)], a.have)
	a.have = a.have[n:]
	return n, true, nil // below, something may have come since
}

// later is an event that a transport of these tests waits for. It comes in a callback of its own.
type later struct {
	e     *endpoint
	asked bool
	come  bool
}

func (l *later) ask() {
	if l.asked {
		return
	}
	l.asked = true
	l.e.core().Post(loop.Callback(func() {
		l.e.lock()
		l.asked, l.come = false, true
		l.e.ready(true, true)
	}))
}

// taken reports whether the event has come since it did so last.
func (l *later) taken() bool {
	come := l.come
	l.come = false
	return come
}

// holding takes bytes and holds them, up to a bound. One piece goes down with each event, and so
// does the end of the stream.
type holding struct {
	transport
	later
	most   int
	held   []byte
	ending bool
}

func (h *holding) write(p []byte) (n int, more bool, err error) {
	if len(h.held) >= 2*h.most {
		h.ask()
		return 0, false, nil
	}
	n = min(len(p), h.most)
	h.held = append(h.held, p[:n]...)
	return n, true, nil
}

func (h *holding) flush() (pending bool, err error) {
	if len(h.held) == 0 && !h.ending {
		return false, nil
	}
	if h.taken() {
		switch n := min(h.most, len(h.held)); {
		case n > 0:
			n, _, err = h.transport.write(h.held[:n])
			h.held = h.held[n:]
		default:
			h.ending = false
			err = h.transport.closeWrite()
		}
	}
	if pending = err == nil && (len(h.held) > 0 || h.ending); pending {
		h.ask()
	}
	return pending, err
}

func (h *holding) closeWrite() error {
	h.ending = true
	return nil
}

// owing owes the peer something for each read, and reads on only when that has gone.
type owing struct {
	transport
	later
	owes bool
}

func (o *owing) read(p []byte) (n int, more bool, err error) {
	if pending, _ := o.flush(); pending {
		return 0, false, nil
	}
	n, more, err = o.transport.read(p)
	o.owes = n > 0
	return n, more, err
}

func (o *owing) flush() (pending bool, err error) {
	if o.owes && o.taken() {
		o.owes = false
	}
	if o.owes {
		o.ask()
	}
	return o.owes, nil
}

// carriers are what is below the plugs.
var carriers = []struct {
	name string
	pair func(t testing.TB, l *reactor.Loop) (a, b *Conn)
}{
	{"tcp", func(t testing.TB, l *reactor.Loop) (a, b *Conn) { return socketPair(t, l, "tcp", "127.0.0.1:0") }},
	{"unix", func(t testing.TB, l *reactor.Loop) (a, b *Conn) {
		return socketPair(t, l, "unix", filepath.Join(t.TempDir(), "s"))
	}},
	{"pipe", func(_ testing.TB, l *reactor.Loop) (a, b *Conn) { return Pipe(l.Context()) }},
}

func socketPair(t testing.TB, l *reactor.Loop, network, address string) (a, b *Conn) {
	ln, err := Listen(l.Context(), network, address)
	if err != nil {
		t.Skipf("there is no %s here: %v", network, err)
	}
	defer ln.Close()
	a = testkit.Must(Dial(l.Context(), network, ln.Addr().String()))
	return a, testkit.Must(ln.Accept(context.Background()))
}

// callers are where the calls under test are made.
var callers = map[string]func(t testing.TB, l *reactor.Loop, fn func(ctx context.Context)){
	"task":      testkit.InTask,
	"goroutine": func(_ testing.TB, _ *reactor.Loop, fn func(ctx context.Context)) { fn(context.Background()) },
}

// over is one combination of a transport and a caller.
type over struct {
	testing.TB
	loop *reactor.Loop
	pair func(most int) (tested, peer *Conn) // a new connection, closed at the end
	run  func(fn func(ctx context.Context))  // by the caller, to its end
}

// overEach runs f over each transport.
func overEach(t *testing.T, f func(t over)) {
	for _, k := range carriers {
		if testing.Short() && k.name == "unix" {
			continue // to this suite it is as TCP
		}
		for _, p := range plugs {
			for name, run := range callers {
				t.Run(fmt.Sprintf("%s/%s/%s", k.name, p.name, name), func(t *testing.T) {
					l := testkit.StartLoop(t)
					f(over{t, l, func(most int) (tested, peer *Conn) {
						tested, peer = k.pair(t, l)
						p.in(t, tested, peer, most)
						t.Cleanup(func() { tested.Abort(); peer.Abort() })
						return tested, peer
					}, func(fn func(ctx context.Context)) { run(t, l, fn) }})
				})
			}
		}
	}
}

// beside runs fn in a task beside the caller. wait waits for its end.
func (t over) beside(fn func(ctx context.Context)) (wait func()) {
	tk := task.Spawn(t.loop.Context(), func(ctx context.Context) error { fn(ctx); return nil })
	return func() { tk.Await(context.Background()) }
}

// wantError compares with ==, as those do who compare the ends of a stream.
func (t over) wantError(what string, err, want error) {
	t.Helper()
	if err != want {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
}

// breaking is a transport whose close panics.
type breaking struct{ transport }

func (b breaking) close(reset bool) error {
	b.transport.close(reset)
	panic("broken")
}

// A transport that fails so is reported, and the loop's end closes the other connections all the
// same.
func TestATransportThatPanicsKeepsNoOtherOpen(t *testing.T) {
	var reported testkit.Exceptions
	l := testkit.StartLoop(t, reported.Option())
	a, b := Pipe(l.Context())
	c, d := Pipe(l.Context())
	for _, conn := range []*Conn{b, c} {
		plugIn(conn, func(_ *endpoint, below transport) transport { return breaking{below} })
	}
	if err := l.Close(); err != nil {
		t.Errorf("Close: %v, want nil", err)
	}
	for _, conn := range []*Conn{a, b, c, d} {
		if err := conn.WaitClosed(context.Background()); !errors.Is(err, reactor.ErrClosed) {
			t.Errorf("WaitClosed: %v, want %v", err, reactor.ErrClosed)
		}
	}
	if n := StatsOf(l).Open; n != 0 {
		t.Errorf("%d connections are open, want none", n)
	}
	if n := len(reported.All()); n != 2 {
		t.Errorf("%d reports, want one for each of the two: %v", n, reported.Ops())
	}
}
