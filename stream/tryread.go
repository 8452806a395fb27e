package stream

// TryRead is Read that never waits: if there is no input it returns ErrWouldBlock, and while
// another reader has its turn, ErrBusy. It may be called in callbacks.
func (c *Conn) TryRead(p []byte) (int, error) {
	e, err := c.tryRead("stream: read")
	if err != nil {
		return 0, err
	}
	defer e.unlock()
	n, err := e.takeInput(p)
	return n, e.wrap("stream: read", err)
}

// TryPeek is Peek that never waits. It reads on, as far as there is input, until n bytes are
// buffered, and lends them until the next call that reads: nothing is taken. So a callback gets a
// frame as soon as it is complete, however it came in.
//
// With fewer bytes it returns ErrWouldBlock, and keeps them; OnReady's function is called when
// there is more. If the stream ends before, it lends what there is, with io.EOF. It returns
// ErrLineTooLong if n is over the line limit, and while another reader has its turn, ErrBusy.
// TryPeek(0) lends what is buffered. It panics if n is negative. It may be called in callbacks.
func (c *Conn) TryPeek(n int) ([]byte, error) {
	mustNotBeNegative("TryPeek", n)
	e, err := c.tryRead("stream: peek")
	if err != nil {
		return nil, err
	}
	defer e.unlock()
	p, err := e.peekFull(n)
	if err == ErrWouldBlock && e.mayRead { // only its share has been spent
		e.notifyLater()
	}
	return p, e.wrap("stream: peek", err)
}

// TryPeekSome is PeekSome that never waits: it lends what is buffered, and reads only if that is
// nothing. If there is no input it returns ErrWouldBlock, and while another reader has its turn,
// ErrBusy. It may be called in callbacks.
func (c *Conn) TryPeekSome() ([]byte, error) {
	e, err := c.tryRead("stream: peek")
	if err != nil {
		return nil, err
	}
	defer e.unlock()
	p, err := e.peekInput()
	return p, e.wrap("stream: peek", err)
}

// TryDiscard drops up to n bytes of what is buffered and returns how many it has dropped. It may be
// called in callbacks.
func (c *Conn) TryDiscard(n int) (int, error) {
	mustNotBeNegative("TryDiscard", n)
	e, err := c.tryRead("stream: discard")
	if err != nil {
		return 0, err
	}
	defer e.unlock()
	n = min(n, e.in.len())
	e.in.consume(e.lender(), n)
	return n, nil
}

// tryRead locks the endpoint for a reader that does not wait.
func (c *Conn) tryRead(op string) (*endpoint, error) {
	e, err := c.lock()
	if err != nil {
		return nil, c.refused(op, err)
	}
	if e.held[inward] {
		e.unlock()
		return nil, ErrBusy
	}
	e.reads = 0 // whoever calls back again and again gives others their turn
	return e, nil
}
