package channel

import (
	"errors"
	"fmt"

	"github.com/corobridge/corobridge/stream"
)

// readEvent is handle_read_event, and writeEvent handle_write_event: what comes first decides that a connection stands.

func (c *Channel) readEvent() error {
	switch {
	case c.accepting:
		return c.HandleAccept()
	case c.connecting:
		if err := c.connectEvent(); err != nil || !c.connected {
			return err
		}
	}
	if c.methods.read {
		return c.handler.(reader).HandleRead()
	}
	return c.BaseRead()
}

func (c *Channel) writeEvent() error {
	if c.connecting {
		if err := c.connectEvent(); err != nil || !c.connected {
			return err
		}
		if !c.methods.write && c.class.Write == nil {
			return nil
		}
	}
	if c.methods.write {
		return c.handler.(writer).HandleWrite()
	}
	return c.BaseWrite()
}

// connectEvent tells the handler that its connection stands. If that fails, and the handler takes the error, it is told again.
func (c *Channel) connectEvent() error {
	if c.methods.connect {
		if err := c.handler.(connecter).HandleConnect(); err != nil {
			return err
		}
	} else {
		c.BaseConnect()
	}
	if c.connecting { // it may have closed
		c.connected, c.connecting = true, false
	}
	return nil
}

// HandleClose, and the others of its kind, call the handler's method.
func (c *Channel) HandleClose() error {
	if h, ok := c.handler.(closer); ok {
		return h.HandleClose()
	}
	return c.BaseClose()
}

func (c *Channel) HandleError(err error) error {
	if h, ok := c.handler.(errorHandler); ok {
		return h.HandleError(err)
	}
	return c.BaseError(err)
}

func (c *Channel) HandleAccept() error {
	if h, ok := c.handler.(accepter); ok {
		return h.HandleAccept()
	}
	return c.BaseAccept()
}

// BaseRead, and the others of its kind, are what the base class does.
func (c *Channel) BaseRead() error {
	if c.class.Read != nil {
		return c.class.Read()
	}
	if c.conn != nil {
		if _, err := c.conn.TryPeek(); err != nil && !errors.Is(err, stream.ErrWouldBlock) {
			return c.HandleClose() // nobody will find out by reading
		}
	}
	c.Log("warning", "unhandled read event")
	return nil
}

func (c *Channel) BaseWrite() error {
	if c.class.Write != nil {
		return c.class.Write()
	}
	c.Log("warning", "unhandled write event")
	return nil
}

func (c *Channel) BaseConnect() { c.Log("warning", "unhandled connect event") }

func (c *Channel) BaseClose() error {
	if !c.class.Quiet {
		c.Log("warning", "unhandled close event")
	}
	return c.CloseHandler()
}

// BaseAccept accepts one connection and passes it to HandleAccepted, which owns it unless it fails.
func (c *Channel) BaseAccept() error {
	conn, addr, err := c.Accept()
	if conn == nil {
		return err
	}
	h, ok := c.handler.(acceptedTaker)
	if !ok {
		c.Log("warning", "unhandled accepted event")
		return conn.Close()
	}
	err = c.protect(func(*Channel) error { return h.HandleAccepted(conn, addr) })
	if err != nil && !errors.Is(err, ErrExitNow) {
		conn.Abort()
		err = fmt.Errorf("accepted connection from %v dropped: %w", addr, err)
	}
	return err
}

// BaseError logs and closes. A listener goes on: what fails there is one client.
func (c *Channel) BaseError(err error) error {
	if c.accepting {
		c.logError("uncaptured error, still listening", err)
		return nil
	}
	c.logError("uncaptured error, closing channel", err)
	return c.HandleClose()
}

func (c *Channel) BaseReadable() bool { return true }

func (c *Channel) BaseWritable() bool {
	return c.class.Writable == nil || !c.connected || c.class.Writable()
}

func (c *Channel) logError(what string, err error) {
	c.Log("error", fmt.Sprintf("%s %T: %v", what, c.handler, err))
}

// Log passes a message to the set's logger.
func (c *Channel) Log(kind, msg string) {
	if c.set != nil && c.set.log != nil {
		c.set.log(kind, msg)
	}
}
