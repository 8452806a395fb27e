package stream

import "github.com/corobridge/corobridge/internal/loop"

// urgentReader is a transport that may bring urgent data.
type urgentReader interface {
	// readUrgent takes the byte of urgent data that has come, if there is one. It is called locked.
	readUrgent() (b byte, ok bool)
}

// OnUrgent has fn called on the loop with each byte of urgent data, which TCP calls out-of-band
// data, and some systems have on Unix sockets too. Such a byte is not part of the stream. If
// another one comes before the loop has looked, only the last is told; so it is with recv(2). fn
// stays until it is replaced; nil removes it, and so does Detach. Without OnUrgent, and on a Pipe,
// urgent data is dropped. OnUrgent itself calls nothing. It is called on the loop.
func (c *Conn) OnUrgent(fn func(b byte)) error {
	e, err := c.lock()
	if err != nil {
		return c.refused("stream: on urgent data", err)
	}
	defer e.unlock()
	if fn == nil && e.more == nil {
		return nil
	}
	e.rare().urgent = fn
	if tell := e.takeUrgent(); tell != nil { // it came earlier
		e.core().Post(callback(tell))
	}
	return nil
}

// takeUrgent takes the urgent data that has come, for a caller that wants it. The result tells the
// caller; it is nil if there is nothing to tell, and is called unlocked. Reading the stream beyond
// the urgent byte would lose that, so it is taken first.
func (e *endpoint) takeUrgent() (tell func()) {
	if e.more == nil || e.more.urgent == nil || e.closed {
		return nil
	}
	u, ok := e.transport.(urgentReader)
	if !ok {
		return nil
	}
	b, ok := u.readUrgent()
	if !ok {
		return nil
	}
	epoch := e.epoch
	return func() {
		e.lock()
		var fn func(byte)
		if e.epoch == epoch && !e.closing {
			fn = e.more.urgent
		}
		e.unlock()
		if fn != nil {
			fn(b)
		}
	}
}

// readUrgent also notes that there was urgent data: recv still stops at its mark, and once the byte
// was taken no event tells of it.
func (s *socket) readUrgent() (byte, bool) {
	b, errno := s.kernel().ReadUrgent(s.FD())
	if errno != 0 {
		return 0, false
	}
	s.urgent = true
	s.Blocked(loop.Priority) // until there is another one
	return b, true
}

// tellUrgent is takeUrgent for an event.
func (e *endpoint) tellUrgent(ev loop.Events) (tell func()) {
	if ev&loop.Priority == 0 {
		return nil
	}
	return e.takeUrgent()
}
