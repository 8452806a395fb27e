package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/examples/internal/exampletest"
)

func TestMain(m *testing.M) { exampletest.Main(m, main) }

// eachForm runs a test against both servers. Each must end well when the test ends, with no client
// connected.
func eachForm(t *testing.T, test func(t *testing.T, address string)) {
	for name, serve := range map[string]func(context.Context, string, io.Writer) error{"native": serveNative, "classic": serveClassic} {
		t.Run(name, func(t *testing.T) {
			exampletest.Guard(t)
			ctx, cancel := context.WithCancel(context.Background())
			out, ended := exampletest.NewOutput(), make(chan error, 1)
			go func() { ended <- serve(ctx, "127.0.0.1:0", out) }()
			t.Cleanup(func() {
				cancel()
				if err := <-ended; err != nil {
					t.Errorf("serve = %v, want nil", err)
				}
			})
			test(t, strings.TrimPrefix(out.Next(t), "echo: listening at "))
		})
	}
}

func TestBytesComeBack(t *testing.T) {
	eachForm(t, func(t *testing.T, address string) {
		c := exampletest.Dial(t, address)
		for _, s := range []string{"a", "some more", strings.Repeat("x", 10000)} {
			c.Send(s)
			c.Expect(s)
		}
	})
}

// exchange sends data and then the end. It must get all of the data back, and then the end.
func exchange(c *exampletest.Client, data []byte) error {
	sent := make(chan error, 1)
	go func() {
		_, err := c.Write(data)
		c.CloseWrite()
		sent <- err
	}()
	got, err := io.ReadAll(c)
	if err == nil && !bytes.Equal(got, data) {
		err = fmt.Errorf("%d bytes came back, want the %d that were sent", len(got), len(data))
	}
	if e := <-sent; e != nil {
		err = e
	}
	return err
}

func random(n int) []byte {
	data := make([]byte, n)
	rand.NewChaCha8([32]byte{}).Read(data)
	return data
}

func TestMegabyteWithHalfClose(t *testing.T) {
	data := random(1 << 20)
	eachForm(t, func(t *testing.T, address string) {
		if err := exchange(exampletest.Dial(t, address), data); err != nil {
			t.Error(err)
		}
	})
}

// The client sends until the server takes nothing more, and only then reads the first byte.
func TestClientThatReadsLateLosesNothing(t *testing.T) {
	data := random(32 << 20)
	eachForm(t, func(t *testing.T, address string) {
		c := exampletest.Dial(t, address)
		c.SetReadBuffer(64 << 10)
		n := c.SendUntilStuck(data)
		if n == len(data) {
			t.Fatal("the server took everything, and nobody has read what it sent back: want it to stop")
		}
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(data[n:])
			c.CloseWrite()
			sent <- err
		}()
		if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes came back (%v), want the %d that were sent", len(got), err, len(data))
		}
		if err := <-sent; err != nil {
			t.Error(err)
		}
	})
}

func TestHalfCloseWithNothingSent(t *testing.T) {
	eachForm(t, func(t *testing.T, address string) {
		c := exampletest.Dial(t, address)
		c.CloseWrite()
		c.ExpectEnd()
	})
}

func TestClientThatVanishesHurtsNobody(t *testing.T) {
	eachForm(t, func(t *testing.T, address string) {
		for range 20 {
			c := exampletest.Dial(t, address)
			c.SetLinger(0) // Close resets the connection
			c.Send(strings.Repeat("x", 100000))
			c.Close()
		}
		c := exampletest.Dial(t, address)
		c.Send("still there?")
		c.Expect("still there?")
	})
}

func TestManyConnections(t *testing.T) {
	const connections = 200
	eachForm(t, func(t *testing.T, address string) {
		done := make(chan error, connections)
		for i := range connections {
			c := exampletest.Dial(t, address)
			go func() { done <- exchange(c, bytes.Repeat([]byte(fmt.Sprint("client ", i, "\n")), 200)) }()
		}
		for range connections {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAddressInUseIsAnError(t *testing.T) {
	eachForm(t, func(t *testing.T, address string) {
		if err := serveNative(t.Context(), address, exampletest.NewOutput()); err == nil {
			t.Error("native: no error, want one")
		}
		if err := serveClassic(t.Context(), address, exampletest.NewOutput()); err == nil {
			t.Error("classic: no error, want one")
		}
	})
}

// After the signal a connection goes on until its client has finished. The exit status is 0.
func TestSignalEndsGracefully(t *testing.T) {
	for _, form := range [][]string{nil, {"-classic"}} {
		for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
			t.Run(fmt.Sprint(form, sig), func(t *testing.T) {
				exampletest.Guard(t)
				p := exampletest.Start(t, append(form, "-listen", "127.0.0.1:0")...)
				address := p.Address()
				c := exampletest.Dial(t, address)
				c.Send("before")
				c.Expect("before")
				p.Signal(sig)
				exampletest.Refused(t, address)
				c.Send("after")
				c.Expect("after")
				c.Close()
				if rest := p.ExpectSuccess(); rest != "" {
					t.Errorf("printed %q, want nothing more", rest)
				}
			})
		}
	}
}
