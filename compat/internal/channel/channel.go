package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// acceptPause is how long a listener rests when the process is out of descriptors.
const acceptPause = 100 * time.Millisecond

// Channel is one handler's connection or listener. Its state is asyncore's: at most one of connected, connecting and
// accepting holds; it is in its set from Init until it is closed or let go.
//
// An event of the transport only queues the channel. When its turn in the loop comes it asks what is the matter, calls
// the methods that apply, and queues itself again as long as something is left to do: that makes edges into
// the levels that classic handlers expect.
type Channel struct {
	handler any
	methods Methods
	class   Class
	set     *Set

	conn     *stream.Conn
	listener *stream.Listener
	waiting  *stream.Conn // accepted ahead, for the next Accept
	dialing  *task.Task[*stream.Conn]
	addr     net.Addr

	connected  bool
	connecting bool
	accepting  bool
	queued     bool
	wroteEdge  bool // there is room that HandleWrite has not been told of

	ctx    context.Context
	cancel context.CancelCauseFunc
	end    *future.Promise[End] // somebody waits for the channel's end
}

// Class is what a base class does; nil functions are plain dispatcher's.
type Class struct {
	Read     func() error
	Write    func() error
	Close    func() error
	Writable func() bool
	// Input returns what has been received and not been consumed, Output passes what is to be sent to write. Both for a hand-over.
	Input  func() []byte
	Output func(write func([]byte) error) (finish bool, err error)
}

// End is how a channel ended: closed, or with its connection handed over.
type End struct {
	HandedOver *HandOver // nil when it was closed
}

// HandOver is a connection on its way from a handler to a task.
type HandOver struct {
	Conn   *stream.Conn
	Output func(write func([]byte) error) (finish bool, err error)
	Next   stream.Handler // what goes on with the connection; nil when the taker does
}

var (
	// ErrNotInitialised is the error of a handler that its base class does not know.
	ErrNotInitialised = errors.New("asyncore: the handler is not initialised; call Init or Attach with the outer value first")
	// ErrNoConnection is the error of a call that needs a connection, or a listener.
	ErrNoConnection = errors.New("asyncore: the handler has no connection")
)

// Init makes the channel that of handler, in set.
func (c *Channel) Init(handler any, set *Set, class Class) {
	if c.set != nil && c.conn != nil {
		panic("asyncore: the handler has a connection already")
	}
	if set == nil {
		panic("asyncore: a handler needs a Map; make one with NewMap or On")
	}
	c.handler, c.set, c.class = handler, set, class
	c.methods = MethodsOf(handler)
}

// Attach gives the channel a live connection.
func (c *Channel) Attach(conn *stream.Conn) error {
	own, err := conn.Detach()
	if err != nil {
		return err
	}
	if c.set.loop == nil {
		c.set.loop, c.set.shared = own.Loop(), true
	}
	if own.Loop() != c.set.loop {
		panic("asyncore: the connection belongs to another loop than the handler's Map")
	}
	c.conn, c.addr = own, own.RemoteAddr()
	c.connected, c.connecting = true, false
	c.wroteEdge = true
	c.set.add(c)
	own.OnReady(c.onReady)
	c.enqueue() // there may be input already
	return nil
}

// onReady hears of every change of the transport.
func (c *Channel) onReady() {
	c.wroteEdge = true
	c.enqueue()
}

func (c *Channel) enqueue() {
	if c.alive() && !c.queued && c.set.loop.Post((*turn)(c)) == nil {
		c.queued = true
	}
}

// turn is a channel as an entry of the loop's ready queue.
type turn Channel

func (t *turn) Run() {
	c := (*Channel)(t)
	c.queued = false
	lent := len(c.set.scratch)
	c.serve()
	c.set.scratch = c.set.scratch[:lent]
}

// serve makes the calls that are due, and queues the channel again if more are.
func (c *Channel) serve() {
	if c.accepting {
		if c.canRead() {
			c.event(c.acceptEvent)
		}
	} else if c.connected {
		if c.canRead() {
			c.event(c.readEvent)
		}
		if c.canWrite() {
			c.wroteEdge = false
			c.event(c.writeEvent)
		}
	}
	if c.due() {
		c.enqueue()
	}
}

// due reports whether there is a call to make.
func (c *Channel) due() bool {
	return c.canRead() && (c.methods.Read != nil || c.class.Read != nil || c.accepting) || c.canWrite()
}

