package stream

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/corobridge/corobridge/internal/world"
)

// Bound makes Listen only take the address. The kernel refuses connections until SetBacklog is
// called, which begins to listen: asyncio's start_serving=False. Until then the Listener may be
// given to From instead.
func Bound() Option { return func(o *options) { o.bound = true } }

// From makes Dial connect from the address of a Listener that was made with Bound and has not begun
// to listen. Dial uses the Listener up, also when it fails: the socket is the connection's, and l
// is closed. If a name has several addresses, Dial tries the first that l's kind of socket can
// reach, and no other.
func From(l *Listener) Option { return func(o *options) { o.from = l } }

// beginListening is SetBacklog for a Listener made with Bound. It is called locked.
func (l *Listener) beginListening(backlog int) error {
	if errno := l.kernel.Listen(l.fd, backlog); errno != 0 {
		return sysError("listen", errno)
	}
	l.options.bound = false
	return l.source.Attach(l.core, l.fd, l)
}

// giveUp takes the socket from a Listener that only has its address, for a connection to t. An IPv4
// address that a socket for both families connects to has to be an IPv6 one.
func (l *Listener) giveUp(t *target) (fd int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return -1, fmt.Errorf("from %s: %w", l.Addr(), ErrClosed)
	case !l.options.bound:
		panic("stream: From needs a Listener that was made with Bound and does not listen yet")
	}
	l.closed = true
	l.unhook()
	l.backoff.dropReserve(l.kernel)
	wakeAll(&l.line)
	if l.kind.network == "tcp6" && l.kind.dual && t.network == "tcp4" {
		ip := t.addr.IP
		t.addr.IP = netip.AddrPortFrom(netip.AddrFrom16(ip.Addr().As16()), ip.Port())
	}
	return l.fd, nil
}

// reaches reports whether a socket of the Listener can connect to t.
func (l *Listener) reaches(t target) bool {
	return l.kind.network == t.network || l.kind.dual && t.network == "tcp4"
}

// reachable is what can be dialled, from the address that o may give.
func (o options) reachable(all []target) ([]target, error) {
	if o.from == nil {
		return all, nil
	}
	for _, t := range all {
		if o.from.reaches(t) {
			return []target{t}, nil
		}
	}
	o.from.Close()
	return nil, &net.AddrError{Err: "no suitable address found", Addr: o.from.Addr().String()}
}

// socketFor returns the socket that is to be connected to t.
func (o options) socketFor(k world.Kernel, t *target) (fd int, err error) {
	if o.from != nil {
		return o.from.giveUp(t)
	}
	fd, errno := k.Socket(t.network, t.dual)
	return fd, sysError("socket", errno)
}

// unmapped is an address as the kernel returns it: an IPv4 one as such.
func unmapped(ip netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(ip.Addr().Unmap(), ip.Port())
}
