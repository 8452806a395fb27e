//go:build unix || windows

package worldtest_test

import (
	"syscall"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestCounterCountsEachCall(t *testing.T) {
	c := &worldtest.Counter{World: world.System()}
	const none = -1 // the calls fail, and are counted
	c.Socket("none", false)
	c.Bind(none, world.Addr{})
	c.Listen(none, 0)
	c.Accept(none)
	c.Connect(none, world.Addr{})
	c.Read(none, make([]byte, 1))
	c.Write(none, make([]byte, 1))
	c.Writev(none, nil)
	c.Shutdown(none, 0)
	c.Reset(none)
	if errno := c.Close(none); errno != syscall.EBADF {
		t.Errorf("Close: %v, want %v", errno, syscall.EBADF)
	}
	c.SockoptInt(none, 0, 0)
	c.SetSockoptInt(none, 0, 0, 0)
	c.LocalAddr(none)
	c.PeerAddr(none)
	if ips, err := c.LookupHost(t.Context(), "::1"); len(ips) != 1 || err != nil {
		t.Errorf("LookupHost = %v, %v; want one address, nil", ips, err)
	}
	for name, got := range map[string]int64{
		"Socket": c.Sockets.Load(), "Bind": c.Binds.Load(), "Listen": c.Listens.Load(), "Accept": c.Accepts.Load(),
		"Connect": c.Connects.Load(), "Read": c.Reads.Load(), "Write": c.Writes.Load(), "Writev": c.Writevs.Load(),
		"Shutdown": c.Shutdowns.Load(), "Close": c.Closes.Load(), "Reset": c.Resets.Load(), "Lookup": c.Lookups.Load(),
		"Sockopt": c.Sockopts.Load() - 1, "Addr": c.Addrs.Load() - 1,
	} {
		if got != 1 {
			t.Errorf("%s: counted %d, want 1", name, got)
		}
	}
}
