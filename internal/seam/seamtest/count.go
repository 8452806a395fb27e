// Package seamtest holds decorators of the seams for tests.
package seamtest

import (
	"context"
	"net/netip"
	"sync/atomic"
	"syscall"

	"github.com/corobridge/corobridge/internal/seam"
)

// Counter is a Kernel that counts the calls made of another one, those that failed included. Sockopts counts both
// directions, Addrs both addresses.
type Counter struct {
	kernel seam.Kernel

	Sockets, Binds, Listens, Accepts, Connects atomic.Int64
	Reads, Writes, Writevs                     atomic.Int64
	Shutdowns, Closes, Sockopts, Addrs         atomic.Int64
	Lookups                                    atomic.Int64
}

var _ seam.Kernel = (*Counter)(nil)

// Count returns a Counter of k's calls.
func Count(k seam.Kernel) *Counter { return &Counter{kernel: k} }

func (c *Counter) Socket(network string, dual bool) (int, syscall.Errno) {
	c.Sockets.Add(1)
	return c.kernel.Socket(network, dual)
}

func (c *Counter) Bind(fd int, addr seam.Addr) syscall.Errno {
	c.Binds.Add(1)
	return c.kernel.Bind(fd, addr)
}

func (c *Counter) Listen(fd, backlog int) syscall.Errno {
	c.Listens.Add(1)
	return c.kernel.Listen(fd, backlog)
}

func (c *Counter) Accept(fd int) (int, seam.Addr, syscall.Errno) {
	c.Accepts.Add(1)
	return c.kernel.Accept(fd)
}

func (c *Counter) Connect(fd int, addr seam.Addr) syscall.Errno {
	c.Connects.Add(1)
	return c.kernel.Connect(fd, addr)
}

func (c *Counter) Read(fd int, p []byte) (int, syscall.Errno) {
	c.Reads.Add(1)
	return c.kernel.Read(fd, p)
}

func (c *Counter) Write(fd int, p []byte) (int, syscall.Errno) {
	c.Writes.Add(1)
	return c.kernel.Write(fd, p)
}

func (c *Counter) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	c.Writevs.Add(1)
	return c.kernel.Writev(fd, bufs)
}

func (c *Counter) Shutdown(fd, how int) syscall.Errno {
	c.Shutdowns.Add(1)
	return c.kernel.Shutdown(fd, how)
}

func (c *Counter) Close(fd int) syscall.Errno {
	c.Closes.Add(1)
	return c.kernel.Close(fd)
}

func (c *Counter) SockoptInt(fd, level, name int) (int, syscall.Errno) {
	c.Sockopts.Add(1)
	return c.kernel.SockoptInt(fd, level, name)
}

func (c *Counter) SetSockoptInt(fd, level, name, value int) syscall.Errno {
	c.Sockopts.Add(1)
	return c.kernel.SetSockoptInt(fd, level, name, value)
}

func (c *Counter) LocalAddr(fd int) (seam.Addr, syscall.Errno) {
	c.Addrs.Add(1)
	return c.kernel.LocalAddr(fd)
}

func (c *Counter) PeerAddr(fd int) (seam.Addr, syscall.Errno) {
	c.Addrs.Add(1)
	return c.kernel.PeerAddr(fd)
}

func (c *Counter) LookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	c.Lookups.Add(1)
	return c.kernel.LookupHost(ctx, host)
}
