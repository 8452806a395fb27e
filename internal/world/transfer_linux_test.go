package world_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
)

// pipe returns a pipe that holds more than one transfer.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w = closing(t, fds[0]), closing(t, fds[1])
	if _, err := unix.FcntlInt(uintptr(w), unix.F_SETPIPE_SZ, 2*world.MaxTransfer); err != nil {
		t.Skipf("no larger pipes here: %v", err)
	}
	return r, w
}

func TestOneCallMovesAtMostMaxTransfer(t *testing.T) {
	testkit.Guard(t)
	const max = world.MaxTransfer
	big := make([]byte, max+1)
	writes := map[string]func(fd int) (int, unix.Errno){
		"Write":                   func(fd int) (int, unix.Errno) { return k.Write(fd, big) },
		"Writev of one":           func(fd int) (int, unix.Errno) { return k.Writev(fd, [][]byte{big}) },
		"Writev across the bound": func(fd int) (int, unix.Errno) { return k.Writev(fd, [][]byte{big[:max-1], big, big}) },
	}
	for name, write := range writes {
		t.Run(name, func(t *testing.T) {
			r, w := pipe(t)
			if n, errno := write(w); n != max || errno != 0 {
				t.Errorf("wrote %d, %v; want %d and 0", n, errno, max)
			}
			k.Write(w, big[:1])
			if n, errno := k.Read(r, big); n != max || errno != 0 {
				t.Errorf("read %d, %v; want %d and 0", n, errno, max)
			}
		})
	}
}

func TestShutdownOfEachSide(t *testing.T) {
	testkit.Guard(t)
	a, b := pair(t)
	ok(t, "Shutdown", k.Shutdown(a, unix.SHUT_RD))
	if n, errno := k.Read(a, make([]byte, 1)); n != 0 || errno != 0 {
		t.Errorf("Read: %d, %v; want 0 and 0", n, errno)
	}
	ok(t, "Shutdown", k.Shutdown(a, unix.SHUT_WR))
	if n, errno := k.Write(a, make([]byte, 1)); n != 0 || errno != unix.EPIPE {
		t.Errorf("Write: %d, %v; want 0 and %v", n, errno, unix.EPIPE)
	}
	if n, errno := k.Writev(b, [][]byte{make([]byte, 1)}); n != 0 || errno != unix.EPIPE {
		t.Errorf("Writev to the other side: %d, %v; want 0 and %v", n, errno, unix.EPIPE)
	}
}

func TestTransfersDoNotAllocate(t *testing.T) {
	testkit.Guard(t)
	a, b := pair(t)
	buf := make([]byte, 64)
	bufs := [][]byte{buf[:10], buf[10:20], nil, buf[20:]}
	for name, write := range map[string]func() (int, unix.Errno){
		"Write":  func() (int, unix.Errno) { return k.Write(a, buf) },
		"Writev": func() (int, unix.Errno) { return k.Writev(a, bufs) },
	} {
		allocs := allocations(func() float64 {
			return testing.AllocsPerRun(100, func() {
				if n, errno := write(); n != len(buf) || errno != 0 {
					t.Fatalf("%s = %d, %v; want %d, 0", name, n, errno, len(buf))
				}
				if n, errno := k.Read(b, buf); n != len(buf) || errno != 0 {
					t.Fatalf("Read = %d, %v; want %d, 0", n, errno, len(buf))
				}
				if _, errno := k.Read(b, buf); errno != unix.EAGAIN {
					t.Fatalf("Read when drained: %v, want %v", errno, unix.EAGAIN)
				}
			})
		})
		if allocs != 0 {
			t.Errorf("%s and Read: %v allocations, want 0", name, allocs)
		}
	}
}

func TestAcceptOfAnIPAddressDoesNotAllocate(t *testing.T) {
	for network, at := range map[string]world.Addr{"tcp4": ip("127.0.0.1:0"), "tcp6": ip("[::1]:0")} {
		t.Run(network, func(t *testing.T) {
			testkit.Guard(t)
			const runs = 8
			ln, addr := listen(t, network, false, at)
			allocs := allocations(func() float64 {
				for range runs + 1 { // AllocsPerRun has a run of its own
					dial(t, network, addr)
				}
				return testing.AllocsPerRun(runs, func() {
					// Not by ready, which allocates.
					unix.Poll([]unix.PollFd{{Fd: int32(ln), Events: unix.POLLIN}}, -1)
					nfd, _, errno := k.Accept(ln)
					ok(t, "Accept", errno)
					ok(t, "Close", k.Close(nfd))
				})
			})
			if allocs != 0 {
				t.Errorf("%v allocations, want 0", allocs)
			}
		})
	}
}
