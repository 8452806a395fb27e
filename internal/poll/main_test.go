//go:build unix && !aix

package poll_test

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world/worldtest"
)

func TestMain(m *testing.M) { worldtest.Main(m) }

func guard(t *testing.T) { t.Helper(); worldtest.Guard(t) }

// must is for calls that prepare a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must0(err error) { must(0, err) }

// end is one end of a connection; closing it twice is harmless.
type end struct {
	fd     int
	closed bool
}

func newEnd(t *testing.T, fd int) *end {
	e := &end{fd: fd}
	t.Cleanup(e.close)
	return e
}

func (e *end) close() {
	if !e.closed {
		e.closed = true
		must0(unix.Close(e.fd))
	}
}

func (e *end) write(s string) {
	if n := must(unix.Write(e.fd, []byte(s))); n != len(s) {
		panic(fmt.Sprintf("short write: %d of %d", n, len(s)))
	}
}

// drain reads until the socket blocks or ends, then tells p so.
func (e *end) drain(p poll.Poller) string {
	var got []byte
	buf := make([]byte, 4096)
	for {
		n, err := unix.Read(e.fd, buf)
		if err == unix.EAGAIN {
			p.Rearm(e.fd, poll.Readable)
			return string(got)
		}
		must0(err)
		if n == 0 {
			return string(got)
		}
		got = append(got, buf[:n]...)
	}
}

// fill writes until the socket blocks, then tells p so.
func (e *end) fill(p poll.Poller) {
	buf := make([]byte, 64<<10)
	for {
		if _, err := unix.Write(e.fd, buf); err == unix.EAGAIN {
			p.Rearm(e.fd, poll.Writable)
			return
		} else if err != nil {
			panic(err)
		}
	}
}

// unixPair is a connection over which everything arrives at once.
func unixPair(t *testing.T) (a, b *end) {
	fds := must(unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0))
	a, b = newEnd(t, fds[0]), newEnd(t, fds[1])
	a.unblock()
	b.unblock()
	return a, b
}

func (e *end) unblock() { must0(unix.SetNonblock(e.fd, true)) }

// tcpPair is for what only TCP has: resets and urgent data.
func tcpPair(t *testing.T) (a, b *end) {
	ln := newSocket(t)
	defer ln.close()
	must0(unix.Bind(ln.fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must0(unix.Listen(ln.fd, 1))
	a = newSocket(t)
	must0(unix.Connect(a.fd, must(unix.Getsockname(ln.fd))))
	fd, _, err := unix.Accept(ln.fd)
	must0(err)
	b = newEnd(t, fd)
	a.unblock()
	b.unblock()
	return a, b
}

func newSocket(t *testing.T) *end {
	return newEnd(t, must(unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)))
}

// become closes e, whose number then is from's, too.
func (e *end) become(from *end) {
	e.close()
	if fd := must(unix.FcntlInt(uintptr(from.fd), unix.F_DUPFD, e.fd)); fd != e.fd {
		panic(fmt.Sprintf("number %d was taken by somebody else", e.fd))
	}
	e.closed = false
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
			t.Errorf("tag %#x was reported twice in one Wait", ev.Tag)
		}
		if ev.Events == 0 {
			t.Errorf("tag %#x was reported for nothing", ev.Tag)
		}
		got[ev.Tag] |= ev.Events
	}
	return got
}

// await waits until all of want that p has words for has been reported for tag, and returns everything reported for it meanwhile.
func await(t *testing.T, p facility, tag uint64, want poll.Events) poll.Events {
	t.Helper()
	var got poll.Events
	want &= p.words()
	for got&want != want {
		got |= wait(t, p, -1)[tag]
	}
	return got
}
