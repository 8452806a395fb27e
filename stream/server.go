package stream

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Handler serves one connection, as a task. The server closes the connection when the handler
// returns, unless the handler has handed it over with Detach. ctx is cancelled when the server
// stops. What the handler starts with ctx is cancelled, and awaited, when it returns.
//
// The error goes to the server's OnError. Without one it is reported, unless it is only how
// connections end: see Server.OnError.
type Handler func(ctx context.Context, c *Conn) error

// Server serves connections. It is configured by its fields, which must not be changed once it
// serves; the zero value of each means its default.
type Server struct {
	// Handler serves each connection. It must be set.
	Handler Handler
	// Grace is how long handlers may go on after ctx has ended, before their contexts are
	// cancelled. The default cancels them at once. What they wait for with the context of Idle ends
	// at once in any case. Grace also bounds what CloseTimeout is for.
	Grace time.Duration
	// CloseTimeout is how long a connection whose handler has returned stays open for a peer that
	// takes nothing of what is unsent; see Conn.SetCloseTimeout. The default is what the handler
	// has set, or ten seconds.
	CloseTimeout time.Duration
	// OnError is told, on the loop, how a handler failed: its error, or a *task.PanicError. It is
	// also told of peers that go away, and of the end of the server, but not of a plain io.EOF.
	//
	// Without an OnError the loop's exception handler is told, which logs if there is no other. It
	// is told of panics and of all errors except those that are an ordinary end: io.EOF,
	// connections reset or broken by the peer (ECONNRESET, ECONNABORTED, EPIPE), and what says that
	// the handler's context has ended. A joined error is left out if all its parts are.
	OnError func(c *Conn, err error)
	// Group, if set, has the loops that handlers run on. They must be running. The listener's loop
	// accepts each connection, and the loop that Balance picks serves it. Handlers and OnError are
	// then called on several loops at the same time.
	Group *reactor.LoopGroup
	// Balance picks the loop of the Group for a new connection. The default takes them in turn.
	Balance Balance
}

// ListenAndServe listens at an address and serves it: see Serve. If ctx carries no loop, the
// Group's first loop listens.
func (s *Server) ListenAndServe(ctx context.Context, network, address string, opts ...Option) error {
	s.check()
	if _, ok := reactor.FromContext(ctx); !ok && s.Group != nil {
		ctx = reactor.WithLoop(ctx, s.Group.Loops()[0])
	}
	l, err := Listen(ctx, network, address, opts...)
	if err != nil {
		return err
	}
	return s.Serve(ctx, l)
}

// Serve accepts connections from l and serves each in a task of its own, until ctx is done or l
// fails. Then it closes l, gives the handlers Grace to finish, and cancels their contexts. It
// returns when all have returned: nil after the end of ctx, otherwise l's error. Each second it
// logs that it waits for handlers whose contexts have ended. A failing handler ends its own
// connection only.
//
// Serve is called in a task, or in a plain goroutine with a context that carries a loop. It panics
// if ctx carries none, Handler is not set, or the Group has no loops. With a Group, ctx need not
// carry a loop, and Serve returns reactor.ErrClosed when a connection comes and all loops of the
// Group are closed.
func (s *Server) Serve(ctx context.Context, l *Listener) error {
	s.check()
	if _, ok := reactor.FromContext(ctx); !ok && s.Group != nil {
		ctx = reactor.WithLoop(ctx, l.loop)
	}
	at := s.crews(ctx)
	err := s.accept(ctx, at, l)
	l.Close()
	if ctx.Err() != nil {
		err = nil
	}
	s.finish(ctx, at)
	return err
}

// check panics if a field makes no sense, before anything is opened.
func (s *Server) check() {
	switch {
	case s.Handler == nil:
		panic("stream: a Server needs a Handler")
	case s.Group != nil && len(s.Group.Loops()) == 0:
		panic("stream: the Group of a Server has no loops; make it with reactor.NewGroup")
	case s.Balance < RoundRobin || s.Balance > SourceHash:
		panic(fmt.Sprintf("stream: a Server has Balance %d; use one of the constants, as RoundRobin", s.Balance))
	}
}

func (s *Server) accept(ctx context.Context, at *crews, l *Listener) error {
	for {
		a, err := l.arrive(ctx)
		if err != nil {
			return err
		}
		p := at.pick(a.peer)
		c, err := a.on(p.loop)
		switch {
		case err == nil:
			// Isolated: a runtime.Goexit of the handler ends no other.
			task.Spawn(p.ctx, func(ctx context.Context) error { s.serve(ctx, c); return nil }, task.Isolated())
		case err == ErrWouldBlock: // the listener pauses
		case s.Group != nil && at.open() && ctx.Err() == nil: // that one loop has just been closed
		default:
			return err
		}
	}
}

// finish ends the handlers: by themselves, within Grace, or cancelled.
func (s *Server) finish(ctx context.Context, at *crews) {
	at.stop(ErrServerClosed)
	loop := loopOf(ctx, "Serve")
	if loop.Context().Err() == nil { // else Close logs whom it waits for
		defer loop.Every(time.Second, func() { at.warn(loop) }).Stop()
	}
	if s.Grace > 0 {
		t := loop.CallLater(s.Grace, func() { at.cancel(ErrServerClosed) })
		defer t.Stop()
		defer loop.AtClose(func() { at.cancel(reactor.ErrClosed) })()
		if loop.Context().Err() != nil { // it may be too late for both
			at.cancel(reactor.ErrClosed)
		}
	} else {
		at.cancel(ErrServerClosed)
	}
	at.wait()
}

// ErrServerClosed is the cause that a stopping server cancels its handlers' contexts with.
var ErrServerClosed = errors.New("stream: server closed")
