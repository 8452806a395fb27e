// Command linebuffer is the tutorial's fifth listing: a handler that keeps its input until a line
// is complete, and its server. It answers each line with the same line.
//
//	linebuffer [-listen ADDR]
//
// Repairs. The listing's server passes arguments to its handler that dispatcher does not take, and
// does not import socket. Here the handler is attached to the accepted connection, in the server's
// map. When the kernel takes only a part of what is sent, the listing loses the rest. Here the rest
// waits in a buffer for HandleWrite. Both buffers are bounded: the length of a line is limited, and
// Readable asks for more input only when the answers to the last input have been sent. So a client
// that ends its own side first still gets every answer: when the handler sees the end of input,
// there is nothing left to send.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

func main() {
	address := flag.String("listen", "localhost:8000", "`address` to serve at")
	flag.Parse()
	m := asyncore.NewMap()
	s, err := newServer(*address, m)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("linebuffer: listening at", s.Addr())
	log.Fatal(asyncore.Loop(m))
}

// maxLine is how many bytes an unfinished line may have.
const maxLine = 64 << 10

var errLineTooLong = errors.New("line too long")

type myHandler struct {
	asyncore.Dispatcher
	in  []byte // an unfinished line
	out []byte // answers that wait to be sent
}

func newHandler(c *stream.Conn, m *asyncore.Map) *myHandler {
	h := &myHandler{}
	asyncore.Attach(h, c, m)
	return h
}

func (h *myHandler) Readable() bool { return len(h.out) == 0 }

func (h *myHandler) HandleRead() error {
	data, err := h.Recv(8192)
	if err != nil {
		return err
	}
	h.in = append(h.in, data...)
	return h.processBuffer()
}

// processBuffer answers the complete lines, and keeps the rest.
func (h *myHandler) processBuffer() error {
	complete := bytes.LastIndexByte(h.in, '\n') + 1
	for line := range bytes.Lines(h.in[:complete]) {
		h.out = append(h.out, line...)
	}
	if h.in = h.in[complete:]; len(h.in) > maxLine {
		return errLineTooLong
	}
	return nil
}

func (h *myHandler) Writable() bool { return len(h.out) > 0 }

func (h *myHandler) HandleWrite() error {
	n, err := h.Send(h.out)
	h.out = h.out[n:]
	return err
}

type server struct{ asyncore.Dispatcher }

func newServer(address string, m *asyncore.Map) (*server, error) {
	s := &server{}
	asyncore.Init(s, m)
	if err := s.CreateSocket("tcp"); err != nil {
		return nil, err
	}
	s.SetReuseAddr()
	if err := s.Bind(address); err != nil {
		return nil, err
	}
	return s, s.Listen(5)
}

func (s *server) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	newHandler(c, s.Map())
	return nil
}
