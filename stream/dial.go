package stream

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/task"
)

// Dial connects to an address, as net.Dial takes it: "tcp", "tcp4", "tcp6" with host:port, or
// "unix" with a path. An empty host is this machine. The connection belongs to the loop that ctx
// carries; ctx bounds the dial only. A cancelled dial leaves nothing.
//
// Of several addresses of a host it takes the first that answers: it tries the next one when one
// has failed, or has not answered for a while, and goes on with those before. See FallbackDelay.
// It never connects to itself, which TCP allows where nobody listens: that is ECONNREFUSED.
//
// The errors wrap the context's cause, *net.AddrError, *net.DNSError, net.UnknownNetworkError, or
// for each address that was tried the system call's. Dial may be called from tasks and goroutines;
// it panics when ctx carries no loop.
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
	if targets, err = o.boundTo(network, targets); err != nil {
		return fail(err)
	}
	d := dialing{loop: loop, targets: interleaved(targets), options: o}
	c, err := d.run(ctx)
	if err != nil {
		return fail(err)
	}
	return c, nil
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
