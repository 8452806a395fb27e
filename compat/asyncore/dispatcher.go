package asyncore

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/corobridge/corobridge/compat/internal/classic"
	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

var (
	// ErrExitNow ends Loop when a handler's method returns it (asyncore.ExitNow). A loop that
	// others run (On) goes on: its exception handler is told, and the handler is closed.
	ErrExitNow = errors.New("asyncore: exit now")
	// ErrNotInitialised is the error of a handler that Init and Attach have not seen.
	ErrNotInitialised = errors.New("asyncore: the handler is not initialised; call Init or Attach with the outer value first")
	// ErrNoConnection is the error of a call that needs a connection.
	ErrNoConnection = errors.New("asyncore: the handler has no connection")

	errNotBound     = errors.New("asyncore: the handler has no address to listen at; call Bind first")
	errNotListening = errors.New("asyncore: the handler does not listen; call Listen first")
)

// Dispatcher is embedded by handlers. It has a connection or a listener. Its methods are called on
// the handler's loop, or before the loop runs.
type Dispatcher struct {
	// Set by Init.
	handler any // the outer value
	methods *methods
	class   classic.Class
	in      *Map
	network string // as CreateSocket was told
	options []stream.Option

	// What it serves. At most one of connected, connecting and accepting holds:
	//
	//	connecting  from Connect until HandleConnect has returned; conn is set after dialling
	//	connected   from then, or from Attach, until Close or a hand-over; conn is set
	//	accepting   from Listen until Close; listener is set, from Bind on
	//
	// When none of the three holds, the handler is at rest: it is in no map, and nothing calls it.
	connected  bool
	connecting bool
	accepting  bool
	closed     bool  // by Close; false again when there is something new to serve
	lost       error // set by a hand-over; nil again likewise
	ending     ending
	failing    bool // HandleError is running

	// The stream to the peer ends: finishing from CloseWrite until the base class has sent what it
	// has queued, finished from then on.
	finishing bool
	finished  bool
	unsure    bool // what was sent may have been lost since

	conn     *stream.Conn
	listener *stream.Listener
	waiting  *stream.Conn // accepted ahead, for the next Accept
	dialing  *task.Task[*stream.Conn]
	addr     net.Addr

	// Its place in the map. It is a member from Attach, Listen or Connect until it rests or
	// DelChannel is called. Only a member is called.
	member bool
	loose  bool   // DelChannel took it out with its connection open; the map counts these
	order  uint64 // of joining the map

	// What one iteration of the map knows.
	queued    bool
	round     uint64 // of the iteration that wantRead and wantWrite are for
	wantRead  bool
	wantWrite bool
	readEdge  bool   // there is input that a handler without HandleRead has not been told of
	writeEdge bool   // there is room that a handler without Writable has not been told of
	flushed   uint64 // the round in which Send has last given the kernel something

	priority int // SetPriority

	ctx    context.Context // nil until somebody asks
	cancel context.CancelCauseFunc
	end    *future.Promise[classic.End] // nil unless somebody waits for the end

	timers timers
	sent   sent
	urgent urgent
}

func (d *Dispatcher) dispatcher() *Dispatcher { return d }

// Init makes h a handler without a connection: dispatcher.__init__(self, map=m). h must be the
// outer value, so that its methods are found. Init is called on m's loop, or before the loop runs.
// It panics if m is nil, or if h has a connection already. It also panics if a method of h has the
// name of one of the interfaces beside Handler and another signature.
func Init(h Handler, m *Map) {
	d := h.dispatcher()
	d.mustBeFree()
	if m == nil {
		panic("asyncore: a handler needs a Map; make one with NewMap or On")
	}
	d.handler, d.in = h, m
	d.methods = methodsOf(h)
	if b, ok := h.(classic.Base); ok {
		d.class = b.ClassicClass(h)
	}
}

// Attach makes h the handler of a live connection: dispatcher.__init__(self, sock, m). From now on
// the connection is h's, and c is inert. If the connection is closed already, h is closed too.
// Attach is called as Init is. It also panics if the connection belongs to another loop than m.
func Attach(h Handler, c *stream.Conn, m *Map) {
	Init(h, m)
	if d := h.dispatcher(); d.attach(c) != nil {
		d.closeHandler()
	}
}

// mustBeFree panics if the handler already has something to serve, which is the caller's bug.
func (d *Dispatcher) mustBeFree() {
	if d.alive() {
		panic("asyncore: the handler has a connection, or a listener, already")
	}
}

func (d *Dispatcher) attach(c *stream.Conn) error {
	d.mustBeFree()
	if l := c.Loop(); l != nil {
		d.in.adopt(l)
	}
	own, err := c.Detach()
	if err != nil {
		return err
	}
	d.begin()
	d.connected = true
	d.use(own)
	return nil
}

