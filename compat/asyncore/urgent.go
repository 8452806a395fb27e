package asyncore

import "github.com/corobridge/corobridge/stream"

// urgent is the byte of urgent data that has come last.
type urgent struct {
	b      byte
	unread bool // RecvUrgent has not returned it
	untold bool // HandleExpt has not been called for it
}

// onUrgent is called by the connection.
func (d *Dispatcher) onUrgent(b byte) {
	d.urgent = urgent{b, true, true}
	d.in.wake(d)
	d.in.arm()
}

// RecvUrgent returns the urgent data that has come: socket.recv(1, MSG_OOB). If there is none, or
// it was returned already, the error is stream.ErrWouldBlock. Only handlers with HandleExpt get
// any.
func (d *Dispatcher) RecvUrgent() (byte, error) {
	if !d.urgent.unread {
		return 0, stream.ErrWouldBlock
	}
	d.urgent.unread = false
	return d.urgent.b, nil
}

// exptEvent is handle_expt_event.
func (d *Dispatcher) exptEvent() error {
	d.urgent.untold = false
	if h, ok := d.handler.(Expter); ok {
		return h.HandleExpt()
	}
	return d.Base().HandleExpt()
}

// wantsExpt reports whether HandleExpt is to be called: for a handler that wants anything at all.
func (d *Dispatcher) wantsExpt() bool {
	return d.urgent.untold && d.connected && (d.wantRead || d.wantWrite)
}
