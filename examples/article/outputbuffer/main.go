// Command outputbuffer is the tutorial's sixth listing: a handler with an output buffer, which is
// writable only while the buffer holds something. It sends back what it gets. The server limits the
// number of connections, as the tutorial's HTTP server does.
//
//	outputbuffer [-listen ADDR] [-max N]
//
// Repairs. The listing clears its buffer after each send, and so loses what the kernel has not
// taken. Here only as much is removed as Send reports. The listing's buffer also grows as long as
// the client sends; here Readable asks for more only when the buffer is empty. A server at its
// limit must not accept a connection only to close it: here its Readable says no, and new clients
// wait until another one leaves.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

func main() {
	address := flag.String("listen", "localhost:8000", "`address` to serve at")
	most := flag.Int("max", 100, "how many connections are served at once")
	flag.Parse()
	m := asyncore.NewMap()
	s, err := newServer(*address, *most, m, os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("outputbuffer: listening at", s.Addr())
	log.Fatal(asyncore.Loop(m))
}

type advancedHandler struct {
	asyncore.Dispatcher
	buffer []byte
	out    io.Writer
}

func (h *advancedHandler) Readable() bool { return len(h.buffer) == 0 }

func (h *advancedHandler) HandleRead() error {
	chunk, err := h.Recv(4096)
	h.buffer = append(h.buffer, chunk...)
	return err
}

func (h *advancedHandler) Writable() bool { return len(h.buffer) > 0 }

func (h *advancedHandler) HandleWrite() error {
	sent, err := h.Send(h.buffer)
	h.buffer = h.buffer[sent:]
	return err
}

func (h *advancedHandler) HandleClose() error {
	fmt.Fprintln(h.out, "Connection closed:", h.Addr())
	return h.Close()
}

// HandleError adds the peer's address to the error. The base class does the rest: it logs the error
// and calls HandleClose.
func (h *advancedHandler) HandleError(err error) error {
	return h.Base().HandleError(fmt.Errorf("%v: %w", h.Addr(), err))
}

type server struct {
	asyncore.Dispatcher
	most int
	out  io.Writer
}

func newServer(address string, most int, m *asyncore.Map, out io.Writer) (*server, error) {
	s := &server{most: most, out: out}
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

// Readable reports whether to accept. The map holds the server too, so a full one has most+1
// handlers.
func (s *server) Readable() bool { return s.Map().Len() <= s.most }

func (s *server) HandleAccepted(c *stream.Conn, addr net.Addr) error {
	fmt.Fprintln(s.out, "Connection established:", addr)
	asyncore.Attach(&advancedHandler{out: s.out}, c, s.Map())
	return nil
}
