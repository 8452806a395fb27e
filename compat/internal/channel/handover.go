package channel

import "github.com/corobridge/corobridge/stream"

// HandOver is a connection on its way from a handler to a task.
type HandOver struct {
	Conn   *stream.Conn
	Output Drain          // what goes out before anything that the new owner writes
	Next   stream.Handler // what goes on with the connection; nil when the taker does
}

// Take takes the connection away from the handler, with everything received and not consumed in front of what is to be
// read next. The handler gets no further event.
func (c *Channel) Take() (*HandOver, error) {
	if c.set == nil {
		return nil, ErrNotInitialised
	}
	if c.conn == nil {
		return nil, ErrNoConnection
	}
	conn, err := c.conn.Detach()
	if err != nil {
		return nil, err
	}
	if err := conn.Unread(c.leftInput()); err != nil {
		return nil, err
	}
	h := &HandOver{Conn: conn, Output: c.leftOutput()}
	c.set.stats.HandOvers++
	c.conn, c.lost = nil, stream.ErrDetached
	c.letGo(stream.ErrDetached)
	return h, nil
}

// leftInput is what the handler keeps, and then what its base class does, which came later.
func (c *Channel) leftInput() (left []byte) {
	if h, ok := c.handler.(unfinished); ok {
		left = h.Unfinished()
	}
	if c.class.Input != nil {
		left = c.class.Input(left)
	}
	return left
}

// leftOutput is what the base class has queued, and then what the handler has not given to it yet.
func (c *Channel) leftOutput() Drain {
	var queued Drain
	if c.class.Output != nil {
		queued = c.class.Output()
	}
	var rest []byte
	if h, ok := c.handler.(unsent); ok {
		rest = h.Unsent()
	}
	return func(write func([]byte) error) (finish bool, err error) {
		if queued != nil {
			if finish, err = queued(write); err != nil || finish {
				return finish, err // nothing is sent after the end
			}
		}
		if len(rest) > 0 {
			err = write(rest)
		}
		return false, err
	}
}

// Deliver hands a connection to whoever waits for the channel's end, and reports whether somebody does.
func (c *Channel) Deliver(h *HandOver) bool {
	if c.end == nil {
		return false
	}
	c.tell(End{HandedOver: h})
	return true
}
