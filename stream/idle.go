package stream

import (
	"context"

	"github.com/corobridge/corobridge/reactor"
)

type stoppingKey struct{}

// Idle returns a context for the wait between two requests. It is as ctx, a handler's, and is done,
// with ErrServerClosed as its cause, as soon as the server begins to stop. So a handler whose
// client has no request under way ends at once, and Grace is for those that have:
//
//	idle := stream.Idle(ctx)
//	for {
//		request, err := c.ReadLine(idle) // a line that has come in part stays unread
//		if err != nil {
//			return err
//		}
//		err = answer(ctx, c, request) // may take Grace
//		…
//	}
//
// A handler calls it once. It never waits. With the context of something else it returns ctx. Done
// and Err tell a handler that wants to know whether the server stops.
func Idle(ctx context.Context) context.Context {
	stopping := stopping(ctx)
	if stopping == nil {
		return ctx
	}
	loop, _ := reactor.FromContext(ctx)
	outside := coreOf(loop).World()
	idle, cancel := context.WithCancelCause(ctx)
	forget := outside.AfterFunc(stopping, func() { cancel(ErrServerClosed) })
	outside.AfterFunc(idle, func() { forget() })
	return idle
}

// stopping returns what ends when the server of ctx begins to stop, nil if ctx is no handler's.
func stopping(ctx context.Context) context.Context {
	stopping, _ := ctx.Value(stoppingKey{}).(context.Context)
	return stopping
}
