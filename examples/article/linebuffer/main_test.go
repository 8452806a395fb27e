package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/examples/internal/exampletest"
	"github.com/corobridge/corobridge/reactor"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func serve(t *testing.T) (address string, m *asyncore.Map, loop *reactor.Loop) {
	t.Helper()
	exampletest.Guard(t)
	m = asyncore.NewMap()
	s, err := newServer("127.0.0.1:0", m)
	if err != nil {
		t.Fatal(err)
	}
	loop = exampletest.Loop(t, s)
	return s.Addr().String(), m, loop
}

func TestCompleteLinesAreAnswered(t *testing.T) {
	address, _, _ := serve(t)
	c := exampletest.Dial(t, address)
	c.Send("one\ntwo\nthr")
	c.Expect("one\ntwo\n")
	c.Send("ee\n\n")
	c.Expect("three\n\n")
}

func TestLineInSingleBytes(t *testing.T) {
	address, _, _ := serve(t)
	c := exampletest.Dial(t, address)
	for _, b := range []byte("byte by byte\n") {
		c.Send(string(b))
	}
	c.Expect("byte by byte\n")
}

func TestUnfinishedLineIsNotAnswered(t *testing.T) {
	address, m, loop := serve(t)
	c := exampletest.Dial(t, address)
	c.Send("done\nnot done")
	c.CloseWrite()
	c.Expect("done\n")
	c.ExpectEnd()
	exampletest.Eventually(t, loop, "only the listener", func() bool { return m.Len() == 1 })
}

// The client reads late, so the kernel takes only parts of the answers, and it ends its own side
// first. Not a byte is lost.
func TestHalfClosedClientGetsEveryAnswer(t *testing.T) {
	address, _, _ := serve(t)
	c := exampletest.Dial(t, address)
	c.SetReadBuffer(64 << 10)
	var lines strings.Builder
	for i := 0; lines.Len() < 12<<20; i++ {
		fmt.Fprintf(&lines, "%d %s\n", i, strings.Repeat("x", i%1000))
	}
	all := lines.String()
	n, sent := c.SendUntilStuck([]byte(all)), make(chan error, 1)
	go func() {
		_, err := c.Write([]byte(all[n:]))
		c.CloseWrite()
		sent <- err
	}()
	c.Expect(all)
	c.ExpectEnd()
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// The server stops reading from a client that sends and does not read. Neither buffer grows.
func TestClientThatDoesNotReadIsWaitedFor(t *testing.T) {
	address, m, loop := serve(t)
	c := exampletest.Dial(t, address)
	c.SetReadBuffer(64 << 10)
	lines := []byte(strings.Repeat(strings.Repeat("y", 1023)+"\n", 32<<10))
	buffered := 0
	for buffered == 0 { // a busy machine may seem stuck while everything is still on its way
		n := c.SendUntilStuck(lines)
		if lines = lines[n:]; len(lines) == 0 {
			t.Fatal("the server took everything, want it to stop")
		}
		buffered = exampletest.Ask(t, loop, func() (n int) {
			for h := range m.Handlers() {
				if h, ok := h.(*myHandler); ok {
					n += len(h.in) + len(h.out)
				}
			}
			return n
		})
	}
	if buffered > 2*8192 {
		t.Errorf("%d bytes are buffered, want 1 to %d", buffered, 2*8192)
	}
}

func TestEndlessLineCostsItsSenderTheConnection(t *testing.T) {
	address, _, _ := serve(t)
	bad, good := exampletest.Dial(t, address), exampletest.Dial(t, address)
	// The error does not matter: the server may have closed before the last byte.
	bad.Write([]byte(strings.Repeat("x", maxLine+1)))
	if !bad.Gone() {
		t.Error("the connection is still open, want it closed")
	}
	good.Send("hello\n")
	good.Expect("hello\n")
}

func TestCommand(t *testing.T) {
	exampletest.Guard(t)
	p := exampletest.Start(t, "-listen", "127.0.0.1:0")
	c := exampletest.Dial(t, p.Address())
	c.Send("hello\n")
	c.Expect("hello\n")
}
