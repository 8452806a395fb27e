package seam_test

import (
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/seam"
)

var k seam.Kernel

func TestMain(m *testing.M) {
	var err error
	if k, err = seam.System(); err != nil {
		panic(err)
	}
	descriptors() // the first use of package os opens the runtime's own poller
	goleak.VerifyTestMain(m)
}

// descriptors returns what is open.
func descriptors() map[string]string {
	open := map[string]string{}
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			open[e.Name()] = target
		}
	}
	return open
}

// guard fails the test if it leaves a descriptor open, and ends the process if it hangs.
func guard(t *testing.T) {
	t.Helper()
	dog := time.AfterFunc(time.Minute, func() { panic(t.Name() + " hangs") })
	before := descriptors()
	t.Cleanup(func() {
		dog.Stop()
		for fd, target := range descriptors() {
			if before[fd] != target {
				t.Errorf("descriptor %s (%s) is left", fd, target)
			}
		}
	})
}

// ok fails the test on an errno.
func ok(t *testing.T, call string, errno unix.Errno) {
	t.Helper()
	if errno != 0 {
		t.Fatalf("%s: %v", call, errno)
	}
}

// closing closes fd when the test ends.
func closing(t *testing.T, fd int) int {
	t.Cleanup(func() {
		if errno := k.Close(fd); errno != 0 {
			t.Errorf("Close: %v", errno)
		}
	})
	return fd
}

func socket(t *testing.T, network string, dual bool) int {
	t.Helper()
	fd, errno := k.Socket(network, dual)
	ok(t, "Socket", errno)
	return closing(t, fd)
}

// pair is a Unix connection, in which everything arrives at once.
func pair(t *testing.T) (a, b int) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return closing(t, fds[0]), closing(t, fds[1])
}

// ready waits for one of events, which are poll(2)'s.
func ready(t *testing.T, fd int, events int16) {
	t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: events}}, -1)
		if n == 1 {
			return
		}
		if err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
	}
}

// listen returns a listener and where it listens.
func listen(t *testing.T, network string, dual bool, at seam.Addr) (int, seam.Addr) {
	t.Helper()
	fd := socket(t, network, dual)
	ok(t, "Bind", k.Bind(fd, at))
	ok(t, "Listen", k.Listen(fd, 16))
	addr, errno := k.LocalAddr(fd)
	ok(t, "LocalAddr", errno)
	return fd, addr
}

// dial connects to a listener.
func dial(t *testing.T, network string, to seam.Addr) int {
	t.Helper()
	fd := socket(t, network, false)
	if errno := k.Connect(fd, to); errno == unix.EINPROGRESS {
		ready(t, fd, unix.POLLOUT)
		value, errno := k.SockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
		ok(t, "SockoptInt", errno)
		ok(t, "Connect", unix.Errno(value))
	} else {
		ok(t, "Connect", errno)
	}
	return fd
}

// read reads until it has count bytes.
func read(t *testing.T, fd, count int) string {
	t.Helper()
	buf := make([]byte, count)
	for got := 0; got < count; {
		n, errno := k.Read(fd, buf[got:])
		if errno == unix.EAGAIN {
			ready(t, fd, unix.POLLIN)
			continue
		}
		ok(t, "Read", errno)
		if n == 0 {
			t.Fatalf("the stream ended after %d bytes of %d", got, count)
		}
		got += n
	}
	return string(buf)
}

// allocations is the least of several counts: they include what other goroutines allocate, the resolver's, say.
func allocations(attempt func() float64) float64 {
	least := attempt()
	for range 4 {
		if least == 0 {
			break
		}
		least = min(least, attempt())
	}
	return least
}
