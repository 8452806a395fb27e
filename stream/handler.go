package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"syscall"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// serve runs the handler for one connection, and everything that comes after it.
func (s *Server) serve(ctx context.Context, c *Conn) {
	peer := c.RemoteAddr() // a handler that hands c over is told of by it too
	defer s.close(ctx, c)
	defer func() {
		if v := recover(); v != nil {
			s.failed(ctx, c, peer, coro.Recovered(v))
		}
	}()
	var own error
	err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
		defer g.Cancel(task.ErrEnded)
		own = s.Handler(ctx, c)
		return own
	})
	switch {
	case err == nil || err == io.EOF:
	case own == nil && errors.Is(err, context.Canceled): // what the handler left was told to end
	default:
		s.failed(ctx, c, peer, err)
	}
}

// close closes the connection, unless it was handed over, and waits until that is done. A server
// that stops gives the peer Grace for it, at most: then what the kernel does not take at once is
// dropped.
func (s *Server) close(ctx context.Context, c *Conn) {
	if s.CloseTimeout != 0 {
		c.SetCloseTimeout(s.CloseTimeout)
	}
	c.Close()
	if c.WaitClosed(ctx); ctx.Err() != nil {
		c.Abort()
	}
}

// failed tells how a handler has failed. ctx is what its context derives from.
func (s *Server) failed(ctx context.Context, c *Conn, peer net.Addr, err error) {
	loop, _ := reactor.FromContext(ctx)
	core := coreOf(loop)
	defer func() { // a panic of OnError must not end the other handlers
		if v := recover(); v != nil {
			core.Report(reactor.Exception{Op: "Server.OnError", Err: coro.Recovered(v)})
		}
	}()
	if s.OnError != nil {
		s.OnError(c, err)
		return
	}
	const op = "handler of a connection"
	var p *task.PanicError
	switch {
	case errors.As(err, &p):
		core.Report(reactor.Exception{Op: op, Err: err})
	case !isOrdinaryEnd(ctx, err):
		if name := peer.String(); name != "@" { // most clients of a Unix socket have none
			err = fmt.Errorf("connection from %s: %w", name, err)
		}
		core.Report(reactor.Exception{Op: op, Err: err})
	}
}

// isOrdinaryEnd reports whether err only says that the peer has gone, or that ctx, or one of Idle,
// has ended. Of joined errors each must say so.
func isOrdinaryEnd(ctx context.Context, err error) bool {
	cause := context.Cause(ctx)
	for e := err; e != nil; e = errors.Unwrap(e) {
		if cause != nil && reflect.TypeOf(e).Comparable() && e == cause {
			return true // also if it joins errors itself
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			return !slices.ContainsFunc(joined.Unwrap(), func(part error) bool { return !isOrdinaryEnd(ctx, part) })
		}
	}
	if idle := stopping(ctx); idle != nil && errors.Is(err, idle.Err()) {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, ErrServerClosed) || isOneOf(err, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE) ||
		cause != nil && (errors.Is(err, cause) || errors.Is(err, ctx.Err()))
}