// canRead reports whether the handler wants input, and there is input, its end, or an error; for a listener, a connection.
func (c *Channel) canRead() bool {
	if !c.alive() || c.methods.Readable != nil && !c.predicate(c.methods.Readable) {
		return false
	}
	if c.accepting {
		return c.acceptAhead()
	}
	if !c.connected {
		return false
	}
	_, err := c.conn.TryPeek()
	return !errors.Is(err, stream.ErrWouldBlock) && !errors.Is(err, stream.ErrBusy)
}

// canWrite reports whether the handler wants to write, and can. A handler without predicate is told of room once.
func (c *Channel) canWrite() bool {
	if !c.connected || c.accepting {
		return false
	}
	switch {
	case c.methods.Writable != nil:
		return (c.methods.Write != nil || c.class.Write != nil) && c.predicate(c.methods.Writable) && c.alive() && c.conn.Room() > 0
	case c.class.Writable != nil:
		return c.class.Writable() && c.conn.Room() > 0
	default:
		return c.methods.Write != nil && c.wroteEdge && c.conn.Room() > 0
	}
}

// predicates reports whether the handler has to be asked once a turn.
func (c *Channel) predicates() bool { return c.methods.Readable != nil || c.methods.Writable != nil }

// predicate asks one. A panic in it is the handler's error, and means no.
func (c *Channel) predicate(fn func() bool) (yes bool) {
	defer func() {
		if v := recover(); v != nil {
			c.fail(coro.Recovered(v))
			yes = false
		}
	}()
	return fn()
}

// alive reports whether the channel may be called at all.
func (c *Channel) alive() bool { return c.connected || c.connecting || c.accepting }

// event makes one call, and deals with how it fails. A closed handler is not called any more.
func (c *Channel) event(call func() error) {
	if !c.alive() {
		return
	}
	if err := c.protect(call); err != nil {
		c.fail(err)
	}
}

// protect makes a call of the handler's code; a panic is an error.
func (c *Channel) protect(call func() error) (err error) {
	c.set.stats.Callbacks++
	defer func() {
		if v := recover(); v != nil {
			err = coro.Recovered(v)
		}
	}()
	return call()
}

// fail hands an error to the handler; one that is meant to leave the loop, or that the handler passes on, does.
func (c *Channel) fail(err error) {
	if !errors.Is(err, ErrExitNow) {
		err = c.protect(func() error { return c.HandleError(err) })
	}
	if err != nil {
		c.set.escape(err)
	}
}

func (c *Channel) readEvent() error {
	if c.methods.Read != nil {
		return c.methods.Read()
	}
	return c.BaseRead()
}

func (c *Channel) writeEvent() error {
	if c.methods.Write != nil {
		return c.methods.Write()
	}
	return c.BaseWrite()
}

func (c *Channel) acceptEvent() error {
	if c.methods.Accept != nil {
		return c.methods.Accept()
	}
	return c.BaseAccept()
}

// HandleClose calls the handler's method.
func (c *Channel) HandleClose() error {
	if c.methods.Close != nil {
		return c.methods.Close()
	}
	return c.BaseClose()
}

// HandleError calls the handler's method.
func (c *Channel) HandleError(err error) error {
	if c.methods.Error != nil {
		return c.methods.Error(err)
	}
	return c.BaseError(err)
}

// BaseRead, and the others of its kind, are what the base class does.
func (c *Channel) BaseRead() error {
	if c.class.Read != nil {
		return c.class.Read()
	}
	if _, err := c.conn.TryPeek(); err != nil { // nobody will find out by reading
		return c.HandleClose()
	}
	c.Log("warning", "unhandled read event")
	return nil
}

func (c *Channel) BaseWrite() error {
	if c.class.Write != nil {
		return c.class.Write()
	}
	c.Log("warning", "unhandled write event")
	return nil
}

func (c *Channel) BaseClose() error {
	if c.class.Close != nil {
		return c.class.Close()
	}
	c.Log("warning", "unhandled close event")
	return c.Close()
}

