package stream

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

// What an address means is what it means to package net. Its rules:
//
//	an empty address   every address of this machine and any port, for listening only
//	an empty host      every address for listening, this machine for dialling
//	an empty port      0
//	0.0.0.0, ::        as an empty host. With "tcp" each stands for both families; with "tcp4"
//	                   :: stands for 0.0.0.0, but not the other way round with "tcp6".
//	::ffff:192.0.2.1   an IPv4 address
//	a name             for listening its first IPv4 address, or its first; for dialling all

var errMissingAddress = errors.New("missing address")

// resolve turns a network and an address into what to listen at, one target, or what to try to
// dial, in order.
func resolve(ctx context.Context, loop *reactor.Loop, network, address string, listen bool) ([]target, error) {
	missing := address == "" && !listen
	switch network {
	case "unix":
		if missing {
			return nil, errMissingAddress
		}
		if strings.HasPrefix(address, "\x00") {
			address = "@" + address[1:]
		}
		return []target{{network: "unix", addr: addr{Path: address}}}, nil
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, fmt.Errorf("%w: use tcp, tcp4, tcp6 or unix", net.UnknownNetworkError(network))
	}
	if missing {
		return nil, errMissingAddress
	}
	if address == "" {
		address = ":0"
	}
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	port, err := portOf(ctx, loop, network, service)
	if err != nil {
		return nil, err
	}
	ips, err := hostOf(ctx, loop, network, host)
	if err != nil {
		return nil, err
	}
	if listen {
		return []target{targetToListen(network, ips, port)}, nil
	}
	out := make([]target, 0, len(ips))
	for _, ip := range ips {
		out = append(out, targetOf(toDial(ip), port))
	}
	return out, nil
}

// portOf returns the number of a port, or of a service.
func portOf(ctx context.Context, loop *reactor.Loop, network, service string) (uint16, error) {
	if service == "" {
		return 0, nil
	}
	number := strings.TrimPrefix(service, "+")
	if number == service {
		number = strings.TrimPrefix(service, "-")
	}
	if number != "" && strings.Trim(number, "0123456789") == "" { // nobody has to be asked for it
		port, err := strconv.ParseInt(service, 10, 32)
		if err != nil || port < 0 || port > math.MaxUint16 {
			return 0, &net.AddrError{Err: "invalid port", Addr: service}
		}
		return uint16(port), nil
	}
	return elsewhere(ctx, loop, "lookup of service "+service, func(ctx context.Context, w world.World) (uint16, error) {
		return w.LookupPort(ctx, network, service)
	})
}

// hostOf returns the addresses of a host that suit the network, at least one. None of them is
// IPv4-mapped.
func hostOf(ctx context.Context, loop *reactor.Loop, network, host string) ([]netip.Addr, error) {
	if host == "" {
		return []netip.Addr{unspecified(network == "tcp6")}, nil
	}
	ips, err := lookup(ctx, loop, host)
	if err != nil {
		return nil, err
	}
	if len(ips) == 1 && isUnspecified(ips[0]) && ips[0].Is6() {
		ips = append(ips, unspecified(false))
	}
	var out []netip.Addr
	for _, ip := range ips {
		if network == "tcp" || ip.Is4() == (network == "tcp4") {
			out = append(out, ip)
		}
	}
	if len(out) == 0 {
		return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
	}
	return out, nil
}

// targetToListen returns where to listen. With "tcp" every address of this machine is one socket
// for both families.
func targetToListen(network string, ips []netip.Addr, port uint16) target {
	ip := ips[0]
	for _, other := range ips {
		if other.Is4() {
			ip = other
			break
		}
	}
	if network == "tcp" && isUnspecified(ip) {
		return target{network: "tcp6", dual: true, addr: addr{IP: netip.AddrPortFrom(unspecified(true), port)}}
	}
	return targetOf(ip, port)
}

// only4 is a dual target where there is no socket for both families.
func (t target) only4() target { return targetOf(unspecified(false), t.addr.IP.Port()) }

// targetOf drops a zone that means nothing: only a link-local address has one.
func targetOf(ip netip.Addr, port uint16) target {
	if !ip.IsLinkLocalUnicast() && !ip.IsLinkLocalMulticast() {
		ip = ip.WithZone("")
	}
	t := target{network: "tcp6", addr: addr{IP: netip.AddrPortFrom(ip, port)}}
	if ip.Is4() {
		t.network = "tcp4"
	}
	return t
}

func unspecified(six bool) netip.Addr {
	if six {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

func isUnspecified(ip netip.Addr) bool { return ip.WithZone("").IsUnspecified() }

// toDial makes the address of this machine of the unspecified one.
func toDial(ip netip.Addr) netip.Addr {
	switch {
	case !isUnspecified(ip):
		return ip
	case ip.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}

// lookup resolves a host name, and a literal at once.
func lookup(ctx context.Context, loop *reactor.Loop, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	return elsewhere(ctx, loop, "lookup of "+host, func(ctx context.Context, w world.World) ([]netip.Addr, error) {
		return w.LookupHost(ctx, host)
	})
}

// elsewhere looks for something in a goroutine of its own. That is not one of Offload's, so calls
// that wait there hold up no lookup. It ends soon after ctx has ended, and Close of the loop waits
// for it.
func elsewhere[T any](ctx context.Context, loop *reactor.Loop, name string, look func(ctx context.Context, w world.World) (T, error)) (T, error) {
	core := coreOf(loop)
	release, err := core.Hold(name)
	if err != nil {
		var none T
		return none, err
	}
	found, promise := future.New[T]()
	bounded, cancel := context.WithCancelCause(ctx)
	core.World().Go(func() {
		defer release()
		defer cancel(nil)
		promise.CompleteBy(func() (T, error) { return look(bounded, core.World()) })
	})
	return found.Await(ctx)
}
