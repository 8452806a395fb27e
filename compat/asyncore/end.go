package asyncore

import (
	"io"

	"github.com/corobridge/corobridge/compat/internal/classic"
	"github.com/corobridge/corobridge/internal/gid"
	"github.com/corobridge/corobridge/stream"
)

// ending is how far the end of what a handler serves has come. begin makes it zero again.
//
//	told     HandleClose has been called
//	running  it is running; nothing calls it from within itself
//	after    whoever called it closes the handler when it has returned: set only while running
//	said     it has sent something: what it was told of is not told again
//	eof      it was told of the end of input
//	shut     the handler's own Close has been called from here
type ending struct {
	told, running, after, said, eof, shut bool
	cause                                 error // the first; nil while there is none
}

// handleClose calls the handler's HandleClose, once, because of why. A second reason closes the
// handler at once. Only the end of input is told again and again, as in CPython, as long as
// HandleClose neither closes nor sends anything.
func (d *Dispatcher) handleClose(why error) error {
	e := &d.ending
	d.because(why)
	end := why == io.EOF
	switch {
	case e.running:
		e.after = e.after || !end // HandleClose goes on, and finds that its bytes are not taken
		return nil
	case e.told && end && e.eof && e.said:
		return nil
	case e.told && !(end && e.eof):
		return d.shut()
	}
	e.told, e.eof = true, e.eof || end
	return d.callHandleClose()
}

func (d *Dispatcher) callHandleClose() (err error) {
	e := &d.ending
	e.running = true
	defer func() {
		e.running = false
		if (e.after || err == nil && d.broken() != nil) && d.alive() {
			if failed := d.shut(); err == nil {
				err = failed
			}
		}
		e.after = false
	}()
	if h, ok := d.handler.(Closer); ok {
		return h.HandleClose()
	}
	return d.Base().HandleClose()
}

// because notes why the handler ends. The first reason stays.
func (d *Dispatcher) because(why error) {
	if d.ending.cause == nil {
		d.ending.cause = why
	}
}

// Cause returns why the handler ends, or has ended, and nil while it does not. In HandleClose it
// tells what that was called for:
//
//	io.EOF              the peer has ended its stream
//	ECONNRESET, EPIPE   the connection was lost; errors.Is tells
//	asynchat.ErrDone    CloseWhenDone: everything queued has reached the kernel
//	any other error     of a method, or of Connect, for which HandleError closes the handler
//
// After Close it is stream.ErrClosed, unless there was a reason before. After a hand-over it is
// stream.ErrDetached.
func (d *Dispatcher) Cause() error {
	switch {
	case d.lost != nil:
		return d.lost
	case d.ending.cause == nil && d.closed:
		return stream.ErrClosed
	}
	return d.ending.cause
}

// broken returns why the connection can't be used any more, nil if it can. The end of input is no
// reason.
func (d *Dispatcher) broken() error {
	if d.conn == nil {
		return nil
	}
	if err := d.lostOutput(); err != nil {
		return err
	}
	if _, err := d.conn.TryPeekSome(); disconnected(err) {
		return err
	}
	return nil
}

// lostOutput returns why nothing more can be sent, if that is because the peer, or the connection,
// is gone.
func (d *Dispatcher) lostOutput() error {
	if d.finished { // by this side
		return nil
	}
	if _, err := d.conn.TryWrite(nil); disconnected(err) {
		return err
	}
	return nil
}

// Close closes the handler. Its connection is closed once the kernel has been given what was sent.
// A second Close does nothing, and neither does a Close after a hand-over. A handler may have a
// Close of its own that calls this one. The default HandleClose, and CloseAll, then call that one.
//
// Unlike the other methods, Close and Abort may be called from any goroutine. While the loop runs
// elsewhere they take effect there, soon.
func (d *Dispatcher) Close() error { return d.onLoop(func() error { return d.close(false) }) }

// Abort is Close that drops what was sent and is not in the kernel yet. Over TCP the peer sees a
// reset if something was dropped.
func (d *Dispatcher) Abort() { d.onLoop(func() error { return d.close(true) }) }

// onLoop calls fn at once if the caller may use the handler, and otherwise on its loop. If that is
// closed there is nothing left to do.
func (d *Dispatcher) onLoop(fn func() error) error {
	if d.in == nil || d.in.mine() {
		return fn()
	}
	if core := d.in.door.Load(); core != nil {
		core.Post(call(func() { fn() }))
	}
	return nil
}

// mine reports whether the calling goroutine may use the map: it runs on the loop, or nobody runs
// that, and it is the one that has run it last.
func (m *Map) mine() bool {
	core := m.door.Load()
	switch {
	case core != nil && core.InLoop():
		return true
	case m.shared:
		return core == nil || !core.Running()
	}
	return m.owner.Load() == uintptr(gid.Self())
}

// owned notes that the caller uses the map while its loop does not run.
func (m *Map) owned() { m.owner.Store(uintptr(gid.Self())) }

func (d *Dispatcher) close(abort bool) error {
	conn, listener, waiting := d.conn, d.listener, d.waiting
	serving := d.alive()
	d.letGo(stream.ErrClosed)
	d.closed = true
	d.conn, d.listener, d.waiting = nil, nil, nil
	var err error
	if conn != nil {
		conn.OnReady(nil)
		if abort {
			conn.Abort()
		}
		err = conn.Close()
	}
	if waiting != nil {
		waiting.Abort()
	}
	if listener != nil {
		listener.OnReady(nil)
		err = listener.Close()
	}
	if serving && d.class.Closed != nil {
		d.class.Closed()
	}
	d.tell(classic.End{})
	return err
}

// closeHandler calls the handler's own Close, if it has one.
func (d *Dispatcher) closeHandler() error {
	if h, ok := d.handler.(closing); ok {
		return h.Close()
	}
	return d.Close()
}

// shut is closeHandler for a handler that has to end. One whose Close fails, or is called a second
// time and has not closed, is closed all the same. Otherwise it would be called for ever.
func (d *Dispatcher) shut() error {
	if !d.alive() {
		return nil
	}
	if d.ending.shut {
		return d.close(false)
	}
	d.ending.shut = true
	err := d.protect((*Dispatcher).closeHandler)
	if err != nil && d.alive() {
		d.close(false)
	}
	return err
}

// letGo ends everything that could still call the handler.
func (d *Dispatcher) letGo(cause error) {
	d.connected, d.connecting, d.accepting = false, false, false
	if d.dialing != nil {
		d.dialing.Cancel(cause)
		d.dialing = nil
	}
	if d.cancel != nil {
		d.cancel(cause)
		d.ctx, d.cancel = nil, nil
	}
	d.timers.stop()
	d.sent.giveUp(d, cause)
	d.leave()
}
