package asyncore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// Echo is the classic echo handler.
type Echo struct{ asyncore.Dispatcher }

func (e *Echo) HandleRead() error {
	data, err := e.Recv(8192)
	if len(data) > 0 {
		_, err = e.Send(data)
	}
	return err
}

// EchoServer is the classic listener: it attaches an Echo to each connection.
type EchoServer struct{ asyncore.Dispatcher }

func NewEchoServer(m *asyncore.Map, address string) (*EchoServer, error) {
	s := &EchoServer{}
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

func (s *EchoServer) HandleAccepted(c *stream.Conn, _ net.Addr) error {
	asyncore.Attach(&Echo{}, c, s.Map())
	return s.Close() // one client is enough for an example
}

func Example() {
	m := asyncore.NewMap()
	s, err := NewEchoServer(m, "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan struct{})
	go func() { // the client
		defer close(done)
		c, err := net.Dial("tcp", s.Addr().String())
		if err != nil {
			return
		}
		defer c.Close()
		io.WriteString(c, "hello, classic world\n")
		c.(*net.TCPConn).CloseWrite()
		answer, _ := io.ReadAll(c)
		fmt.Print(string(answer))
	}()
	if err := asyncore.Loop(m); err != nil { // until no handler is left
		fmt.Println(err)
	}
	<-done
	// Output: hello, classic world
}

// Client sends a request when it is connected, and prints what comes back. It is the example of
// Python's documentation.
type Client struct {
	asyncore.Dispatcher
	request []byte
}

func (c *Client) HandleConnect() error { return nil }
func (c *Client) Writable() bool       { return len(c.request) > 0 || c.Connecting() }

func (c *Client) HandleWrite() error {
	n, err := c.Send(c.request)
	c.request = c.request[n:]
	return err
}

func (c *Client) HandleRead() error {
	data, err := c.Recv(8192)
	fmt.Print(string(data))
	return err
}

func ExampleInit() {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	done := make(chan struct{})
	go func() { // a server that answers once
		defer close(done)
		defer l.Close()
		s, err := l.Accept()
		if err != nil {
			return
		}
		defer s.Close()
		var name string
		fmt.Fscanln(s, &name)
		fmt.Fprintf(s, "hello, %s\n", name)
	}()
	m := asyncore.NewMap()
	c := &Client{request: []byte("gopher\n")}
	asyncore.Init(c, m)
	c.CreateSocket("tcp")
	c.Connect(l.Addr().String())
	if err := asyncore.Loop(m); err != nil {
		fmt.Println(err)
	}
	<-done
	// Output: hello, gopher
}

// Pinger gives up when its peer does not answer in time.
type Pinger struct{ Echo }

func (p *Pinger) HandleClose() error {
	fmt.Println("closed:", p.Cause())
	return p.Close()
}

func ExampleDispatcher_CallLater() {
	task.Run(context.Background(), func(ctx context.Context) error {
		server, client := stream.Pipe(ctx)
		p := &Pinger{}
		asyncore.Attach(p, server, asyncore.On(server.Loop(), asyncore.Logger(func(string, string) {})))
		p.CallLater(time.Millisecond, func() error { return errors.New("no answer") })
		p.CallLater(time.Hour, func() error { panic("the handler has ended, and its timers with it") })
		client.ReadLine(ctx)
		return client.Close()
	})
	// Output:
	// closed: no answer
}
