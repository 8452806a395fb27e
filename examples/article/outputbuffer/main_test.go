package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/examples/internal/exampletest"
	"github.com/corobridge/corobridge/reactor"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

func serve(t *testing.T, most int) (s *server, out exampletest.Output, loop *reactor.Loop) {
	t.Helper()
	exampletest.Guard(t)
	out = exampletest.NewOutput()
	s, err := newServer("127.0.0.1:0", most, asyncore.NewMap(), out)
	if err != nil {
		t.Fatal(err)
	}
	return s, out, exampletest.Loop(t, s)
}

func TestSendsBackAndTellsOfConnections(t *testing.T) {
	s, out, _ := serve(t, 100)
	c := exampletest.Dial(t, s.Addr().String())
	c.Send("ping")
	c.Expect("ping")
	out.Expect(t, fmt.Sprint("Connection established: ", c.LocalAddr()))
	c.Close()
	out.Expect(t, fmt.Sprint("Connection closed: ", c.LocalAddr()))
}

// When a client begins to read late, the kernel takes only parts. Not a byte may be lost, doubled
// or moved.
func TestPartialSendsLoseNothing(t *testing.T) {
	s, _, loop := serve(t, 100)
	c := exampletest.Dial(t, s.Addr().String())
	c.SetReadBuffer(64 << 10)
	data := make([]byte, 12<<20)
	rand.NewChaCha8([32]byte{1}).Read(data)
	n := c.SendUntilStuck(data)
	exampletest.Eventually(t, loop, "a buffer that waits", func() bool { return waiting(s.Map()) > 0 })
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data[n:])
		c.CloseWrite()
		sent <- err
	}()
	got, err := io.ReadAll(c)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("%d bytes came back (%v), want the %d that were sent", len(got), err, len(data))
	}
	if err := <-sent; err != nil {
		t.Error(err)
	}
}

// waiting returns how many bytes the handlers of a map hold.
func waiting(m *asyncore.Map) (n int) {
	for h := range m.Handlers() {
		if h, ok := h.(*advancedHandler); ok {
			n += len(h.buffer)
		}
	}
	return n
}

func TestWhoComesAtTheLimitWaits(t *testing.T) {
	s, out, _ := serve(t, 2)
	first, second := exampletest.Dial(t, s.Addr().String()), exampletest.Dial(t, s.Addr().String())
	for _, c := range []*exampletest.Client{first, second} {
		c.Send("in")
		c.Expect("in")
	}
	// The kernel connects the third one. The server does not accept it yet.
	third := exampletest.Dial(t, s.Addr().String())
	third.Send("me too")
	first.Send("still served")
	first.Expect("still served")
	if n := len(out); n != 2 {
		t.Errorf("%d connections were accepted, want 2, the limit", n)
	}
	first.Close()
	third.Expect("me too")
	second.Send("still served")
	second.Expect("still served")
}

func TestManyComeToALimitAndAllAreServed(t *testing.T) {
	s, _, _ := serve(t, 3)
	const clients = 8 // the limit, and as many more as the backlog lets wait
	done := make(chan error, clients)
	for i := range clients {
		c := exampletest.Dial(t, s.Addr().String())
		go func() {
			message := strings.Repeat(fmt.Sprint("client ", i, "\n"), 100)
			c.Write([]byte(message))
			c.CloseWrite()
			got, err := io.ReadAll(c)
			if err == nil && string(got) != message {
				err = fmt.Errorf("client %d got %d bytes, want the %d that it sent", i, len(got), len(message))
			}
			done <- err
		}()
	}
	for range clients {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestCommand(t *testing.T) {
	exampletest.Guard(t)
	p := exampletest.Start(t, "-listen", "127.0.0.1:0", "-max", "1")
	c := exampletest.Dial(t, p.Address())
	c.Send("hello")
	c.Expect("hello")
}
