package channel

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// acceptPause is how long a listener rests when the process is out of descriptors.
const acceptPause = 100 * time.Millisecond

// Bind makes the listener.
func (c *Channel) Bind(network, address string) error {
	if c.set == nil {
		return ErrNotInitialised
	}
	c.mustBeFree()
	if c.listener != nil {
		return fmt.Errorf("asyncore: bind %s: the handler is bound to %v", address, c.addr)
	}
	loop, err := c.set.Loop()
	if err != nil {
		return err
	}
	l, err := stream.Listen(loop.Context(), network, address)
	if err != nil {
		return err
	}
	c.listener, c.addr = l, l.Addr()
	return nil
}

// Listen makes the channel a listener's, once it is bound.
func (c *Channel) Listen(backlog int) error {
	if c.listener == nil {
		return errNotBound
	}
	if err := c.listener.SetBacklog(backlog); err != nil {
		return err
	}
	c.accepting = true
	c.begin()
	c.listener.OnReady(c.onReady)
	c.set.wake(c)
	return nil
}

// acceptAhead reports whether there is a connection to accept, which it takes. Running out of descriptors makes a pause.
func (c *Channel) acceptAhead() bool {
	if c.waiting != nil {
		return true
	}
	if c.resting {
		return false
	}
	conn, err := c.listener.TryAccept()
	switch {
	case err == nil:
		c.waiting = conn
		return true
	case err != stream.ErrWouldBlock && !errors.Is(err, stream.ErrClosed):
		c.rest(err)
	}
	return false
}

// rest makes the pause.
func (c *Channel) rest(why error) {
	c.Log("error", fmt.Sprintf("%v; trying again in %v", why, acceptPause))
	c.resting = true
	c.set.loop.CallLater(acceptPause, func() {
		c.resting = false
		c.Wake()
	})
}

// Accept returns a connection, nil if nobody is there.
func (c *Channel) Accept() (*stream.Conn, net.Addr, error) {
	if !c.accepting {
		return nil, nil, errNotListening
	}
	if !c.acceptAhead() {
		return nil, nil, nil
	}
	conn := c.waiting
	c.waiting = nil
	return conn, conn.RemoteAddr(), nil
}

// Connect begins to connect; how it ends comes as an event.
func (c *Channel) Connect(network, address string) error {
	if c.set == nil {
		return ErrNotInitialised
	}
	loop, err := c.set.Loop()
	if err != nil {
		return err
	}
	if !c.connecting || c.dialing == nil || !c.dialing.Completed() { // in HandleError it may try again
		c.mustBeFree()
	}
	c.connecting = true
	c.begin()
	t := task.Go(loop.Context(), func(ctx context.Context) (*stream.Conn, error) {
		return stream.Dial(ctx, network, address)
	})
	c.dialing = t
	t.OnDone(loop, func(conn *stream.Conn, err error) { c.dialled(t, conn, err) })
	return nil
}

// dialled is told how the attempt t to connect has ended.
func (c *Channel) dialled(t *task.Task[*stream.Conn], conn *stream.Conn, err error) {
	switch {
	case c.dialing != t: // closed in the meantime
		if conn != nil {
			conn.Abort()
		}
	case err != nil:
		c.refused(err)
	default:
		c.dialing = nil
		c.use(conn)
	}
}

// refused tells the handler that its attempt to connect has failed. If that neither closes nor tries again, it is closed.
func (c *Channel) refused(err error) {
	t := c.dialing
	c.fail(err)
	if c.dialing == t && c.connecting && c.set.failure == nil {
		c.event((*Channel).HandleClose)
	}
	if c.dialing == t {
		c.dialing = nil
	}
}
