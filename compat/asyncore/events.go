package asyncore

import (
	"errors"
	"fmt"

	"github.com/corobridge/corobridge/stream"
)

// readEvent is handle_read_event, and writeEvent handle_write_event: what comes first decides that a
// connection stands.

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

// connectEvent tells the handler that its connection stands. If that fails, and the handler takes
// the error, it is told again.
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

// handleClose calls the handler's HandleClose, unless that is running: a goodbye that it sends to a
// peer that is gone would call it without end.
func (d *Dispatcher) handleClose() error {
	if d.ending {
		return nil
	}
	d.ending = true
	defer func() { d.ending = false }()
	if h, ok := d.handler.(Closer); ok {
		return h.HandleClose()
	}
	return d.Base().HandleClose()
}

func (d *Dispatcher) handleError(err error) error {
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

// Base calls what the base class does: asyncore.dispatcher.handle_close(self) is
// h.Base().HandleClose(). In an asynchat.Chat it is async_chat's. It is a type of its own, so that
// nothing is promoted into handlers.
type Base struct{ d *Dispatcher }

// Base returns the base class of the handler.
func (d *Dispatcher) Base() Base { return Base{d} }

// HandleRead logs that nobody handles the event. When the peer has gone it calls HandleClose, since
// nobody else will find out.
func (b Base) HandleRead() error {
	d := b.d
	if d.class.Read != nil {
		return d.class.Read()
	}
	if d.conn != nil {
		if _, err := d.conn.TryPeek(); err != nil && !errors.Is(err, stream.ErrWouldBlock) {
			return d.handleClose()
		}
	}
	return b.unhandled("read")
}

// HandleWrite logs that nobody handles the event.
func (b Base) HandleWrite() error {
	if b.d.class.Write != nil {
		return b.d.class.Write()
	}
	return b.unhandled("write")
}

// HandleConnect logs that nobody handles the event.
func (b Base) HandleConnect() error { return b.unhandled("connect") }

func (b Base) unhandled(event string) error {
	b.d.LogInfo("warning", "unhandled "+event+" event")
	return nil
}

// HandleClose logs that nobody handles the event, and calls the handler's Close.
func (b Base) HandleClose() error {
	if !b.d.class.Quiet {
		b.unhandled("close")
	}
	return b.d.closeHandler()
}

// HandleAccept accepts one connection and passes it to HandleAccepted, which owns it unless it fails.
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

// HandleError logs err and calls HandleClose. A listener goes on: what fails there is one client.
func (b Base) HandleError(err error) error {
	if b.d.accepting {
		b.d.logError("uncaptured error, still listening", err)
		return nil
	}
	b.d.logError("uncaptured error, closing channel", err)
	return b.d.handleClose()
}

// Readable says yes.
func (b Base) Readable() bool { return true }

// Writable says yes, or in a base class with output of its own, whether there is some.
func (b Base) Writable() bool {
	d := b.d
	return d.class.Writable == nil || !d.connected || d.class.Writable()
}
