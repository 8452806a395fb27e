//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package seam

import (
	"context"
	"net"
	"net/netip"
)

// kernel is the kernel of this machine. A file for each family of systems has its calls.
type kernel struct {
	faults *FaultLayer // interrupts the calls that Linux repeats then; nil: nobody does
}

func (kernel) LookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, err
}
