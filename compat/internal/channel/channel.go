package channel

import (
	"context"
	"errors"
	"net"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// Channel is one handler's connection or listener. Its state is asyncore's: at most one of connected, connecting and
// accepting holds, and it is a member of its set from Attach, Listen or Connect until it is closed or let go. Only a
// member is called, see Set.
type Channel struct {
	handler any
	methods *methods
	class   Class
	set     *Set
	member  bool
	loose   bool   // it has been removed from the set, and serves nothing but its owner
	order   uint64 // of joining the set

	conn     *stream.Conn
	listener *stream.Listener
	waiting  *stream.Conn // accepted ahead, for the next Accept
	resting  bool         // out of descriptors: the listener pauses
	dialing  *task.Task[*stream.Conn]
	addr     net.Addr
	lost     error // why there is no connection any more; nil if it was closed, or there never was one

	connected  bool
	connecting bool
	accepting  bool
	closed     bool

	// What one iteration of the set knows of the channel.
	queued    bool
	round     uint64 // of the iteration that wantRead and wantWrite are for
	wantRead  bool
	wantWrite bool
	readEdge  bool // there is input that a handler without HandleRead has not been told of
	writeEdge bool // there is room that a handler without Writable has not been told of

	ctx    context.Context
	cancel context.CancelCauseFunc
	end    *future.Promise[End] // somebody waits for the channel's end
}

// Class is what a base class does; nil functions are plain dispatcher's. A base class is known by its method ClassicClass.
type Class struct {
	Read     func() error
	Write    func() error
	Writable func() bool
	Quiet    bool // its handle_close does not log

	// Input takes away what has been received and not been consumed, for a hand-over. kept is what the handler itself puts before that.
	Input func(kept []byte) []byte
	// Output takes away what is to be sent: a function that passes it to write.
	Output func() Drain
}

// Drain passes what a handler had queued to write, in order, and reports whether the stream is to end after it.
type Drain func(write func([]byte) error) (finish bool, err error)

// End is how a channel ended: closed, or with its connection handed over.
type End struct {
	HandedOver *HandOver // nil when it was closed
}

var (
	// ErrNotInitialised is the error of a handler that its base class does not know.
	ErrNotInitialised = errors.New("asyncore: the handler is not initialised; call Init or Attach with the outer value first")
	// ErrNoConnection is the error of a call that needs a connection.
	ErrNoConnection = errors.New("asyncore: the handler has no connection")

	errNotBound     = errors.New("asyncore: the handler has no address to listen at; call Bind first")
	errNotListening = errors.New("asyncore: the handler does not listen; call Listen first")
)

// Init makes the channel that of handler, in set.
func (c *Channel) Init(handler any, set *Set) {
	c.mustBeFree()
	if set == nil {
		panic("asyncore: a handler needs a Map; make one with NewMap or On")
	}
	c.handler, c.set = handler, set
	c.methods = methodsOf(handler)
	if b, ok := handler.(interface{ ClassicClass(handler any) Class }); ok {
		c.class = b.ClassicClass(handler)
	}
}

// mustBeFree panics if the channel has something to serve: the caller's bug.
func (c *Channel) mustBeFree() {
	if c.alive() {
		panic("asyncore: the handler has a connection, or a listener, already")
	}
}

// Attach gives the channel a live connection.
func (c *Channel) Attach(conn *stream.Conn) error {
	c.mustBeFree()
	if loop := conn.Loop(); loop != nil {
		c.set.adopt(loop)
	}
	own, err := conn.Detach()
	if err != nil {
		return err
	}
	c.begin()
	c.connected = true
	c.use(own)
	return nil
}

// begin makes the channel a member of its set, for something new to serve.
func (c *Channel) begin() {
	c.closed, c.lost = false, nil
	c.set.add(c)
}

// use sets the connection, and looks at it for the first time: there may be input already.
func (c *Channel) use(conn *stream.Conn) {
	c.conn, c.addr = conn, conn.RemoteAddr()
	c.readEdge, c.writeEdge = true, true
	conn.OnReady(c.onReady)
	c.set.wake(c)
}

// onReady hears of every change of the transport.
func (c *Channel) onReady() {
	c.readEdge, c.writeEdge = true, true
	c.set.wake(c)
	c.set.arm()
}

// alive reports whether there is anything to be called for.
func (c *Channel) alive() bool { return c.connected || c.connecting || c.accepting }

// Close closes the channel: what it has sent is still delivered. A second Close does nothing.
func (c *Channel) Close() error {
	conn, listener, waiting := c.conn, c.listener, c.waiting
	c.letGo(stream.ErrClosed)
	c.closed = true
	c.conn, c.listener, c.waiting = nil, nil, nil
	var err error
	if conn != nil {
		conn.OnReady(nil)
		err = conn.Close()
	}
	if waiting != nil {
		waiting.Abort()
	}
	if listener != nil {
		listener.OnReady(nil)
		err = listener.Close()
	}
	c.tell(End{})
	return err
}

// CloseHandler calls the Close of the handler, which may have one of its own above the Dispatcher's.
func (c *Channel) CloseHandler() error {
	if h, ok := c.handler.(closing); ok {
		return h.Close()
	}
	return c.Close()
}

// letGo takes the channel out of everything that calls it.
func (c *Channel) letGo(cause error) {
	c.connected, c.connecting, c.accepting = false, false, false
	if c.dialing != nil {
		c.dialing.Cancel(cause)
		c.dialing = nil
	}
	if c.cancel != nil {
		c.cancel(cause)
		c.ctx, c.cancel = nil, nil
	}
	c.leave()
}

// leave takes the channel out of its set.
func (c *Channel) leave() {
	if c.set != nil {
		c.set.remove(c)
		c.setLoose(false)
	}
}

func (c *Channel) setLoose(loose bool) {
	switch {
	case loose && !c.loose:
		c.set.loose++
	case c.loose && !loose:
		c.set.loose--
	}
	c.loose = loose
}

func (c *Channel) tell(e End) {
	if p := c.end; p != nil {
		c.end = nil
		p.Resolve(e)
	}
}

// Ended returns the future of the channel's end. It completes when the handler is closed or its connection handed over.
func (c *Channel) Ended() *future.Future[End] {
	if c.end == nil {
		_, c.end = future.New[End]()
	}
	f := c.end.Future()
	if !c.alive() {
		c.tell(End{})
	}
	return f
}

// Context returns a context that carries the loop and is cancelled when the channel ends.
func (c *Channel) Context() context.Context {
	if c.ctx != nil {
		return c.ctx
	}
	parent := context.Background()
	if c.set != nil && c.set.loop != nil {
		parent = c.set.loop.Context()
	}
	ctx, cancel := context.WithCancelCause(parent)
	if c.alive() {
		c.ctx, c.cancel = ctx, cancel
	} else {
		cancel(c.why()) // and it is not kept: the channel may be given something to serve
	}
	return ctx
}

// why tells why there is nothing to serve.
func (c *Channel) why() error {
	switch {
	case c.lost != nil:
		return c.lost
	case c.closed:
		return stream.ErrClosed
	default:
		return ErrNoConnection
	}
}

// Lost is stream.ErrDetached after a hand-over, until there is something to serve again.
func (c *Channel) Lost() error { return c.lost }

// Remove takes the channel out of its set; its connection stays as it is, and so does the loop.
func (c *Channel) Remove() {
	if c.member {
		c.set.remove(c)
		c.setLoose(c.alive())
	}
}

// Add puts the channel into a set of the same loop.
func (c *Channel) Add(s *Set) {
	c.leave()
	if c.set != nil && c.set.loop != nil {
		s.adopt(c.set.loop)
	}
	c.set = s
	if c.alive() {
		s.add(c)
		s.wake(c)
	}
}

// Wake makes the set look at the channel: it has something to send.
func (c *Channel) Wake() {
	if c.set != nil {
		c.set.wake(c)
	}
}

// Accessors for the packages above.

func (c *Channel) Handler() any      { return c.handler }
func (c *Channel) Set() *Set         { return c.set }
func (c *Channel) Addr() net.Addr    { return c.addr }
func (c *Channel) Connected() bool   { return c.connected }
func (c *Channel) Connecting() bool  { return c.connecting }
func (c *Channel) Accepting() bool   { return c.accepting }
func (c *Channel) Serving() bool     { return c.connected && c.member }
func (c *Channel) Initialised() bool { return c.set != nil }