// BaseAccept accepts one connection and passes it to HandleAccepted. An error of that costs the connection, not the listener.
func (c *Channel) BaseAccept() error {
	conn, addr, err := c.Accept()
	if conn == nil {
		return err
	}
	if c.methods.Accepted == nil {
		c.Log("warning", "unhandled accepted event")
		return conn.Close()
	}
	if err := c.protect(func() error { return c.methods.Accepted(conn, addr) }); err != nil {
		conn.Abort()
		if errors.Is(err, ErrExitNow) {
			return err
		}
		c.Log("error", fmt.Sprintf("accepted connection from %v dropped: %v", addr, err))
	}
	return nil
}

// BaseError logs and closes.
func (c *Channel) BaseError(err error) error {
	c.Log("error", fmt.Sprintf("uncaptured error, closing channel %T: %v", c.handler, err))
	return c.HandleClose()
}

// Log passes a message to the set's logger.
func (c *Channel) Log(kind, msg string) {
	if c.set != nil && c.set.log != nil {
		c.set.log(kind, msg)
	}
}

// Listen makes the channel a listener's, once it is bound.
func (c *Channel) Listen(backlog int) error {
	if c.listener == nil {
		return fmt.Errorf("asyncore: listen: %w: call Bind first", ErrNoConnection)
	}
	if err := c.listener.SetBacklog(backlog); err != nil {
		return err
	}
	c.accepting = true
	c.set.add(c)
	c.listener.OnReady(c.onReady)
	c.enqueue()
	return nil
}

// Bind makes the listener.
func (c *Channel) Bind(network, address string) error {
	loop, err := c.set.Loop()
	if err != nil {
		return err
	}
	l, err := stream.Listen(loop.Context(), network, address)
	if err != nil {
		return err
	}
	c.listener, c.addr = l, l.Addr()
	return nil
}

// acceptAhead reports whether there is a connection to accept, which it takes. Running out of descriptors makes a pause.
func (c *Channel) acceptAhead() bool {
	if c.waiting != nil {
		return true
	}
	conn, err := c.listener.TryAccept()
	switch {
	case err == nil:
		c.waiting = conn
		return true
	case !errors.Is(err, stream.ErrWouldBlock) && !errors.Is(err, stream.ErrClosed):
		c.Log("error", fmt.Sprintf("accept: %v; trying again in %v", err, acceptPause))
		c.set.loop.CallLater(acceptPause, c.enqueue)
	}
	return false
}

// Accept returns a connection, nil if nobody is there.
func (c *Channel) Accept() (*stream.Conn, net.Addr, error) {
	if !c.accepting {
		return nil, nil, ErrNoConnection
	}
	if !c.acceptAhead() {
		return nil, nil, nil
	}
	conn := c.waiting
	c.waiting = nil
	return conn, conn.RemoteAddr(), nil
}

// Connect begins to connect; how it ends comes as an event.
func (c *Channel) Connect(network, address string) error {
	loop, err := c.set.Loop()
	if err != nil {
		return err
	}
	c.connecting = true
	c.set.add(c)
	c.dialing = task.Go(loop.Context(), func(ctx context.Context) (*stream.Conn, error) {
		return stream.Dial(ctx, network, address)
	})
	c.dialing.OnDone(loop, c.dialled)
	return nil
}

// dialled is handle_connect_event.
func (c *Channel) dialled(conn *stream.Conn, err error) {
	if !c.connecting { // closed in the meantime
		if conn != nil {
			conn.Abort()
		}
		return
	}
	if err != nil {
		c.fail(err)
		return
	}
	c.conn, c.addr = conn, conn.RemoteAddr()
	if c.methods.Connect != nil {
		if err := c.protect(c.methods.Connect); err != nil {
			c.fail(err)
		}
	} else {
		c.Log("warning", "unhandled connect event")
	}
	if !c.connecting || c.conn == nil {
		return
	}
	c.connected, c.connecting = true, false
	c.wroteEdge = true
	conn.OnReady(c.onReady)
	c.enqueue()
}

// Recv returns at most n bytes, lent until the callback returns. At the end of the stream, and when the peer is gone, it
// calls HandleClose and returns nothing. ErrWouldBlock tells that there is nothing now.
func (c *Channel) Recv(n int) ([]byte, error) {
	if c.conn == nil {
		return nil, ErrNoConnection
	}
	p, err := c.conn.TryPeek()
	switch {
	case err == io.EOF || disconnected(err):
		return nil, c.HandleClose()
	case err != nil:
		return nil, err
	}
	p = p[:min(n, len(p))]
	s := c.set
	start := len(s.scratch)
	s.scratch = append(s.scratch, p...)
	c.conn.TryDiscard(len(p))
	return s.scratch[start:len(s.scratch):len(s.scratch)], nil
}

