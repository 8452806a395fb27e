package main

import (
	"bytes"
	"context"
	"io"
	"net"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// serveClassic serves with dispatchers on the classic loop, until ctx ends.
func serveClassic(ctx context.Context, address string, out io.Writer) error {
	m := asyncore.NewMap()
	defer asyncore.CloseAll(m, true) // also frees the loop, if something fails
	s, err := newEchoServer(address, m)
	if err != nil {
		return err
	}
	announce(out, s.Addr())
	loop, err := m.Loop()
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { loop.CallSoon(func() { s.shutDown(loop) }) })()
	return asyncore.Loop(m)
}

type echoServer struct{ asyncore.Dispatcher }

func newEchoServer(address string, m *asyncore.Map) (*echoServer, error) {
	s := &echoServer{}
	asyncore.Init(s, m)
	if err := s.CreateSocket("tcp"); err != nil {
		return nil, err
	}
	s.SetReuseAddr()
	if err := s.Bind(address); err != nil {
		return nil, err
	}
	return s, s.Listen(1024)
}

func (s *echoServer) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	asyncore.Attach(&echoHandler{}, c, s.Map())
	return nil
}

// shutDown stops accepting. After the grace it closes the connections that are still open. The loop
// ends when its last handler has gone.
func (s *echoServer) shutDown(loop *reactor.Loop) {
	m := s.Map()
	s.Close()
	loop.CallLater(grace, func() { asyncore.CloseAll(m, true) })
}

// echoHandler is event-driven: it has no Readable and no Writable, which the loop would have to ask
// in each iteration.
type echoHandler struct {
	asyncore.Dispatcher
	rest []byte // received, and not yet sent
}

func (h *echoHandler) HandleRead() error {
	data, err := h.Recv(64 << 10)
	if len(data) == 0 || err != nil {
		return err
	}
	n, err := h.Send(data)
	if n == len(data) || err != nil || !h.Connected() {
		return err
	}
	h.rest = bytes.Clone(data[n:])
	return compat.Continue(h, h.goOnWhenSent)
}

// Unsent gives the rest to the next owner of the connection.
func (h *echoHandler) Unsent() []byte {
	rest := h.rest
	h.rest = nil
	return rest
}

// goOnWhenSent serves a client that sends faster than it reads. It waits until everything has been
// sent, and then gives the connection back to the handler. Meanwhile nothing is read, so little has
// to be kept in memory.
func (h *echoHandler) goOnWhenSent(ctx context.Context, c *stream.Conn) error {
	if err := c.Flush(ctx); err != nil {
		return nil // the client has gone, or the server ends
	}
	asyncore.Attach(h, c, h.Map())
	return nil
}
