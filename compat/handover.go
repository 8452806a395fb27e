package compat

import (
	"context"

	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/channel"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// Handle makes a stream.Handler of a classic handler, by its ordinary constructor: newHandler attaches the handler to c, in m,
// just as it does for a classic listener's HandleAccepted. Each connection is served until the handler is closed; if
// it hands its connection over with Continue, what goes on with it is part of the same connection's task. The end of ctx closes it.
func Handle[H asyncore.Handler](newHandler func(c *stream.Conn, m *asyncore.Map) H, opts ...asyncore.Option) stream.Handler {
	return func(ctx context.Context, c *stream.Conn) error {
		m := Map(c.Loop())
		if len(opts) > 0 {
			m = asyncore.On(c.Loop(), opts...)
		}
		return await(ctx, newHandler(c, m).ClassicChannel())
	}
}

// Stream takes h's connection away from it: with what was received and not consumed, what was queued and not sent, live
// producers and a pending CloseWhenDone included, and an end or error already seen. h gets no further event; its parse loop stops.
// Stream waits until the queued output has room; if ctx ends in that wait, the connection is closed. It fails for a handler that has
// no connection, and may be called in tasks and plain goroutines.
func Stream(ctx context.Context, h asyncore.Handler) (*stream.Conn, error) {
	set := h.ClassicChannel().Set()
	if set == nil {
		return nil, channel.ErrNotInitialised
	}
	if loop, err := set.Loop(); err != nil {
		return nil, err
	} else if !loop.InLoop() {
		return task.Go(loop.Context(), func(context.Context) (*stream.Conn, error) { return Stream(ctx, h) }).Await(ctx)
	}
	over, err := h.ClassicChannel().Take()
	if err != nil {
		return nil, err
	}
	h.ClassicChannel().Deliver(over) // a Handle or Dispatch that serves h returns
	if err := settle(ctx, over); err != nil {
		return nil, err
	}
	return over.Conn, nil
}

// Continue is Stream from inside a callback: fn goes on with h's connection, as a task, where the callback leaves off. The connection is
// closed when fn returns, unless it was handed over. If a task serves h (Handle, Dispatch), fn runs in that; otherwise in a new
// one, whose error goes to the loop's exception handler.
func Continue(h asyncore.Handler, fn stream.Handler) error {
	ch := h.ClassicChannel()
	set := ch.Set()
	over, err := ch.Take()
	if err != nil {
		return err
	}
	over.Next = fn
	if ch.Deliver(over) {
		return nil
	}
	loop, err := set.Loop()
	if err != nil {
		return err
	}
	task.Spawn(loop.Context(), func(ctx context.Context) error { return goOn(ctx, over) })
	return nil
}

// Dispatch gives c to h, which has been built and configured, and is not attached, or has been and was let go. It returns when
// h has closed the connection, or handed it over; if by Continue, after what went on with it. No constructor runs, so no greeting is sent
// twice. The end of ctx closes the connection. Dispatch is called in a task of the connection's loop.
func Dispatch(ctx context.Context, c *stream.Conn, h asyncore.Handler) error {
	loop := c.Loop()
	if loop == nil {
		return stream.ErrDetached
	}
	initialise(h, Map(loop))
	if err := h.ClassicChannel().Attach(c); err != nil {
		return err
	}
	return await(ctx, h.ClassicChannel())
}

// initialise makes h ready to be attached, by its own base class, unless it is.
func initialise(h asyncore.Handler, m *asyncore.Map) {
	if h.ClassicChannel().Initialised() {
		return
	}
	switch h := h.(type) {
	case asynchat.Handler:
		asynchat.Init(h, m)
	case asyncore.SendHandler:
		asyncore.InitWithSend(h, m)
	default:
		asyncore.Init(h, m)
	}
}

// await waits for the end of a channel, and goes on with its connection if that was handed over.
func await(ctx context.Context, ch *channel.Channel) error {
	end, err := ch.Ended().Await(ctx)
	if err != nil {
		ch.Close()
		return err
	}
	if end.HandedOver != nil && end.HandedOver.Next != nil {
		return goOn(ctx, end.HandedOver)
	}
	return nil
}

// goOn runs what goes on with a connection, which it owns.
func goOn(ctx context.Context, over *channel.HandOver) error {
	if err := settle(ctx, over); err != nil {
		return err
	}
	defer over.Conn.Close()
	return over.Next(ctx, over.Conn)
}

// settle sends what the handler had queued, before anything that the new owner sends.
func settle(ctx context.Context, over *channel.HandOver) error {
	finish, err := over.Output(func(p []byte) error {
		_, err := over.Conn.Write(ctx, p)
		return err
	})
	if err == nil && finish {
		err = over.Conn.CloseWrite(ctx)
	}
	if err != nil {
		over.Conn.Abort()
	}
	return err
}

type mapKey struct{}

// Map returns the map of the handlers that tasks of a loop serve: those of Handle and Dispatch.
func Map(loop *reactor.Loop) *asyncore.Map {
	return loop.Local(mapKey{}, func() any { return asyncore.On(loop) }).(*asyncore.Map)
}
