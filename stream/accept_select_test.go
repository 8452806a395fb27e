//go:build unix && !aix

package stream_test

import (
	"net"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"

	"golang.org/x/sys/unix"
)

// On a loop with select(2) a server has no more connections than that can watch. The others are
// closed, and those that it has go on.
func TestAServerOnSelectSurvivesItsLimit(t *testing.T) {
	limit := len(unix.FdSet{}.Bits) * unix.NFDBITS
	var can unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &can); err != nil || uint64(can.Cur) < uint64(limit+300) {
		t.Logf("no descriptor may be above the limit of select here: %v, %v", can.Cur, err)
		return
	}
	l := startLoop(t, reactor.WithPoller(poll.Select), quiet)
	address, stop := serving(t, l, &stream.Server{Handler: echo})
	var peers []net.Conn
	for range limit/2 + 90 {
		p, err := net.Dial("tcp", address)
		if err != nil {
			break
		}
		defer p.Close()
		peers = append(peers, p)
	}
	for _, p := range peers[:100] {
		ask(t, p, "still here")
	}
	seesTheEnd(t, peers[len(peers)-1])
	for _, p := range peers[100:] {
		p.Close()
	}
	ask(t, peers[0], "and here")
	mustBe(t, "Serve", stop(), nil)
}
