package worldtest

import (
	"context"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/poll/polltest"
	"github.com/corobridge/corobridge/internal/world"
)

// Counter is a World that counts the calls made of the one below, also those that failed. Sockopts
// counts both directions, Addrs both addresses. Looks at the clock are not counted.
type Counter struct {
	world.World // below; Layer sets it

	Sockets, Binds, Listens, Accepts, Connects          atomic.Int64
	Reads, Urgents, Writes, Writevs                     atomic.Int64
	Shutdowns, Closes, Resets, Sockopts, Addrs, Unlinks atomic.Int64
	FilesAt                                             atomic.Int64
	Lookups                                             atomic.Int64
	Opens, Waits                                        atomic.Int64 // of processes
	Notifies, StopNotifies                              atomic.Int64
	Gos, AfterFuncs, Alarms, Sleeps                     atomic.Int64

	Poller *polltest.Counter // the one opened last; nil before
}

var _ world.World = (*Counter)(nil)

// Layer puts the Counter around the World of one loop.
func (c *Counter) Layer(below world.World) world.World {
	c.World = below
	return c
}

func (c *Counter) Socket(network string, dual bool) (int, syscall.Errno) {
	c.Sockets.Add(1)
	return c.World.Socket(network, dual)
}

func (c *Counter) Bind(fd int, addr world.Addr) syscall.Errno {
	c.Binds.Add(1)
	return c.World.Bind(fd, addr)
}

func (c *Counter) Listen(fd, backlog int) syscall.Errno {
	c.Listens.Add(1)
	return c.World.Listen(fd, backlog)
}

func (c *Counter) Accept(fd int) (int, world.Addr, syscall.Errno) {
	c.Accepts.Add(1)
	return c.World.Accept(fd)
}

func (c *Counter) Connect(fd int, addr world.Addr) syscall.Errno {
	c.Connects.Add(1)
	return c.World.Connect(fd, addr)
}

func (c *Counter) Read(fd int, p []byte) (int, syscall.Errno) {
	c.Reads.Add(1)
	return c.World.Read(fd, p)
}

func (c *Counter) ReadUrgent(fd int) (byte, syscall.Errno) {
	c.Urgents.Add(1)
	return c.World.ReadUrgent(fd)
}

func (c *Counter) Write(fd int, p []byte) (int, syscall.Errno) {
	c.Writes.Add(1)
	return c.World.Write(fd, p)
}

func (c *Counter) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	c.Writevs.Add(1)
	return c.World.Writev(fd, bufs)
}

func (c *Counter) Reset(fd int) syscall.Errno {
	c.Resets.Add(1)
	return c.World.Reset(fd)
}

func (c *Counter) Undelivered(fd int) int {
	c.Sockopts.Add(1)
	return c.World.Undelivered(fd)
}

func (c *Counter) Shutdown(fd, how int) syscall.Errno {
	c.Shutdowns.Add(1)
	return c.World.Shutdown(fd, how)
}

func (c *Counter) Close(fd int) syscall.Errno {
	c.Closes.Add(1)
	return c.World.Close(fd)
}

func (c *Counter) SockoptInt(fd, level, name int) (int, syscall.Errno) {
	c.Sockopts.Add(1)
	return c.World.SockoptInt(fd, level, name)
}

func (c *Counter) SetSockoptInt(fd, level, name, value int) syscall.Errno {
	c.Sockopts.Add(1)
	return c.World.SetSockoptInt(fd, level, name, value)
}

func (c *Counter) SetLinger(fd, seconds int) syscall.Errno {
	c.Sockopts.Add(1)
	return c.World.SetLinger(fd, seconds)
}

func (c *Counter) LocalAddr(fd int) (world.Addr, syscall.Errno) {
	c.Addrs.Add(1)
	return c.World.LocalAddr(fd)
}

func (c *Counter) PeerAddr(fd int) (world.Addr, syscall.Errno) {
	c.Addrs.Add(1)
	return c.World.PeerAddr(fd)
}

func (c *Counter) FileAt(path string) world.File {
	c.FilesAt.Add(1)
	return c.World.FileAt(path)
}

func (c *Counter) Unlink(path string) syscall.Errno {
	c.Unlinks.Add(1)
	return c.World.Unlink(path)
}

func (c *Counter) LookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	c.Lookups.Add(1)
	return c.World.LookupHost(ctx, host)
}

func (c *Counter) LookupPort(ctx context.Context, network, service string) (uint16, error) {
	c.Lookups.Add(1)
	return c.World.LookupPort(ctx, network, service)
}

func (c *Counter) OpenProcess(p *os.Process) (int, error) {
	c.Opens.Add(1)
	return c.World.OpenProcess(p)
}

func (c *Counter) WaitProcess(p *os.Process) (*os.ProcessState, error) {
	c.Waits.Add(1)
	return c.World.WaitProcess(p)
}

func (c *Counter) Notify(ch chan<- os.Signal, sig os.Signal) {
	c.Notifies.Add(1)
	c.World.Notify(ch, sig)
}

func (c *Counter) StopNotify(ch chan<- os.Signal) {
	c.StopNotifies.Add(1)
	c.World.StopNotify(ch)
}

func (c *Counter) Go(fn func()) {
	c.Gos.Add(1)
	c.World.Go(fn)
}

func (c *Counter) AfterFunc(ctx context.Context, fn func()) (stop func() bool) {
	c.AfterFuncs.Add(1)
	return c.World.AfterFunc(ctx, fn)
}

func (c *Counter) Alarm(d time.Duration, ring func()) (stop func() bool) {
	c.Alarms.Add(1)
	return c.World.Alarm(d, ring)
}

func (c *Counter) Sleep(d time.Duration) {
	c.Sleeps.Add(1)
	c.World.Sleep(d)
}

func (c *Counter) OpenPoller(kind poll.Kind) (poll.Poller, error) {
	p, err := c.World.OpenPoller(kind)
	if err != nil {
		return nil, err
	}
	c.Poller = polltest.Count(p)
	return c.Poller, nil
}
