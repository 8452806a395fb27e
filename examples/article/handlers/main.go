// Command handlers is the tutorial's third and fourth listing: a dispatcher with all five handlers,
// and the loop's timeout and use_poll. One type plays three parts. It listens; it is the server's
// end of each connection; and with -connect it is the client's end.
//
//	handlers [-listen ADDR | -connect ADDR] [-timeout DURATION]
//
// Repairs. In the listing handle_accept accepts nobody, so the loop calls it again and again for
// the same waiting client. Here HandleAccept accepts, and the same five handlers serve the
// connection. The base class's writable always says yes, so the listing's loop spins even when
// there is nothing to write. Here the handler has no Writable: it is told once each time there is
// room for output. A timeout bounds one iteration, so it has an effect only together with a count.
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

// newDispatcher makes a dispatcher without a connection. When it has one, HandleWrite sends says.
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

// HandleAccept is called when a client waits to be accepted.
func (d *myDispatcher) HandleAccept() error {
	c, addr, err := d.Accept()
	if c == nil {
		return err
	}
	fmt.Fprintln(d.out, d.role, "accepts", addr)
	h := &myDispatcher{role: "connection", pending: []byte("hello from the server\n"), out: d.out}
	asyncore.Attach(h, c, d.Map())
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

// HandleWrite is called each time there is room for output again.
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

// HandleError returns a client's errors, so that Loop returns them too: for example, that nobody
// listens at the address. A server goes on with its other connections.
func (d *myDispatcher) HandleError(err error) error {
	if d.role != "client" {
		return d.Base().HandleError(err)
	}
	d.Close()
	return err
}
