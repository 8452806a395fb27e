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

// Handle makes a stream.Handler of a classic handler. newHandler is its ordinary constructor, the
// one that a classic listener's HandleAccepted would call: it attaches a new handler to c, in m.
// Each connection is served until its handler is closed. If the handler gives the connection away
// with Continue, the function given to Continue runs in the same task. When ctx ends, the handler's
// Close is called. m is the loop's Map. With opts it is a Map of its own, which all connections of
// this Handle share.
//
// An error or panic of the handler's methods goes to its HandleError, and never to the Server's
// OnError. If HandleError returns an error, or a method returns ErrExitNow, the loop's exception
// handler is told and the handler is closed. OnError is told when newHandler panics, when the
// function given to Continue fails, and when ctx ends.
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

// Stream takes h's connection away from it. The connection brings along what was received and not
// consumed, what was queued and not sent (live producers and a pending CloseWhenDone included), and
// an end or error that was seen already. h gets no further event, and its parsing stops. If a Chat
// waits for a length (SetLength), the bytes of it that were collected count as not received, so its
// Terminator says again what the stream begins with.
//
// Stream waits until there is room for the queued output. If a producer fails meanwhile, or ctx
// ends, the connection is closed. If ctx has ended before, h keeps the connection. For a handler
// without a connection the error is asyncore.ErrNotInitialised or asyncore.ErrNoConnection. Stream
// may be called in tasks and in plain goroutines.
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

// Continue is Stream for the inside of a callback. It takes h's connection and returns at once; fn
// goes on with the connection in a task. When fn returns, the connection is closed, unless fn gave
// it away. If a task serves h (Handle, Dispatch), fn runs in that task. Otherwise fn runs in a new
// task: its error goes to the loop's exception handler, and asyncore.Loop waits for its end.
//
// Continue is called on h's loop. For a handler without a connection the error is
// asyncore.ErrNotInitialised or asyncore.ErrNoConnection, and fn is not called.
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

// Dispatch gives c to h, and returns when h has closed the connection or has given it away. If h
// gave it away with Continue, Dispatch returns when the function given to Continue has returned. h
// is a handler that is built and configured. If it has a connection, that is a panic. No
// constructor runs, so no greeting is sent twice.
//
// When ctx ends, h's Close is called. If ctx has ended before, c stays as it is. If c has been
// given away already, the error is stream.ErrDetached. Dispatch may be called in tasks and in plain
// goroutines.
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

// onLoop runs fn in the calling task. For any other caller it runs fn in a new task, and cancels
// that task when ctx ends. If fn still returns a value, so does onLoop.
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

// await waits for the end of a handler. If the handler gave its connection away by Continue, await
// runs the function given to Continue.
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

// goOn runs the function given to Continue, and then closes the connection.
func goOn(ctx context.Context, over *classic.HandOver) error {
	if err := settle(ctx, over); err != nil {
		return err
	}
	defer over.Conn.Close()
	return over.Next(ctx, over.Conn)
}

// settle sends what the handler had queued, before anything that the new owner sends. If that
// fails, it closes the connection.
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

// mapKey is the key of a loop's Map. A pointer to a mapKey is the key of one Handle's Map.
type mapKey struct{ _ byte }

// Map returns the map of the handlers that a loop's tasks serve by Handle and Dispatch.
func Map(loop *reactor.Loop) *asyncore.Map { return mapOf(loop, mapKey{}, nil) }

func mapOf(loop *reactor.Loop, key any, opts []asyncore.Option) *asyncore.Map {
	return inner.From(loop.Context()).Local(key, func() any { return asyncore.On(loop, opts...) }).(*asyncore.Map)
}
