package stream

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

type addr = world.Addr

// netAddr shows an address as package net does.
func netAddr(a addr) net.Addr {
	if a.IP.IsValid() {
		return net.TCPAddrFromAddrPort(a.IP)
	}
	return &net.UnixAddr{Name: a.Path, Net: "unix"}
}

// target is an address to try, with the kind of socket it needs.
type target struct {
	network string // "tcp4", "tcp6" or "unix"
	dual    bool   // a tcp6 socket that takes IPv4 too
	addr    addr
}

var errNoAddress = errors.New("no suitable address")

// resolve turns a network and an address, as net.Dial takes them, into what to try, in order. An
// empty host is the unspecified address when listening and this machine when dialling.
func resolve(ctx context.Context, loop *reactor.Loop, network, address string, listen bool) ([]target, error) {
	switch network {
	case "unix":
		return []target{{network: "unix", addr: addr{Path: address}}}, nil
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fmt.Errorf("unknown network %q: use tcp, tcp4, tcp6 or unix", network)
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("port %q: use a number from 0 to 65535", service)
	}
	if host == "" && listen {
		return unspecified(network, uint16(port)), nil
	}
	if host == "" {
		host = map[bool]string{true: "::1", false: "127.0.0.1"}[network == "tcp6"]
	}
	ips, err := lookup(ctx, loop, host)
	if err != nil {
		return nil, err
	}
	var out []target
	for _, ip := range ips {
		t := target{network: "tcp6", addr: addr{IP: netip.AddrPortFrom(ip.Unmap(), uint16(port))}}
		if ip.Unmap().Is4() {
			t.network = "tcp4"
		}
		if strings.HasPrefix(t.network, network) {
			out = append(out, t)
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", host, errNoAddress)
	}
	return out, nil
}

// unspecified is every address of this machine: one socket for both families where there is IPv6.
func unspecified(network string, port uint16) (out []target) {
	if network != "tcp4" {
		out = append(out, target{"tcp6", network == "tcp", addr{IP: netip.AddrPortFrom(netip.IPv6Unspecified(), port)}})
	}
	if network != "tcp6" {
		out = append(out, target{"tcp4", false, addr{IP: netip.AddrPortFrom(netip.IPv4Unspecified(), port)}})
	}
	return out
}

// lookup resolves a host name in a goroutine of its own, and a literal at once. The goroutine is
// not one of Offload's, so calls that wait there hold up no lookup. It ends soon after ctx has
// ended, and Close of the loop waits for it.
func lookup(ctx context.Context, loop *reactor.Loop, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip}, nil
	}
	core := coreOf(loop)
	release, err := core.Hold("lookup of " + host)
	if err != nil {
		return nil, err
	}
	found, promise := future.New[[]netip.Addr]()
	bounded, cancel := context.WithCancelCause(ctx)
	core.World().Go(func() {
		defer release()
		defer cancel(nil)
		promise.CompleteBy(func() ([]netip.Addr, error) { return core.World().LookupHost(bounded, host) })
	})
	return found.Await(ctx)
}

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
