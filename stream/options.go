package stream

import (
	"net"
	"net/netip"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/internal/world"
)

// Option sets something of the sockets that Dial and Listen make. Those that a listener accepts are
// as the listener says.
type Option func(*options)

type options struct {
	delay     bool
	reusePort bool
	backlog   int
	bound     bool
	from      *Listener
	keepAlive *net.KeepAliveConfig // nil for the default
	control   func(network, address string, c syscall.RawConn) error
	local     net.Addr      // of Dial, nil for any
	fallback  time.Duration // of Dial; 0 for the default, negative for one by one
}

// defaultBacklog is what the kernel cuts to its own limit.
const defaultBacklog = 4096

func applied(opts []Option) options {
	o := options{backlog: defaultBacklog}
	for _, f := range opts {
		f(&o)
	}
	return o
}

// NoDelay with true, which is the default, sends small segments at once. With false, Nagle's
// algorithm delays them in the hope of more to send; but writes are batched already.
func NoDelay(on bool) Option { return func(o *options) { o.delay = !on } }

// KeepAlive says how TCP finds out that an idle peer is gone. Without this option that is on, with
// package net's defaults: the first probe after 15 s, others each 15 s, and an end after nine that
// were not answered. A field that is 0 stands for its default, and a negative one for the system's.
// With Enable false there are no probes. Durations are rounded up to seconds.
func KeepAlive(c net.KeepAliveConfig) Option { return func(o *options) { o.keepAlive = &c } }

// Control has fn called with each socket that Dial or Listen makes, before it is connected or
// bound. network is "tcp4", "tcp6" or "unix", and address the one that was chosen, as net.Dialer
// and net.ListenConfig have it. An error of fn is the error of that attempt. fn runs on the loop,
// or for Listen where that was called. It must not block, and not keep c: only c.Control works, and
// only during the call.
func Control(fn func(network, address string, c syscall.RawConn) error) Option {
	return func(o *options) { o.control = fn }
}

// LocalAddr gives Dial an address of its own: a *net.TCPAddr, whose IP or port may be zero for any,
// or a *net.UnixAddr, whose file remains when the connection is closed. Of a host's addresses those
// of the same family are tried. An address of another kind is an error. Listen ignores it.
func LocalAddr(a net.Addr) Option { return func(o *options) { o.local = a } }

// FallbackDelay sets how long Dial waits for one address of a host before it tries the next one
// too, as RFC 8305 (Happy Eyeballs) has it. The default is 300 ms, or what ctx leaves to each if
// that is less. A negative one tries them one by one: each has an equal share of the time that ctx
// leaves, at least two seconds, as with package net. Listen ignores it.
func FallbackDelay(d time.Duration) Option { return func(o *options) { o.fallback = d } }

// ReusePort lets several listeners, each with this option, share an address; the kernel spreads the
// connections.
func ReusePort() Option { return func(o *options) { o.reusePort = true } }

// Backlog sets how many connections may wait to be accepted; the kernel has a limit of its own.
func Backlog(n int) Option { return func(o *options) { o.backlog = n } }

// choosesPort reports whether the local port of a connection was given.
func (o options) choosesPort() bool {
	if o.from != nil {
		return true
	}
	a, ok := o.local.(*net.TCPAddr)
	return ok && a != nil && a.Port != 0
}

// boundTo returns which of the targets can be reached from the local address.
func (o options) boundTo(network string, targets []target) ([]target, error) {
	switch local := o.local.(type) {
	case nil:
		return targets, nil
	case *net.UnixAddr:
		if network == "unix" {
			return targets, nil
		}
	case *net.TCPAddr:
		if network == "unix" {
			break
		}
		var out []target
		for _, t := range targets {
			if a, ok := localFor(local, t); ok {
				t.local = a
				out = append(out, t)
			}
		}
		if len(out) == 0 {
			return nil, &net.AddrError{Err: "no suitable address found", Addr: local.String()}
		}
		return out, nil
	}
	return nil, &net.AddrError{Err: "mismatched local address type", Addr: o.local.String()}
}

// localFor returns a local address as one of the target's family.
func localFor(local *net.TCPAddr, t target) (addr, bool) {
	ip, _ := netip.AddrFromSlice(local.IP)
	ip = ip.Unmap().WithZone(local.Zone)
	six := t.network == "tcp6"
	if !ip.IsValid() || isUnspecified(ip) {
		ip = unspecified(six)
	}
	return targetOf(ip, uint16(local.Port)).addr, ip.Is6() == six
}

// prepare makes a new socket what the options say.
func (o options) prepare(k world.Kernel, fd int, t target, listens bool) error {
	if t.network != "unix" && (!listens || inherits) {
		if err := o.tune(k, fd); err != nil {
			return err
		}
	}
	if o.control != nil {
		if err := o.show(k, fd, t); err != nil {
			return err
		}
	}
	if listens {
		return nil
	}
	local := t.local
	if a, ok := o.local.(*net.UnixAddr); ok && a != nil {
		local = addr{Path: a.Name}
	}
	if local == (addr{}) {
		return nil
	}
	return sysError("bind", k.Bind(fd, local))
}

// show calls what Control has given. If that does not return, nobody else closes the socket.
func (o options) show(k world.Kernel, fd int, t target) error {
	returned := false
	defer func() {
		if !returned {
			k.Close(fd)
		}
	}()
	err := o.control(t.network, t.String(), socketConn{fd})
	returned = true
	return err
}

// tune sets the options of a TCP connection. Those that nobody has asked for may fail.
func (o options) tune(k world.Kernel, fd int) error {
	if !o.delay {
		k.SetSockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1) // a matter of speed only
	}
	if o.keepAlive == nil {
		setKeepAlive(k, fd, net.KeepAliveConfig{Enable: true})
		return nil
	}
	return setKeepAlive(k, fd, *o.keepAlive)
}
