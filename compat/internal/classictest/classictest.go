// Package classictest has what the tests of package compat and of those below it share.
package classictest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/stream"
)

// NoFaults switches off, for one test, the faults that the environment may ask for. Tests that
// count iterations, or pieces of input, need it.
func NoFaults(t testing.TB) { t.Setenv(world.FaultsVariable, "") }

// acceptor is a classic listener that keeps one connection.
type acceptor struct {
	asyncore.Dispatcher
	got *stream.Conn
}

func (a *acceptor) HandleAccepted(c *stream.Conn, _ net.Addr) error { a.got = c; return nil }

// Pair returns a connection on the loop of m, and its peer. m must come from NewMap. Pair polls it.
func Pair(t testing.TB, m *asyncore.Map, network string) (*stream.Conn, net.Conn) {
	t.Helper()
	a := &acceptor{}
	asyncore.Init(a, m)
	address := "127.0.0.1:0"
	if network == "unix" {
		dir, err := os.MkdirTemp("", "classic")
		must(t, err)
		defer os.RemoveAll(dir)
		address = filepath.Join(dir, "s")
	}
	must(t, a.CreateSocket(network))
	must(t, a.Bind(address))
	must(t, a.Listen(1))
	peer, err := net.Dial(network, a.Addr().String())
	must(t, err)
	for a.got == nil {
		must(t, asyncore.Poll(m, time.Second))
	}
	a.Close()
	return a.got, peer
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(fmt.Errorf("classictest: %w", err))
	}
}
