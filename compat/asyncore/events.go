package asyncore

import (
	"errors"
	"fmt"

	"github.com/corobridge/corobridge/stream"
)

// readEvent is handle_read_event, and writeEvent is handle_write_event. After Connect the first of
// them calls HandleConnect.

func (d *Dispatcher) readEvent() error {
	switch {
	case d.accepting:
		return d.handleAccept()
	case d.connecting:
		if err := d.connectEvent(); err != nil || !d.connected {
			return err
		}
	}
	if d.methods.read {
		return d.handler.(Reader).HandleRead()
	}
	return d.Base().HandleRead()
}

func (d *Dispatcher) writeEvent() error {
	if d.connecting {
		if err := d.connectEvent(); err != nil || !d.connected {
			return err
		}
		if !d.methods.write && d.class.Write == nil {
			return nil
		}
	}
	if d.methods.write {
		return d.handler.(Writer).HandleWrite()
	}
	return d.Base().HandleWrite()
}

// connectEvent calls HandleConnect. If that fails and the handler goes on, it is called again at
// the next event.
func (d *Dispatcher) connectEvent() error {
	var err error
	if d.methods.connect {
		err = d.handler.(Connecter).HandleConnect()
	} else {
		err = d.Base().HandleConnect()
	}
	if err == nil && d.connecting { // it may have closed
		d.connected, d.connecting = true, false
	}
	return err
}

// handleError calls the handler's HandleError. An error that comes while that runs is returned to
// what it called. Otherwise a HandleError that sends would call itself without end.
func (d *Dispatcher) handleError(err error) error {
	if d.failing {
		return err
	}
	d.failing = true
	defer func() { d.failing = false }()
	if h, ok := d.handler.(ErrorHandler); ok {
		return h.HandleError(err)
	}
	return d.Base().HandleError(err)
}

func (d *Dispatcher) handleAccept() error {
	if h, ok := d.handler.(Accepter); ok {
		return h.HandleAccept()
	}
	return d.Base().HandleAccept()
}

// Base calls the methods of the base class: asyncore.dispatcher.handle_close(self) is
// h.Base().HandleClose(). For an asynchat.Chat the base class is async_chat. Base is a type of its
// own, so that its methods are not promoted into handlers.
type Base struct{ d *Dispatcher }

// Base returns the base class of the handler.
func (d *Dispatcher) Base() Base { return Base{d} }

// HandleRead logs that no method handles the event. When the peer is gone it calls HandleClose,
// since no other method will notice.
func (b Base) HandleRead() error {
	d := b.d
	if d.class.Read != nil {
		return d.class.Read()
	}
	if d.conn != nil {
		if _, err := d.conn.TryPeekSome(); err != nil && !errors.Is(err, stream.ErrWouldBlock) {
			return d.handleClose(err)
		}
	}
	return b.unhandled("read")
}

// HandleWrite logs that no method handles the event.
func (b Base) HandleWrite() error {
	if b.d.class.Write != nil {
		return b.d.class.Write()
	}
	return b.unhandled("write")
}

// HandleConnect logs that no method handles the event.
func (b Base) HandleConnect() error { return b.unhandled("connect") }

func (b Base) unhandled(event string) error {
	b.d.LogInfo("warning", "unhandled "+event+" event")
	return nil
}

// HandleClose logs that no method handles the event, and calls the handler's Close.
func (b Base) HandleClose() error {
	if !b.d.class.Quiet {
		b.unhandled("close")
	}
	return b.d.shut()
}

// HandleExpt logs that no method handles the event.
func (b Base) HandleExpt() error { return b.unhandled("incoming priority") }

// HandleAccept accepts one connection and passes it to HandleAccepted. If that fails, the
// connection is closed.
func (b Base) HandleAccept() error {
	d := b.d
	conn, addr, err := d.Accept()
	if conn == nil {
		return err
	}
	h, ok := d.handler.(AcceptedTaker)
	if !ok {
		b.unhandled("accepted")
		return conn.Close()
	}
	err = d.protect(func(*Dispatcher) error { return h.HandleAccepted(conn, addr) })
	if err != nil && !errors.Is(err, ErrExitNow) {
		conn.Abort()
		err = fmt.Errorf("accepted connection from %v dropped: %w", addr, err)
	}
	return err
}

// HandleError logs err and calls HandleClose. A listener is not closed: its error concerns one
// client only.
func (b Base) HandleError(err error) error {
	if b.d.accepting {
		b.d.logError("uncaptured error, still listening", err)
		return nil
	}
	b.d.logError("uncaptured error, closing channel", err)
	return b.d.handleClose(err)
}

// Readable says yes.
func (b Base) Readable() bool { return true }

// Writable says yes. In a base class with output of its own it says whether there is output to
// send.
func (b Base) Writable() bool {
	d := b.d
	return d.class.Writable == nil || !d.connected || d.class.Writable()
}
