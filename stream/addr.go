package stream

import (
	"context"
	"net"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

type addr = world.Addr

// netAddr shows an address as package net does. For an unnamed Unix socket that is "@".
func netAddr(a addr) net.Addr {
	if a.IP.IsValid() {
		return net.TCPAddrFromAddrPort(a.IP)
	}
	if a.Path == "" {
		a.Path = "@"
	}
	return &net.UnixAddr{Name: a.Path, Net: "unix"}
}

// target is an address to try, with the kind of socket it needs.
type target struct {
	network string // "tcp4", "tcp6" or "unix"
	dual    bool   // a tcp6 socket that takes IPv4 too
	addr    addr
	local   addr // to be bound to before it is dialled; zero for any
}

func (t target) String() string { return netAddr(t.addr).String() }

// loopOf returns the loop that ctx carries.
func loopOf(ctx context.Context, op string) *reactor.Loop {
	l, ok := reactor.FromContext(ctx)
	if !ok {
		panic("stream: the context given to " + op + " carries no loop; use a task's context, loop.Context() or reactor.WithLoop")
	}
	return l
}

// coreOf returns the inside of a loop.
func coreOf(l *reactor.Loop) *loop.Core { return loop.From(l.Context()) }
