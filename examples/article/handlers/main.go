// Command handlers is the tutorial's third and fourth listing: a dispatcher with all five handlers, and the loop's
// timeout and use_poll. One type plays three parts: it listens, it is the server's end of each connection, and with
// -connect it is the client's.
//
//	handlers [-listen ADDR | -connect ADDR] [-timeout DURATION]
//
// Repairs. In the listing handle_accept is there and accepts nobody: who waits to be accepted makes the loop call it again
// and again, for ever. Here HandleAccept accepts, and the same five handlers serve the connection. The base class's writable
// says yes at all times, which makes a loop without anything to write spin: here a handler without Writable is told once when
// output is accepted. A timeout bounds one iteration, and so tells only together with a count; by itself it changes
// nothing.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
)

func main() {
	listen := flag.String("listen", "localhost:8000", "`address` to serve at")
	connect := flag.String("connect", "", "be a client of this `address` instead")
	timeout := flag.Duration("timeout", time.Second, "how long one iteration of the loop may wait")
	flag.Parse()
	m := asyncore.NewMap()
	err := start(*listen, *connect, m, os.Stdout)
	if err == nil {
		err = asyncore.Loop(m, asyncore.Timeout(*timeout), asyncore.UsePoll())
	}
	if err != nil {
		log.Fatal(err)
	}
}

func start(listen, connect string, m *asyncore.Map, out io.Writer) error {
	if connect != "" {
		_, err := newClient(connect, m, out)
		return err
	}
	s, err := newServer(listen, m, out)
	if err == nil {
		fmt.Fprintln(out, "handlers: listening at", s.Addr())
	}
	return err
}

type myDispatcher struct {
	asyncore.Dispatcher
	role    string // in what is printed
	pending []byte // to be sent
	out     io.Writer
}

// newDispatcher makes one without a connection. What it has to say it sends when HandleWrite tells that it may.
func newDispatcher(role, says string, m *asyncore.Map, out io.Writer) (*myDispatcher, error) {
	d := &myDispatcher{role: role, pending: []byte(says), out: out}
	asyncore.Init(d, m)
	return d, d.CreateSocket("tcp")
}

func newServer(address string, m *asyncore.Map, out io.Writer) (*myDispatcher, error) {
	d, err := newDispatcher("server", "", m, out)
	if err != nil {
		return nil, err
	}
	d.SetReuseAddr()
	if err := d.Bind(address); err != nil {
		return nil, err
	}
	return d, d.Listen(5)
}

func newClient(address string, m *asyncore.Map, out io.Writer) (*myDispatcher, error) {
	d, err := newDispatcher("client", "hello from the client\n", m, out)
	if err != nil {
		return nil, err
	}
	return d, d.Connect(address)
}

// HandleConnect is called when Connect has succeeded.
func (d *myDispatcher) HandleConnect() error {
	fmt.Fprintln(d.out, d.role, "is connected to", d.Addr())
	return nil
}

// HandleAccept is called when somebody waits to be accepted.
func (d *myDispatcher) HandleAccept() error {
	c, addr, err := d.Accept()
	if c == nil {
		return err
	}
	fmt.Fprintln(d.out, d.role, "accepts", addr)
	asyncore.Attach(&myDispatcher{role: "connection", pending: []byte("hello from the server\n"), out: d.out}, c, d.Map())
	return nil
}

// HandleRead is called when there is input.
func (d *myDispatcher) HandleRead() error {
	data, err := d.Recv(8192)
	if len(data) > 0 {
		fmt.Fprintf(d.out, "%s reads %q\n", d.role, data)
	}
	return err
}

// HandleWrite is called each time that output becomes accepted.
func (d *myDispatcher) HandleWrite() error {
	n, err := d.Send(d.pending)
	if n > 0 {
		fmt.Fprintf(d.out, "%s writes %q\n", d.role, d.pending[:n])
		d.pending = d.pending[n:]
	}
	return err
}

// HandleClose is called when the peer has gone.
func (d *myDispatcher) HandleClose() error {
	fmt.Fprintln(d.out, d.role, "is closed by its peer")
	return d.Close()
}

// HandleError lets the errors of a client out, which Loop then returns: that nobody listens, for one. A server goes on
// with its other connections.
func (d *myDispatcher) HandleError(err error) error {
	if d.role != "client" {
		return d.Base().HandleError(err)
	}
	d.Close()
	return err
}
