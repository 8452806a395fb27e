package poll_test

import (
	"errors"
	"net/netip"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
)

var k world.Kernel

func TestMain(m *testing.M) {
	k = world.System()
	worldtest.Main(m)
}

// handles counts what is open in the process, files, threads and the runtime's events included.
func handles(t *testing.T) (n uint32) {
	t.Helper()
	count := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetProcessHandleCount")
	if r, _, err := count.Call(uintptr(windows.CurrentProcess()), uintptr(unsafe.Pointer(&n))); r == 0 {
		t.Fatal(err)
	}
	return n
}

// newPoller makes the poller of a test, which ends the process if it hangs.
func newPoller(t *testing.T) poll.Poller {
	t.Helper()
	worldtest.Watch(t)
	p := must(poll.New(poll.Auto))
	t.Cleanup(func() {
		if err := p.Close(); err != nil && !errors.Is(err, syscall.EBADF) {
			t.Error(err)
		}
	})
	return p
}

// must is for calls that prepare a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must0(err error) { must(0, err) }

// ok is must0 for calls of the world.
func ok(errno syscall.Errno) {
	if errno != 0 {
		panic(errno)
	}
}

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
		ok(k.Close(e.fd))
	}
}

func (e *end) write(s string) {
	n, errno := k.Write(e.fd, []byte(s))
	ok(errno)
	if n != len(s) {
		panic("short write")
	}
}

// drain reads until the socket blocks or ends, then tells p so.
func (e *end) drain(p poll.Poller) string {
	var got []byte
	buf := make([]byte, 4096)
	for {
		n, errno := k.Read(e.fd, buf)
		if errno == syscall.EAGAIN {
			p.Rearm(e.fd, poll.Readable)
			return string(got)
		}
		ok(errno)
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
		_, errno := k.Write(e.fd, buf)
		if errno == syscall.EAGAIN {
			p.Rearm(e.fd, poll.Writable)
			return
		}
		ok(errno)
	}
}

var loopback = world.Addr{IP: netip.MustParseAddrPort("127.0.0.1:0")}

// bound returns a socket with an address of its own.
func bound(t *testing.T) (*end, world.Addr) {
	fd, errno := k.Socket("tcp4", false)
	ok(errno)
	e := newEnd(t, fd)
	ok(k.Bind(fd, loopback))
	addr, errno := k.LocalAddr(fd)
	ok(errno)
	return e, addr
}

// pair is a connection; a has been accepted, b has connected.
func pair(t *testing.T) (a, b *end) {
	t.Helper()
	p := must(poll.New(poll.Auto))
	defer p.Close()
	ln, addr := bound(t)
	defer ln.close()
	ok(k.Listen(ln.fd, 1))
	fd, errno := k.Socket("tcp4", false)
	ok(errno)
	b = newEnd(t, fd)
	if errno := k.Connect(fd, addr); errno != 0 && errno != syscall.EINPROGRESS {
		panic(errno)
	}
	must0(p.Add(ln.fd, 1, poll.Readable, poll.Level))
	await(t, p, 1, poll.Readable)
	fd, _, errno = k.Accept(ln.fd)
	ok(errno)
	must0(p.Add(b.fd, 2, poll.Writable, poll.Level))
	await(t, p, 2, poll.Writable)
	return newEnd(t, fd), b
}

// now returns what p reports, by tag, without waiting.
func now(t *testing.T, p poll.Poller) map[uint64]poll.Events { return wait(t, p, 0) }

func wait(t *testing.T, p poll.Poller, timeout time.Duration) map[uint64]poll.Events {
	t.Helper()
	var into [16]poll.Event
	n, err := p.Wait(into[:], timeout)
	if err != nil {
		t.Fatal(err)
	}
	got := map[uint64]poll.Events{}
	for _, ev := range into[:n] {
		got[ev.Tag] |= ev.Events
	}
	return got
}

// await waits until all of events have been reported for tag, and returns what was.
func await(t *testing.T, p poll.Poller, tag uint64, events poll.Events) (got poll.Events) {
	t.Helper()
	for got&events != events {
		got |= wait(t, p, -1)[tag]
	}
	return got
}
