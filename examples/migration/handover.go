package main

import (
	"context"
	"time"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// giveBack gives the connection to a classic handler again, and waits until half a line has come.
// Then it takes the connection over from outside, and goes on in a task.
func (s *session) giveBack(ctx context.Context, c *stream.Conn) error {
	if _, err := c.WriteString(ctx, "250 going classic\r\n"); err != nil {
		return err
	}
	h := &lineHandler{session: s}
	h.SetTerminator("\r\n")
	return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
		taken := task.Go(ctx, func(ctx context.Context) (*stream.Conn, error) { return takeAtHalfALine(ctx, h) })
		if err := compat.Dispatch(ctx, c, h); err != nil {
			return err
		}
		taken.Cancel(nil) // has no effect if Dispatch returned because the connection was taken
		c, err := taken.Await(ctx)
		if c == nil || err != nil {
			return err
		}
		defer c.Close()
		if _, err := c.WriteString(ctx, "250 taken over\r\n"); err != nil {
			return err
		}
		return s.serve(ctx, c)
	})
}

// takeAtHalfALine waits until h has part of a line, and then takes its connection. If it is
// cancelled before that, it returns nil.
//
// It polls, to show that a connection can be taken from a handler that knows nothing of it. In a
// handler that may be changed, CollectIncomingData would complete a future.Promise, and this would
// await its future.
func takeAtHalfALine(ctx context.Context, h *lineHandler) (*stream.Conn, error) {
	for h.Pending() == 0 {
		if task.Sleep(ctx, time.Millisecond) != nil {
			return nil, nil
		}
	}
	return compat.Stream(ctx, h)
}
