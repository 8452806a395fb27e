package stream

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Dial connects to an address, as net.Dial takes it: "tcp", "tcp4", "tcp6" with host:port, or
// "unix" with a path. Of several addresses of a host it takes the first that answers. The
// connection belongs to the loop that ctx carries; ctx bounds the dial only. A cancelled dial
// leaves nothing. Dial may be called from tasks and goroutines; it panics when ctx carries no loop.
func Dial(ctx context.Context, network, address string, opts ...Option) (*Conn, error) {
	loop := loopOf(ctx, "Dial")
	fail := func(err error) (*Conn, error) {
		return nil, fmt.Errorf("stream: dial %s %s: %w", network, address, err)
	}
	coro.Who(ctx, "stream: Dial") // before there is anything to undo
	if ctx.Err() != nil {
		return fail(coro.Cause(ctx))
	}
	if !loop.InLoop() {
		return dialElsewhere(ctx, network, address, opts)
	}
	targets, err := resolve(ctx, loop, network, address, false)
	if err != nil {
		return fail(err)
	}
	o := applied(opts)
	if targets, err = o.reachable(targets); err != nil {
		return fail(err)
	}
	var errs []error
	for _, t := range targets {
		c, err := connect(ctx, loop, t, o)
		if err == nil {
			return c, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	return fail(errors.Join(errs...))
}

// dialElsewhere dials in a task of the loop, for a caller outside it. That task does not fail, even
// if the dial does: the error is the caller's, and no concern of a group that ctx may carry.
func dialElsewhere(ctx context.Context, network, address string, opts []Option) (*Conn, error) {
	var failure error
	t := task.Go(ctx, func(ctx context.Context) (c *Conn, _ error) {
		c, failure = Dial(ctx, network, address, opts...)
		return c, nil
	})
	c, err := t.Await(ctx)
	if err != nil {
		t.OnDone(future.Inline, func(late *Conn, _ error) {
			if late != nil {
				late.Abort()
			}
		})
		return nil, fmt.Errorf("stream: dial %s %s: %w", network, address, err)
	}
	return c, failure
}

// connect makes one attempt.
func connect(ctx context.Context, loop *reactor.Loop, t target, o options) (*Conn, error) {
	if ctx.Err() != nil {
		return nil, coro.Cause(ctx)
	}
	k := coreOf(loop).World()
	fd, err := o.socketFor(k, &t)
	if err != nil {
		return nil, err
	}
	if !o.delay && t.network != "unix" {
		k.SetSockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // a matter of speed only
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
	s := streamsOf(loop)
	s.count(&s.stats.Dialed)
	return c, nil
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
