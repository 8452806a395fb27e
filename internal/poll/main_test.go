//go:build (unix && !aix) || windows

package poll_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

// The tests of the contract are the same on every system. What a test does to sockets is in
// sockets_unix_test.go and sockets_windows_test.go, with the same functions in both:
//
//	pair(t)             a connection; if atOnce is true, what one end does has arrived when it
//	                    returns
//	tcpPair(t)          a connection over TCP
//	connecting(t)       a connection attempt to a port where nobody listens
//	read, write         of a descriptor; read returns 0, 0 at the end
//	closeDescriptor     closes one
//	shutdownWrite(e)    ends the stream for the peer
//	sendUrgent(e)       sends a byte of urgent data
//	reset(e)            closes one end so that the other sees ECONNRESET

func TestMain(m *testing.M) { testkit.Main(m) }

// end is one end of a connection. Closing it twice is harmless.
type end struct {
	fd     int
	closed bool
	ended  bool // drain has found the end of the stream
}

func newEnd(t *testing.T, fd int) *end {
	e := &end{fd: fd}
	t.Cleanup(e.close)
	return e
}

func (e *end) close() {
	if !e.closed {
		e.closed = true
		closeDescriptor(e.fd)
	}
}

func (e *end) write(s string) {
	n, errno := write(e.fd, []byte(s))
	testkit.OK(errno)
	if n != len(s) {
		panic(fmt.Sprintf("short write: %d of %d", n, len(s)))
	}
}

// drain reads until the socket blocks or ends. If it blocks, p is told.
func (e *end) drain(p poll.Poller) string {
	var got []byte
	buf := make([]byte, 4096)
	for {
		n, errno := read(e.fd, buf)
		if errno == syscall.EAGAIN {
			p.Rearm(e.fd, poll.Readable)
			return string(got)
		}
		testkit.OK(errno)
		if n == 0 {
			e.ended = true
			return string(got)
		}
		got = append(got, buf[:n]...)
	}
}

// fill writes until the socket blocks, then tells p so.
func (e *end) fill(p poll.Poller) {
	buf := make([]byte, 64<<10)
	for {
		_, errno := write(e.fd, buf)
		if errno == syscall.EAGAIN {
			p.Rearm(e.fd, poll.Writable)
			return
		}
		testkit.OK(errno)
	}
}

// now returns what p reports, by tag, without waiting.
func now(t *testing.T, p facility) map[uint64]poll.Events { return wait(t, p, 0) }

func wait(t *testing.T, p facility, timeout time.Duration) map[uint64]poll.Events {
	t.Helper()
	var into [64]poll.Event
	n, err := p.Wait(into[:], timeout)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]poll.Events{}
	for _, ev := range into[:n] {
		if got[ev.Tag] != 0 {
			t.Errorf("tag %#x was reported twice in one Wait, want once", ev.Tag)
		}
		if ev.Events == 0 {
			t.Errorf("tag %#x was reported with no events, want at least one", ev.Tag)
		}
		got[ev.Tag] |= ev.Events
	}
	return got
}

// await waits until all of want that p has words for has been reported for tag. It returns all that
// was reported for tag meanwhile.
func await(t *testing.T, p facility, tag uint64, want poll.Events) poll.Events {
	t.Helper()
	var got poll.Events
	want &= p.words()
	for got&want != want {
		got |= wait(t, p, -1)[tag]
	}
	return got
}
