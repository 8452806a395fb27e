package asyncore

import "github.com/corobridge/corobridge/stream"

// sent are the functions that wait until everything has been sent.
type sent []func(err error)

// WriteBufferSize returns how many bytes were sent or pushed and are not in the kernel yet. What a
// producer has not given yet does not count.
func (d *Dispatcher) WriteBufferSize() int {
	n := 0
	if d.class.Queued != nil {
		n = d.class.Queued()
	}
	if d.conn != nil {
		n += d.conn.Unsent()
	}
	return n
}

// WhenSent has fn called on the loop, once, when everything that was sent or pushed has reached the
// kernel, producers included. It is called with nil then, and with the reason if the handler ends
// before. WhenSent itself calls nothing, unless the handler has nothing to serve: then fn is called
// at once, with the reason.
//
// That the kernel has the bytes does not mean that the peer has read them.
func (d *Dispatcher) WhenSent(fn func(err error)) {
	if !d.alive() {
		fn(d.why())
		return
	}
	d.sent = append(d.sent, fn)
	d.wake()
}

// allSent reports whether everything has reached the kernel.
func (d *Dispatcher) allSent() bool {
	return d.connected && !d.hasOutput() && d.conn.TryFlush() != stream.ErrWouldBlock
}

// hasOutput reports whether the base class has something to send.
func (d *Dispatcher) hasOutput() bool { return d.class.Writable != nil && d.class.Writable() }

// outputLeft reports whether the base class has output that is not in the kernel yet. Until that is
// gone the end of input is not told. What a plain Dispatcher has sent does not count.
func (d *Dispatcher) outputLeft() bool {
	return d.class.Writable != nil && (d.class.Writable() || d.conn.TryFlush() == stream.ErrWouldBlock)
}

// done tells the functions that wait.
func (s *sent) done(d *Dispatcher) {
	err := d.broken()
	for _, fn := range s.take() {
		if failed := d.protect(func(*Dispatcher) error { fn(err); return nil }); failed != nil {
			d.fail(failed)
		}
	}
}

// giveUp tells them that the handler has ended.
func (s *sent) giveUp(d *Dispatcher, cause error) {
	if d.ending.cause != nil {
		cause = d.ending.cause
	}
	for _, fn := range s.take() {
		if err := d.protect(func(*Dispatcher) error { fn(cause); return nil }); err != nil {
			d.logError("error after close", err)
		}
	}
}

func (s *sent) take() []func(error) {
	all := *s
	*s = nil
	return all
}
