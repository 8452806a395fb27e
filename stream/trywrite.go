package stream

// TryFlush is Flush that never waits: it gives the kernel what that takes of what is unsent. If
// something is left it returns ErrWouldBlock; the loop sends it later. While another writer has its
// turn it returns ErrBusy. It may be called in callbacks.
func (c *Conn) TryFlush() error {
	const op = "stream: flush"
	e, err := c.tryOut(op)
	if err != nil {
		return err
	}
	defer e.unlock()
	e.sendOut()
	if err := e.writeErr(); err != nil {
		return e.wrap(op, err)
	}
	if !e.allSent() {
		return ErrWouldBlock
	}
	return nil
}

// TryCloseWrite is CloseWrite that never waits: the stream ends for the peer once the kernel has
// what is unsent. While another writer has its turn it returns ErrBusy, and does nothing. It may be
// called in callbacks.
func (c *Conn) TryCloseWrite() error {
	const op = "stream: close writing"
	e, err := c.tryOut(op)
	if err != nil {
		return err
	}
	defer e.unlock()
	e.finish = true
	e.sendOut()
	return e.wrap(op, e.writeErr())
}

// tryOut returns the endpoint, locked, for a call that writes and does not wait.
func (c *Conn) tryOut(op string) (*endpoint, error) {
	e, err := c.lock()
	if err != nil {
		return nil, c.refused(op, err)
	}
	if e.held[outward] {
		e.unlock()
		return nil, ErrBusy
	}
	return e, nil
}
