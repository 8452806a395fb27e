package asyncore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"

	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// CreateSocket says what kind of socket Bind and Connect make: "tcp", "tcp4", "tcp6" or "unix".
func (d *Dispatcher) CreateSocket(network string) error {
	switch network {
	case "tcp", "tcp4", "tcp6", "unix":
		d.network = network
		return nil
	}
	return fmt.Errorf("asyncore: create socket: unknown network %q: use tcp, tcp4, tcp6 or unix", network)
}

// SetSocketOptions sets options of stream.Listen and stream.Dial for the sockets that Bind and
// Connect make from then on: setsockopt.
func (d *Dispatcher) SetSocketOptions(opts ...stream.Option) { d.options = opts }

// mustHaveSocket panics unless CreateSocket was called.
func (d *Dispatcher) mustHaveSocket() {
	if d.network == "" {
		panic("asyncore: Bind and Connect need a socket; call CreateSocket first")
	}
}

// SetReuseAddr is asyncore's set_reuse_addr. It does nothing: Bind reuses addresses anyway.
func (d *Dispatcher) SetReuseAddr() {}

// Bind gives the handler an address of its own. Listen then listens there; or Connect connects from
// there, which makes it the source address. The errors are ErrNotInitialised, those of
// stream.Listen, and one for a handler that is bound already. Bind panics unless CreateSocket was
// called, and if the handler has something to serve already.
func (d *Dispatcher) Bind(address string) error {
	d.mustHaveSocket()
	if d.in == nil {
		return ErrNotInitialised
	}
	d.mustBeFree()
	if d.listener != nil {
		return fmt.Errorf("asyncore: bind %s: the handler is bound to %v", address, d.addr)
	}
	loop, err := d.in.Loop()
	if err != nil {
		return err
	}
	l, err := stream.Listen(loop.Context(), d.network, address, d.with(stream.Bound())...)
	if err != nil {
		return err
	}
	d.listener, d.addr = l, l.Addr()
	return nil
}

// with returns the handler's options and another one.
func (d *Dispatcher) with(o stream.Option) []stream.Option {
	return append(slices.Clip(d.options), o)
}

// Listen begins to listen and to accept. backlog is how many connections may wait for that. When
// the process is out of descriptors the listener pauses, as every stream.Listener does.
func (d *Dispatcher) Listen(backlog int) error {
	if d.listener == nil {
		return errNotBound
	}
	if err := d.listener.SetBacklog(backlog); err != nil {
		return err
	}
	d.accepting = true
	d.begin()
	d.listener.OnReady(d.onReady)
	d.in.wake(d)
	return nil
}

// acceptAhead accepts the next connection if there is one and none is waiting yet. It reports
// whether one is waiting.
func (d *Dispatcher) acceptAhead() bool {
	if d.waiting != nil {
		return true
	}
	conn, err := d.listener.TryAccept()
	if err != nil {
		if err != stream.ErrWouldBlock && !errors.Is(err, stream.ErrClosed) {
			d.logError("accepting has ended,", err)
		}
		return false
	}
	d.waiting = conn
	return true
}

// Accept returns a connection and its peer's address. If no connection waits, it returns nil, nil,
// nil.
func (d *Dispatcher) Accept() (*stream.Conn, net.Addr, error) {
	if !d.accepting {
		return nil, nil, errNotListening
	}
	if !d.acceptAhead() {
		return nil, nil, nil
	}
	conn := d.waiting
	d.waiting = nil
	return conn, conn.RemoteAddr(), nil
}

// Connect begins to connect, and returns at once. If that succeeds, HandleConnect is called. If it
// fails, HandleError is called, and after that HandleClose, unless HandleError closed the handler
// or called Connect again. Connect panics unless CreateSocket was called. After Bind it connects
// from that address. A second attempt needs a Bind of its own, if it is to come from there.
func (d *Dispatcher) Connect(address string) error {
	d.mustHaveSocket()
	if d.in == nil {
		return ErrNotInitialised
	}
	loop, err := d.in.Loop()
	if err != nil {
		return err
	}
	// In HandleError, when an attempt has failed, the handler may try again.
	if !d.connecting || d.dialing == nil || !d.dialing.Completed() {
		d.mustBeFree()
	}
	d.connecting = true
	d.begin()
	network, opts := d.network, d.options
	if d.listener != nil { // bound
		opts = d.with(stream.From(d.listener))
		d.listener = nil
	}
	t := task.Go(loop.Context(), func(ctx context.Context) (*stream.Conn, error) {
		return stream.Dial(ctx, network, address, opts...)
	})
	d.dialing = t
	m := d.in
	m.connects++
	t.OnDone(loop, func(conn *stream.Conn, err error) {
		m.connects--
		d.dialled(t, conn, err)
	})
	return nil
}

// dialled is called when the attempt t to connect has ended.
func (d *Dispatcher) dialled(t *task.Task[*stream.Conn], conn *stream.Conn, err error) {
	switch {
	case d.dialing != t: // closed in the meantime
		if conn != nil {
			conn.Abort()
		}
	case err != nil:
		d.refused(err)
	default:
		d.dialing = nil
		d.use(conn)
	}
}

// refused gives a failed attempt to HandleError. If that neither closes the handler nor tries
// again, HandleClose follows.
func (d *Dispatcher) refused(err error) {
	t := d.dialing
	d.fail(err)
	if d.dialing == t && d.connecting && d.in.failure == nil {
		d.event(func(d *Dispatcher) error { return d.handleClose(err) })
	}
	if d.dialing == t {
		d.dialing = nil
	}
}

// SyscallConn returns the handler's socket for what only system calls can do: options that
// SetSocketOptions does not have. See stream.Conn's SyscallConn. Without a connection or a listener
// the error is ErrNoConnection.
func (d *Dispatcher) SyscallConn() (syscall.RawConn, error) {
	switch {
	case d.conn != nil:
		return d.conn.SyscallConn()
	case d.listener != nil:
		return d.listener.SyscallConn()
	}
	return nil, ErrNoConnection
}
