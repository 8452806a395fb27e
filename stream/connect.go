package stream

import (
	"context"
	"errors"
	"syscall"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

// attempts is how often a connection is tried that the kernel has given a bad port of ours: the
// peer's own, so that it connects to itself, or one that is in use.
const attempts = 3

// connect connects to one address.
func connect(ctx context.Context, loop *reactor.Loop, t target, o options) (c *Conn, err error) {
	for range attempts {
		c, err = attempt(ctx, loop, t, o)
		if o.choosesPort() || !errors.Is(err, errSelf) && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			break
		}
	}
	if errors.Is(err, errSelf) {
		return nil, sysError("connect", syscall.ECONNREFUSED)
	}
	return c, err
}

// errSelf is the error of an attempt that has connected to itself.
var errSelf = errors.New("connected to itself")

func attempt(ctx context.Context, loop *reactor.Loop, t target, o options) (*Conn, error) {
	if ctx.Err() != nil {
		return nil, coro.Cause(ctx)
	}
	k := coreOf(loop).World()
	fd, err := o.socketFor(k, &t)
	if err != nil {
		return nil, err
	}
	if err := o.prepare(k, fd, t, false); err != nil {
		k.Close(fd)
		return nil, err
	}
	errno := k.Connect(fd, t.addr)
	pending := errno == syscall.EINPROGRESS
	if errno != 0 && !pending {
		k.Close(fd)
		return nil, sysError("connect", errno)
	}
	c, err := adopt(loop, fd, addr{IP: unmapped(t.addr.IP), Path: t.addr.Path}, !pending)
	if err != nil {
		return nil, err
	}
	if pending {
		if err := c.connected(ctx, k, fd); err != nil {
			c.Abort()
			return nil, err
		}
	}
	if !o.choosesPort() && isSelf(k, fd, t) {
		c.abandon(errSelf)
		return nil, errSelf
	}
	s := streamsOf(loop)
	s.count(&s.stats.Dialed)
	return c, nil
}

// abandon resets the connection, so that nothing of it is left in the kernel.
func (c *Conn) abandon(cause error) {
	if e, err := c.own(); err == nil {
		e.failWrite(cause)
		e.abort(cause)
		e.unlock()
	}
}

// isSelf reports whether a socket is connected to itself. The kernel may choose for it the port
// that it connects to. If nobody listens there, the two halves of the handshake meet.
func isSelf(k world.Kernel, fd int, t target) bool {
	if t.network == "unix" {
		return false
	}
	own, _ := k.LocalAddr(fd)
	return own.IP.Port() == t.addr.IP.Port() && own.IP.Addr().WithZone("") == t.addr.IP.Addr().WithZone("")
}

// connected waits until the outcome of the connection attempt is known.
func (c *Conn) connected(ctx context.Context, k world.Kernel, fd int) error {
	e, err := c.lock()
	if err != nil {
		return err
	}
	defer e.unlock()
	for !e.mayWrite {
		if err := c.park(ctx, e, &e.writer, (*room)(e), "stream: dial"); err != nil {
			return err
		}
	}
	outcome, errno := k.SockoptInt(fd, syscall.SOL_SOCKET, soError)
	if errno == 0 {
		errno = syscall.Errno(outcome)
	}
	return sysError("connect", errno)
}
