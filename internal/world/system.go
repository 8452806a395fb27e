package world

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/signal"
	"time"

	"github.com/corobridge/corobridge/internal/gid"
	"github.com/corobridge/corobridge/internal/poll"
)

// System is the world of production: this machine. Its Now counts from this call.
//
// Where this package has no system calls yet, OpenPoller fails with an error that matches
// errors.ErrUnsupported, and so does the making of a loop.
func System() World { return newSystem() }

// Now does not move when the time of day is set: time.Since reads the monotonic half of start.
func (s *system) Now() time.Duration { return time.Since(s.start) }

func (*system) Wall() time.Time { return time.Now() }

func (*system) Alarm(d time.Duration, ring func()) (stop func() bool) {
	return time.AfterFunc(d, ring).Stop
}

func (*system) Sleep(d time.Duration) { time.Sleep(d) }

// errBubble refuses a loop in a bubble of testing/synctest. The bubble's clock waits until all of
// its goroutines are blocked, and a system call does not count as that.
var errBubble = fmt.Errorf("a loop can't wait for descriptors inside a testing/synctest bubble, whose clock then stands still; "+
	"run it outside synctest.Test: %w", errors.ErrUnsupported)

func (*system) OpenPoller(kind poll.Kind) (poll.Poller, error) {
	if gid.InBubble() {
		return nil, errBubble
	}
	if err := supported(); err != nil {
		return nil, err
	}
	return poll.New(kind)
}

func (*system) Chooser() Chooser { return nil }

func (*system) Faults() *Faults { return nil }

// lookupsAtOnce bounds what the names of one loop may cost: each lookup needs a socket, or a thread
// of the C library.
const lookupsAtOnce = 256

func (s *system) LookupHost(ctx context.Context, host string) ([]netip.Addr, error) {
	if ip, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{ip.Unmap()}, nil
	}
	select {
	case s.lookups <- struct{}{}:
		defer func() { <-s.lookups }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	ips, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	for i := range ips {
		ips[i] = ips[i].Unmap()
	}
	return ips, err
}

func (*system) LookupPort(ctx context.Context, network, service string) (uint16, error) {
	port, err := net.DefaultResolver.LookupPort(ctx, network, service)
	return uint16(port), err
}

func (*system) OpenProcess(p *os.Process) (fd int, err error) { return openProcess(p) }

func (*system) WaitProcess(p *os.Process) (*os.ProcessState, error) { return p.Wait() }

func (*system) Notify(c chan<- os.Signal, sig os.Signal) { signal.Notify(c, sig) }

func (*system) StopNotify(c chan<- os.Signal) { signal.Stop(c) }

func (*system) Go(fn func()) { go fn() }

func (*system) AfterFunc(ctx context.Context, fn func()) (stop func() bool) {
	return context.AfterFunc(ctx, fn)
}
