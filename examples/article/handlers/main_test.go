package main

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// serve runs the server as the listing does.
func serve(t *testing.T) (address string, out exampletest.Output) {
	t.Helper()
	exampletest.Guard(t)
	t.Setenv("COROBRIDGE_FAULTS", "") // what it prints shows how the input is split
	out = exampletest.NewOutput()
	s, err := newServer("127.0.0.1:0", asyncore.NewMap(), out)
	if err != nil {
		t.Fatal(err)
	}
	exampletest.Loop(t, s, asyncore.Timeout(time.Second), asyncore.UsePoll())
	return s.Addr().String(), out
}

func TestServerCallsItsHandlers(t *testing.T) {
	address, out := serve(t)
	c := exampletest.Dial(t, address)
	c.Expect("hello from the server\n")
	c.Send("ping")
	out.Expect(t,
		fmt.Sprint("server accepts ", c.LocalAddr()),
		`connection writes "hello from the server\n"`,
		`connection reads "ping"`)
	c.Close()
	out.Expect(t, "connection is closed by its peer")
	if len(out) > 0 {
		t.Errorf("printed %q, want nothing: no handler has anything to do", <-out)
	}
}

func TestEveryoneWhoWaitsIsAccepted(t *testing.T) {
	address, out := serve(t)
	var want, got []string
	for range 20 {
		c := exampletest.Dial(t, address)
		want = append(want, fmt.Sprint("server accepts ", c.LocalAddr()))
		c.Expect("hello from the server\n")
		got = append(got, out.Next(t))
		out.Next(t) // what is written
	}
	if slices.Sort(want); !slices.Equal(want, slices.Sorted(slices.Values(got))) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The client is the same dispatcher, on a loop of its own.
func TestFiveHandlersOfBothEnds(t *testing.T) {
	address, serverOut := serve(t)
	m, out := asyncore.NewMap(), exampletest.NewOutput()
	c, err := newClient(address, m, out)
	if err != nil {
		t.Fatal(err)
	}
	exampletest.Loop(t, c)
	out.Expect(t, "client is connected to "+address)
	both := []string{out.Next(t), out.Next(t)} // in the order in which things happen
	for _, line := range []string{`client writes "hello from the client\n"`, `client reads "hello from the server\n"`} {
		if !slices.Contains(both, line) {
			t.Errorf("printed %q, want %q among it", both, line)
		}
	}
	serverOut.Next(t) // accepts
	var rest []string
	for range 2 {
		rest = append(rest, serverOut.Next(t))
	}
	if want := `connection reads "hello from the client\n"`; !slices.Contains(rest, want) {
		t.Errorf("printed %q, want %q among it", rest, want)
	}
}

func TestCountedIterationsEnd(t *testing.T) {
	exampletest.Guard(t)
	m := asyncore.NewMap()
	if _, err := newServer("127.0.0.1:0", m, exampletest.NewOutput()); err != nil {
		t.Fatal(err)
	}
	err := asyncore.Loop(m, asyncore.Timeout(time.Millisecond), asyncore.UsePoll(), asyncore.Count(3))
	if err != nil {
		t.Errorf("Loop = %v, want nil", err)
	}
	if m.Len() != 1 {
		t.Errorf("the map has %d handlers, want 1, the listener", m.Len())
	}
	if err := asyncore.CloseAll(m, false); err != nil {
		t.Errorf("CloseAll = %v, want nil", err)
	}
}

func TestClientOfNobodyIsAnError(t *testing.T) {
	exampletest.Guard(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	m := asyncore.NewMap()
	if err := start("", l.Addr().String(), m, exampletest.NewOutput()); err != nil {
		t.Fatal(err)
	}
	if err := asyncore.Loop(m); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("Loop: %v, want %v", err, syscall.ECONNREFUSED)
	}
}

func TestCommand(t *testing.T) {
	exampletest.Guard(t)
	server := exampletest.Start(t, "-listen", "127.0.0.1:0")
	address := server.Address()
	client := exampletest.Start(t, "-connect", address)
	if got, want := client.Line(), "client is connected to "+address; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
}
