// Command dispatcher is the tutorial's first listing: a bare dispatcher that connects and prints
// what it receives.
//
//	dispatcher [-connect ADDR]
//
// Repairs. The listing passes host and port to the base class, whose arguments are a socket and a
// map. It also uses package socket without importing it. Here Init is given the map, CreateSocket
// makes the socket, and Connect is given the address. The listing does not say what happens when
// nobody listens: here the program ends with the error.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/corobridge/corobridge/compat/asyncore"
)

func main() {
	address := flag.String("connect", "localhost:12345", "`address` to connect to")
	flag.Parse()
	if err := run(*address, os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run prints what the server at address sends, until the server closes the connection.
func run(address string, out io.Writer) error {
	m := asyncore.NewMap()
	if _, err := newDispatcher(address, m, out); err != nil {
		return err
	}
	return asyncore.Loop(m)
}

type myDispatcher struct {
	asyncore.Dispatcher
	out io.Writer
}

func newDispatcher(address string, m *asyncore.Map, out io.Writer) (*myDispatcher, error) {
	d := &myDispatcher{out: out}
	asyncore.Init(d, m)
	if err := d.CreateSocket("tcp"); err != nil {
		return nil, err
	}
	return d, d.Connect(address)
}

func (d *myDispatcher) HandleConnect() error {
	fmt.Fprintln(d.out, "New connection to", d.Addr())
	return nil
}

func (d *myDispatcher) HandleRead() error {
	data, err := d.Recv(8192)
	if len(data) > 0 { // at the end of input there is no data, and Recv has called HandleClose
		fmt.Fprintf(d.out, "Received data %q\n", data)
	}
	return err
}

func (d *myDispatcher) HandleClose() error {
	fmt.Fprintln(d.out, "Connection closed")
	return d.Close()
}

// HandleError returns the error, so that Loop returns it too. The default logs it and calls
// HandleClose.
func (d *myDispatcher) HandleError(err error) error {
	d.Close()
	return err
}
