package asyncore

import (
	"context"
	"fmt"
	"net"

	"github.com/corobridge/corobridge/compat/internal/channel"
	"github.com/corobridge/corobridge/stream"
)

// ErrExitNow, returned by a handler's method, ends Loop (asyncore.ExitNow). A loop that others run (On) goes on: its exception handler is
// told, and the handler closed.
var ErrExitNow = channel.ErrExitNow

// Handler is any struct that embeds Dispatcher, or asynchat.Chat. Which of the interfaces below it satisfies is found once, by Init
// or Attach, which panic at a method with one of these names and another signature.
type Handler interface{ ClassicChannel() *channel.Channel }

type (
	// Reader is called when there is input, or its end: Recv tells.
	Reader interface{ HandleRead() error }
	// Writer is called when output is accepted: once for each time that it becomes so, or, with Writabler, in every iteration in
	// which that says yes.
	Writer interface{ HandleWrite() error }
	// Closer is called when the peer has gone. The default calls the handler's Close.
	Closer interface{ HandleClose() error }
	// Connecter is called when Connect has succeeded. Connected is true only when it has returned; what it fails with goes to
	// HandleError, and if that does not close the handler, it is called again.
	Connecter interface{ HandleConnect() error }
	// Accepter is called when somebody waits to be accepted. The default accepts, and calls HandleAccepted.
	Accepter interface{ HandleAccept() error }
	// AcceptedTaker is given an accepted connection. The default closes it.
	AcceptedTaker interface {
		HandleAccepted(c *stream.Conn, addr net.Addr) error
	}
	// ErrorHandler is given the errors, and panics, of the others. The default logs, and calls HandleClose unless the handler
	// listens: what fails there is one client. An error it returns ends Loop, or does what ErrExitNow does to a loop that others run.
	ErrorHandler interface{ HandleError(err error) error }
	// Readabler is asked each time before the loop looks for events whether the handler wants input, or, if it listens, connections.
	Readabler interface{ Readable() bool }
	// Writabler is asked at the same times whether the handler has something to write.
	Writabler interface{ Writable() bool }
)

// Unfinished and Unsent tell a hand-over what only the handler knows: bytes it has received and not consumed, and bytes
// it means to send. A handler that keeps such buffers itself has these methods; asynchat.Chat and DispatcherWithSend need none.
type (
	Unfinished interface{ Unfinished() []byte }
	Unsent     interface{ Unsent() []byte }
)

// Dispatcher is embedded by handlers. It wraps a connection or a listener.
type Dispatcher struct {
	ch      channel.Channel
	network string
}

// ClassicChannel is for the packages of this module.
func (d *Dispatcher) ClassicChannel() *channel.Channel { return &d.ch }

// Init makes h a handler without a connection: dispatcher.__init__(self, map=m). h is the outer value, so that its methods are
// found. It is called on m's loop, or before that runs. It panics if h has a method with the name of one of the interfaces above and another
// signature, or a connection already.
func Init(h Handler, m *Map) { h.ClassicChannel().Init(h, m.ClassicSet()) }

// Attach makes h the handler of a live connection: dispatcher.__init__(self, sock, m). The connection is h's from now on, and c
// is inert. If the connection has been closed, so is h. It is called as Init is, and panics when the
// connection belongs to another loop than m.
func Attach(h Handler, c *stream.Conn, m *Map) {
	Init(h, m)
	if ch := h.ClassicChannel(); ch.Attach(c) != nil {
		ch.CloseHandler()
	}
}

// CreateSocket says what kind of socket Bind and Connect make: "tcp", "tcp4", "tcp6" or "unix".
func (d *Dispatcher) CreateSocket(network string) error {
	switch network {
	case "tcp", "tcp4", "tcp6", "unix":
		d.network = network
		return nil
	}
	return fmt.Errorf("asyncore: create socket: unknown network %q: use tcp, tcp4, tcp6 or unix", network)
}

// net returns the network of CreateSocket.
func (d *Dispatcher) net() string {
	if d.network == "" {
		panic("asyncore: Bind and Connect need a socket; call CreateSocket first")
	}
	return d.network
}

// SetReuseAddr is asyncore's set_reuse_addr: listeners reuse addresses anyway.
func (d *Dispatcher) SetReuseAddr() {}

// Bind gives the handler an address, and listens there at once: peers may connect from now on. Listen accepts them.
func (d *Dispatcher) Bind(address string) error { return d.ch.Bind(d.net(), address) }

// Listen begins to accept; backlog is how many connections may wait for that.
func (d *Dispatcher) Listen(backlog int) error { return d.ch.Listen(backlog) }