// begin makes the handler a member of its map. It is called before the handler gets something new
// to serve.
func (d *Dispatcher) begin() {
	d.closed, d.lost, d.ending = false, nil, ending{}
	d.finishing, d.finished, d.unsure = false, false, false
	d.in.add(d)
}

// use sets the connection. There may be input already, so it also wakes the handler.
func (d *Dispatcher) use(c *stream.Conn) {
	d.conn, d.addr = c, c.RemoteAddr()
	d.readEdge, d.writeEdge = true, true
	c.OnReady(d.onReady)
	if d.methods.expt {
		c.OnUrgent(d.onUrgent)
	}
	d.in.wake(d)
}

// onReady is called at every change of the connection or listener.
func (d *Dispatcher) onReady() {
	d.readEdge, d.writeEdge = true, true
	d.in.wake(d)
	d.in.arm()
}

// alive reports whether the handler has anything to serve.
func (d *Dispatcher) alive() bool { return d.connected || d.connecting || d.accepting }

// leave takes the handler out of its map.
func (d *Dispatcher) leave() {
	if d.in != nil {
		d.in.remove(d)
		d.setLoose(false)
	}
}

func (d *Dispatcher) setLoose(loose bool) {
	switch {
	case loose && !d.loose:
		d.in.loose++
	case d.loose && !loose:
		d.in.loose--
	}
	d.loose = loose
}

// Connected reports whether there is a connection.
func (d *Dispatcher) Connected() bool { return d.connected }

// Connecting reports whether Connect is under way.
func (d *Dispatcher) Connecting() bool { return d.connecting }

// Accepting reports whether the handler listens.
func (d *Dispatcher) Accepting() bool { return d.accepting }

// Addr returns the peer's address, or the one that the handler listens at. It still does after
// Close.
func (d *Dispatcher) Addr() net.Addr { return d.addr }

// LocalAddr returns the address of this side, and nil while there is neither a connection nor a
// listener.
func (d *Dispatcher) LocalAddr() net.Addr {
	switch {
	case d.conn != nil:
		return d.conn.LocalAddr()
	case d.listener != nil:
		return d.listener.Addr()
	}
	return nil
}

// Map returns the map the handler is in.
func (d *Dispatcher) Map() *Map { return d.in }

// DelChannel takes the handler out of its map, so that it is not called any more. Its connection
// stays open and may be used.
func (d *Dispatcher) DelChannel() {
	if d.member {
		d.in.remove(d)
		d.setLoose(d.alive())
	}
}

// AddChannel puts the handler into another map of the same loop. It panics if that map is of
// another loop.
func (d *Dispatcher) AddChannel(m *Map) {
	d.leave()
	if d.in != nil && d.in.loop != nil {
		m.adopt(d.in.loop)
	}
	d.in = m
	if d.alive() {
		m.add(d)
		m.wake(d)
	}
}

// Log logs a message.
func (d *Dispatcher) Log(msg string) { d.LogInfo("log", msg) }

// LogInfo logs a message of one of the kinds "info", "warning" and "error".
func (d *Dispatcher) LogInfo(kind, msg string) {
	if d.in != nil && d.in.log != nil {
		d.in.log(kind, msg)
	}
}

func (d *Dispatcher) logError(what string, err error) {
	d.LogInfo("error", fmt.Sprintf("%s %T: %v", what, d.handler, err))
}

// Context returns a context that carries the loop, so task.Go(h.Context(), …) works in a callback.
// It is cancelled when the handler is closed or gives its connection away. Without a connection or
// listener it is cancelled already. Before Init it carries no loop, and task.Go panics. The same
// holds for a Map of NewMap before its first Bind, Connect or Attach.
func (d *Dispatcher) Context() context.Context {
	if d.ctx != nil {
		return d.ctx
	}
	parent := context.Background()
	if d.in != nil && d.in.loop != nil {
		parent = d.in.loop.Context()
	}
	ctx, cancel := context.WithCancelCause(parent)
	if d.alive() {
		d.ctx, d.cancel = ctx, cancel
	} else {
		cancel(d.why()) // not kept, since the handler may get something to serve later
	}
	return ctx
}

// why returns the reason why there is nothing to serve.
func (d *Dispatcher) why() error {
	switch {
	case d.lost != nil:
		return d.lost
	case d.closed:
		return stream.ErrClosed
	default:
		return ErrNoConnection
	}
}

// String describes the handler: its state and address.
func (d *Dispatcher) String() string {
	s := "<asyncore.Dispatcher"
	if d.handler != nil {
		s = fmt.Sprintf("<%T", d.handler)
	}
	switch {
	case d.accepting && d.addr != nil:
		s += " listening"
	case d.connected:
		s += " connected"
	}
	if d.addr != nil {
		s += " " + d.addr.String()
	}
	return s + ">"
}