// Send takes as much of p as there is room for, and returns how much that is. When the peer is gone it calls HandleClose.
func (c *Channel) Send(p []byte) (int, error) {
	if c.conn == nil {
		return 0, ErrNoConnection
	}
	n, err := c.conn.TryWrite(p)
	switch {
	case errors.Is(err, stream.ErrWouldBlock), errors.Is(err, stream.ErrBusy):
		return n, nil
	case disconnected(err):
		return n, c.HandleClose()
	}
	return n, err
}

// disconnected reports whether an error means that the peer, or the connection, is gone: asyncore's _DISCONNECTED.
func disconnected(err error) bool {
	for _, e := range []error{syscall.ECONNRESET, syscall.ENOTCONN, syscall.ESHUTDOWN, syscall.ECONNABORTED, syscall.EPIPE, syscall.EBADF, stream.ErrClosed} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// Close closes the channel: what it has sent is still delivered. A second Close does nothing.
func (c *Channel) Close() error {
	conn, listener, waiting := c.conn, c.listener, c.waiting
	c.letGo(reactor.ErrClosed)
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
	if c.set != nil {
		c.set.remove(c)
	}
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
		if !c.alive() {
			f := c.end.Future()
			c.tell(End{})
			return f
		}
	}
	return c.end.Future()
}

// Take takes the connection away from the handler, with everything received and not consumed in front of what is to be
// read next. The handler gets no further event.
func (c *Channel) Take() (*HandOver, error) {
	if c.set == nil {
		return nil, ErrNotInitialised
	}
	if !c.connected || c.conn == nil {
		return nil, ErrNoConnection
	}
	conn, err := c.conn.Detach()
	if err != nil {
		return nil, err
	}
	input := c.leftInput()
	if err := conn.Unread(input); err != nil {
		return nil, err
	}
	h := &HandOver{Conn: conn, Output: c.leftOutput()}
	c.set.stats.HandOvers++
	c.conn = nil
	c.letGo(stream.ErrDetached)
	return h, nil
}

func (c *Channel) leftInput() []byte {
	switch {
	case c.methods.Unfinished != nil:
		return c.methods.Unfinished()
	case c.class.Input != nil:
		return c.class.Input()
	}
	return nil
}

func (c *Channel) leftOutput() func(write func([]byte) error) (bool, error) {
	if c.methods.Unsent != nil {
		rest := c.methods.Unsent()
		return func(write func([]byte) error) (bool, error) { return false, write(rest) }
	}
	if c.class.Output != nil {
		return c.class.Output
	}
	return func(func([]byte) error) (bool, error) { return false, nil }
}

// Deliver hands a connection to whoever waits for the channel's end, and reports whether somebody does.
func (c *Channel) Deliver(h *HandOver) bool {
	if c.end == nil {
		return false
	}
	c.tell(End{HandedOver: h})
	return true
}

// Context returns a context that carries the loop and is cancelled when the channel ends.
func (c *Channel) Context() context.Context {
	if c.ctx == nil {
		parent := context.Background()
		if c.set != nil && c.set.loop != nil {
			parent = c.set.loop.Context()
		}
		c.ctx, c.cancel = context.WithCancelCause(parent)
		if !c.alive() {
			c.cancel(reactor.ErrClosed)
		}
	}
	return c.ctx
}

// Accessors for the packages above.

func (c *Channel) Handler() any       { return c.handler }
func (c *Channel) Set() *Set          { return c.set }
func (c *Channel) Conn() *stream.Conn { return c.conn }
func (c *Channel) Addr() net.Addr     { return c.addr }
func (c *Channel) Connected() bool    { return c.connected }
func (c *Channel) Connecting() bool   { return c.connecting }
func (c *Channel) Accepting() bool    { return c.accepting }
func (c *Channel) Initialised() bool  { return c.set != nil }
func (c *Channel) Writable() bool     { return c.class.Writable == nil || c.class.Writable() }
func (c *Channel) Wake()              { c.enqueue() }
func (c *Channel) Remove()            { c.set.remove(c) }
func (c *Channel) Add(s *Set)         { c.set = s; s.add(c); c.enqueue() }