// Connect begins to connect. HandleConnect tells of the success, HandleError of a failure; if that does not close the handler, and does
// not Connect again, HandleClose follows.
func (d *Dispatcher) Connect(address string) error { return d.ch.Connect(d.net(), address) }

// Accept returns a connection and its peer's address; nil, nil, nil if nobody is there.
func (d *Dispatcher) Accept() (*stream.Conn, net.Addr, error) { return d.ch.Accept() }

// Recv returns at most n bytes of input, lent until the callback returns; in a task, until it waits. When the peer has gone it calls
// HandleClose and returns nothing, as it does for an n of 0, and returns nothing after Close. If there is nothing now the error is
// stream.ErrWouldBlock, after a hand-over stream.ErrDetached. It is called on the loop.
func (d *Dispatcher) Recv(n int) ([]byte, error) { return d.ch.Recv(n) }

// Send takes as much of p as there is room for, and returns how much that is; p is copied. When the peer has gone it calls
// HandleClose and has taken nothing, as after Close. After a hand-over the error is stream.ErrDetached. It is called on the loop.
func (d *Dispatcher) Send(p []byte) (int, error) { return d.ch.Send(p) }

// Close closes the handler and its connection, after what was sent has been given to the kernel. A second Close, and one after a
// hand-over, does nothing. A handler may have a Close of its own, which calls this one; HandleClose's default and CloseAll call that.
func (d *Dispatcher) Close() error { return d.ch.Close() }

// Connected reports whether there is a connection.
func (d *Dispatcher) Connected() bool { return d.ch.Connected() }

// Connecting reports whether Connect is under way.
func (d *Dispatcher) Connecting() bool { return d.ch.Connecting() }

// Accepting reports whether the handler listens.
func (d *Dispatcher) Accepting() bool { return d.ch.Accepting() }

// Addr returns the peer's address, or the one the handler listens at; also after Close.
func (d *Dispatcher) Addr() net.Addr { return d.ch.Addr() }

// Map returns the map the handler is in.
func (d *Dispatcher) Map() *Map { return mapOf(d.ch.Set()) }

// DelChannel takes the handler out of its map: it is not called any more. Its connection stays open, and can be used.
func (d *Dispatcher) DelChannel() { d.ch.Remove() }

// AddChannel puts the handler into a map, which must be of the same loop.
func (d *Dispatcher) AddChannel(m *Map) { d.ch.Add(m.ClassicSet()) }

// Log logs a message.
func (d *Dispatcher) Log(msg string) { d.ch.Log("log", msg) }

// LogInfo logs a message of a kind: "info", "warning", "error".
func (d *Dispatcher) LogInfo(kind, msg string) { d.ch.Log(kind, msg) }

// Context returns a context that carries the loop and is cancelled when the handler is closed, or its connection handed over:
// task.Go(h.Context(), …) works in a callback. Without a connection or listener it is done already; before Init, and with a Map of NewMap
// before the first Bind, Connect or Attach, it carries no loop, and task.Go panics.
func (d *Dispatcher) Context() context.Context { return d.ch.Context() }

// String describes the handler: its state and address.
func (d *Dispatcher) String() string {
	s := "<asyncore.Dispatcher"
	if h := d.ch.Handler(); h != nil {
		s = fmt.Sprintf("<%T", h)
	}
	switch {
	case d.Accepting() && d.Addr() != nil:
		s += " listening"
	case d.Connected():
		s += " connected"
	}
	if a := d.Addr(); a != nil {
		s += " " + a.String()
	}
	return s + ">"
}

// Base calls what the base class does: asyncore.dispatcher.handle_close(self) is h.Base().HandleClose(). In a
// asynchat.Chat it is async_chat's. It is a type of its own, so that nothing is promoted into handlers.
type Base struct{ ch *channel.Channel }

// Base returns the base class of the handler.
func (d *Dispatcher) Base() Base { return Base{&d.ch} }

func (b Base) HandleRead() error           { return b.ch.BaseRead() }
func (b Base) HandleWrite() error          { return b.ch.BaseWrite() }
func (b Base) HandleClose() error          { return b.ch.BaseClose() }
func (b Base) HandleConnect() error        { b.ch.BaseConnect(); return nil }
func (b Base) HandleAccept() error         { return b.ch.BaseAccept() }
func (b Base) HandleError(err error) error { return b.ch.BaseError(err) }
func (b Base) Readable() bool              { return b.ch.BaseReadable() }
func (b Base) Writable() bool              { return b.ch.BaseWritable() }

var _ fmt.Stringer = (*Dispatcher)(nil)
