package compat

import (
	"context"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classic"
	"github.com/corobridge/corobridge/internal/coro"
	inner "github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// Handle makes a stream.Handler of a classic handler, by its ordinary constructor: newHandler attaches the handler to c, in m,
// just as it does for a classic listener's HandleAccepted. Each connection is served until the handler is closed; if
// it hands its connection over with Continue, what goes on with it is part of the same connection's task. The end of ctx calls the handler's
// Close. m is the loop's Map, or with opts one that the connections of this Handle share.
//
// An error or panic of the handler's methods goes to its HandleError, and never to the Server's OnError. What that lets out, and
// ErrExitNow, goes to the loop's exception handler, and the handler is closed. OnError hears how newHandler, or what Continue goes on
// with, has failed, and of the end of ctx.
func Handle[H asyncore.Handler](newHandler func(c *stream.Conn, m *asyncore.Map) H, opts ...asyncore.Option) stream.Handler {
	key := any(mapKey{})
	if len(opts) > 0 {
		key = new(mapKey)
	}
	return func(ctx context.Context, c *stream.Conn) error {
		m := mapOf(c.Loop(), key, opts)
		return await(ctx, newHandler(c, m).Classic())
	}
}

// Stream takes h's connection away from it: with what was received and not consumed, what was queued and not sent, live
// producers and a pending CloseWhenDone included, and an end or error already seen. h gets no further event; its parse loop stops. A length
// that a Chat is waiting for (SetLength) gets back what was collected of it, so that its Terminator says what the stream now begins with.
//
// Stream waits until the queued output has room. If that fails, by an error of a producer or the end of ctx, the connection is closed; if ctx has
// ended before, h keeps it. For a handler without connection the error is asyncore's. It may be called in tasks and plain
// goroutines.
func Stream(ctx context.Context, h asyncore.Handler) (*stream.Conn, error) {
	d := h.Classic()
	loop, err := d.Loop()
	if err != nil {
		return nil, err
	}
	return onLoop(ctx, loop, func(ctx context.Context) (*stream.Conn, error) {
		if ctx.Err() != nil {
			return nil, coro.Cause(ctx)
		}
		over, err := d.Take()
		if err != nil {
			return nil, err
		}
		d.Deliver(over) // a Handle or Dispatch that serves h returns
		if err := settle(ctx, over); err != nil {
			return nil, err
		}
		return over.Conn, nil
	})
}

// Continue is Stream from inside a callback: fn goes on with h's connection, as a task, where the callback leaves off. The connection is
// closed when fn returns, unless it was handed over. If a task serves h (Handle, Dispatch), fn runs in that; otherwise in a new
// one, whose error goes to the loop's exception handler, and whose end asyncore.Loop waits for. It is called on h's loop, and fails
// only for a handler without connection.
func Continue(h asyncore.Handler, fn stream.Handler) error {
	d := h.Classic()
	loop, err := d.Loop()
	if err != nil {
		return err
	}
	leave := d.Guest()
	over, err := d.Take()
	if err != nil {
		leave()
		return err
	}
	over.Next = fn
	if d.Deliver(over) {
		leave()
		return nil
	}
	task.Spawn(loop.Context(), func(ctx context.Context) error {
		defer leave()
		return goOn(ctx, over)
	})
	return nil
}

// Dispatch gives c to h, which has been built and configured, and is not attached, or has been and was let go. It returns when
// h has closed the connection, or handed it over; if by Continue, after what went on with it. No constructor runs, so no greeting is sent
// twice. The end of ctx calls h's Close; if it has come before, c stays as it is. Dispatch is called in a task, or in a plain goroutine.
func Dispatch(ctx context.Context, c *stream.Conn, h asyncore.Handler) error {
	loop := c.Loop()
	if loop == nil {
		return stream.ErrDetached
	}
	_, err := onLoop(ctx, loop, func(ctx context.Context) (struct{}, error) {
		if ctx.Err() != nil {
			return struct{}{}, coro.Cause(ctx)
		}
		if l, err := h.Classic().Loop(); err != nil || l != loop {
			asyncore.Init(h, Map(loop))
		}
		if err := h.Classic().Attach(c); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, await(ctx, h.Classic())
	})
	return err
}

// onLoop runs fn in the calling task, or for another caller in a task of its own, which the end of ctx cancels. A value that fn has by
// then is returned all the same.
func onLoop[T any](ctx context.Context, loop *reactor.Loop, fn func(ctx context.Context) (T, error)) (T, error) {
	if loop.InLoop() {
		return fn(ctx)
	}
	t := task.Go(loop.Context(), fn)
	v, err := t.Await(ctx)
	if err != nil && ctx.Err() != nil {
		t.Cancel(coro.Cause(ctx))
		return t.Await(context.WithoutCancel(ctx))
	}
	return v, err
}

// await waits for the end of a handler, and goes on with its connection if that was handed over.
func await(ctx context.Context, d classic.Dispatcher) error {
	ended := d.Ended()
	end, err := ended.Await(ctx)
	if err != nil {
		if !ended.Completed() {
			d.CloseHandler()
			return err
		}
		end, _ = ended.TryResult() // a hand-over that came together with the end of ctx
	}
	if end.HandedOver != nil && end.HandedOver.Next != nil {
		return goOn(ctx, end.HandedOver)
	}
	return nil
}

// goOn runs what goes on with a connection, which it owns.
func goOn(ctx context.Context, over *classic.HandOver) error {
	if err := settle(ctx, over); err != nil {
		return err
	}
	defer over.Conn.Close()
	return over.Next(ctx, over.Conn)
}

// settle sends what the handler had queued, before anything that the new owner sends.
func settle(ctx context.Context, over *classic.HandOver) (err error) {
	settled := false
	defer func() {
		if !settled { // a producer may panic
			over.Conn.Abort()
		}
	}()
	finish, err := over.Output(func(p []byte) error {
		_, err := over.Conn.Write(ctx, p)
		return err
	})
	if err == nil && finish {
		err = over.Conn.CloseWrite(ctx)
	}
	settled = err == nil
	return err
}

// mapKey is the key of a loop's Map, and a pointer to one that of a Handle's.
type mapKey struct{ _ byte }

// Map returns the map of the handlers that tasks of a loop serve: those of Handle and Dispatch.
func Map(loop *reactor.Loop) *asyncore.Map { return mapOf(loop, mapKey{}, nil) }

func mapOf(loop *reactor.Loop, key any, opts []asyncore.Option) *asyncore.Map {
	return inner.From(loop.Context()).Local(key, func() any { return asyncore.On(loop, opts...) }).(*asyncore.Map)
}
