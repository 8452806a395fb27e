package main

import (
	"errors"
	"net"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// listen returns the address of a listener, and a function that accepts the next connection.
func listen(t *testing.T) (address string, accept func() *exampletest.Client) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String(), func() *exampletest.Client {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return exampletest.NewClient(t, c)
	}
}

func TestPrintsWhatItReceivesUntilTheServerCloses(t *testing.T) {
	exampletest.Guard(t)
	t.Setenv("COROBRIDGE_FAULTS", "") // what it prints shows how the input is split
	address, accept := listen(t)
	out, ended := exampletest.NewOutput(), make(chan error, 1)
	go func() { ended <- run(address, out) }()
	server := accept()
	out.Expect(t, "New connection to "+address)
	server.Send("first")
	out.Expect(t, `Received data "first"`)
	server.Send("second\n")
	out.Expect(t, `Received data "second\n"`)
	server.Close()
	out.Expect(t, "Connection closed")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNobodyListensIsAnError(t *testing.T) {
	exampletest.Guard(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	out := exampletest.NewOutput()
	if err := run(l.Addr().String(), out); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("run: %v, want %v", err, syscall.ECONNREFUSED)
	}
	if len(out) > 0 {
		t.Errorf("printed %q, want nothing", <-out)
	}
}

func TestCommand(t *testing.T) {
	exampletest.Guard(t)
	address, accept := listen(t)
	p := exampletest.Start(t, "-connect", address)
	server := accept()
	server.Send("hello")
	for _, want := range []string{"New connection to " + address, `Received data "hello"`} {
		if got := p.Line(); got != want {
			t.Errorf("printed %q, want %q", got, want)
		}
	}
	server.Close()
	if got, want := p.ExpectSuccess(), "Connection closed\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
