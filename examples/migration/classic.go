package main

import (
	"net"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

// lineHandler is the classic handler as it was before anybody thought of migrating, with its
// callbacks and the state between them. Only the MODERN case is new, and only stage 3 uses it.
// Stages 1 to 3 run this same code.
type lineHandler struct {
	asynchat.Chat
	session *session
}

func newLineHandler(c *stream.Conn, m *asyncore.Map) *lineHandler {
	h := &lineHandler{session: &session{}}
	h.SetTerminator("\r\n")
	asynchat.Attach(h, c, m)
	h.PushString("220 ready\r\n")
	return h
}

func (h *lineHandler) CollectIncomingData(data []byte) error {
	h.Collect(data)
	return nil
}

func (h *lineHandler) FoundTerminator() error {
	switch line := string(h.Take()); line {
	case "QUIT":
		h.PushString("221 bye\r\n")
		h.CloseWhenDone()
		return nil
	case "MODERN": // the migration: from here on a task serves the connection
		h.PushString("250 going modern\r\n")
		return compat.Continue(h, h.session.serve)
	default:
		return h.PushString(h.session.answer(line) + "\r\n")
	}
}

// classicServer is the classic listener.
type classicServer struct{ asyncore.Dispatcher }

func newClassicServer(m *asyncore.Map, address string) (*classicServer, error) {
	s := &classicServer{}
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

func (s *classicServer) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	newLineHandler(c, s.Map())
	return nil
}
