package seam_test

import (
	"bytes"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/seam"
)

// pipe is a pipe that holds more than one transfer.
func pipe(t *testing.T) (r, w int) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w = closing(t, fds[0]), closing(t, fds[1])
	if _, err := unix.FcntlInt(uintptr(w), unix.F_SETPIPE_SZ, 2*seam.MaxTransfer); err != nil {
		t.Skipf("no larger pipes here: %v", err)
	}
	return r, w
}

func TestOneCallMovesAtMostMaxTransfer(t *testing.T) {
	guard(t)
	const max = seam.MaxTransfer
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
				t.Errorf("wrote %d, %v", n, errno)
			}
			k.Write(w, big[:1])
			if n, errno := k.Read(r, big); n != max || errno != 0 {
				t.Errorf("read %d, %v", n, errno)
			}
		})
	}
}

func TestShortWrite(t *testing.T) {
	guard(t)
	a, b := pair(t)
	sent := 0
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	for {
		n, errno := k.Write(a, chunk[sent%16:])
		if errno == unix.EAGAIN {
			if n != 0 {
				t.Errorf("%d bytes beside EAGAIN", n)
			}
			break
		}
		ok(t, "Write", errno)
		sent += n
	}
	got := read(t, b, sent)
	if want := strings.Repeat("0123456789abcdef", sent/16+1)[:sent]; got != want {
		t.Error("the bytes read are not those written")
	}
	if n, errno := k.Write(a, []byte("x")); n != 1 || errno != 0 {
		t.Errorf("after draining: %d, %v", n, errno)
	}
}

func TestWritevTakesSlicesInOrder(t *testing.T) {
	letters := func(n int) (bufs [][]byte) {
		for i := range n {
			bufs = append(bufs, []byte{byte('a' + i)}, nil, []byte{})
		}
		return bufs
	}
	const alphabet = "abcdefghijklmnopqrstuvwxyz"
	tests := map[string]struct {
		bufs [][]byte
		want string
	}{
		"none":                       {nil, ""},
		"only empty ones":            {[][]byte{nil, {}, nil}, ""},
		"one":                        {[][]byte{[]byte("abc")}, "abc"},
		"empty ones count for none":  {letters(16), alphabet[:16]},
		"the rest is for later":      {letters(26), alphabet[:16]},
		"longer ones and empty ones": {[][]byte{[]byte("ab"), nil, []byte("cdef")}, "abcdef"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			guard(t)
			a, b := pair(t)
			if n, errno := k.Writev(a, tt.bufs); n != len(tt.want) || errno != 0 {
				t.Fatalf("got %d, %v", n, errno)
			}
			if got := read(t, b, len(tt.want)); got != tt.want {
				t.Errorf("read %q", got)
			}
			if n, errno := k.Read(b, make([]byte, 8)); errno != unix.EAGAIN {
				t.Errorf("more than was told: %d, %v", n, errno)
			}
		})
	}
}

func TestNothingToMoveMakesNoCall(t *testing.T) {
	const noDescriptor = -1
	n, errno := k.Read(noDescriptor, nil)
	m, errno2 := k.Write(noDescriptor, []byte{})
	v, errno3 := k.Writev(noDescriptor, nil)
	if n+m+v != 0 || errno|errno2|errno3 != 0 {
		t.Errorf("Read %d, %v; Write %d, %v; Writev %d, %v", n, errno, m, errno2, v, errno3)
	}
}

func TestReset(t *testing.T) {
	guard(t)
	ln, addr := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	a := dial(t, "tcp4", addr)
	ready(t, ln, unix.POLLIN)
	b, _, errno := k.Accept(ln)
	ok(t, "Accept", errno)
	if err := unix.SetsockoptLinger(b, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
		t.Fatal(err)
	}
	ok(t, "Close", k.Close(b))
	ready(t, a, unix.POLLIN)
	if n, errno := k.Read(a, make([]byte, 1)); n != 0 || errno != unix.ECONNRESET {
		t.Errorf("Read: %d, %v", n, errno)
	}
	if n, errno := k.Write(a, make([]byte, 1)); n != 0 || errno != unix.EPIPE {
		t.Errorf("Write: %d, %v", n, errno)
	}
}

func TestShutdownOfEachSide(t *testing.T) {
	guard(t)
	a, b := pair(t)
	ok(t, "Shutdown", k.Shutdown(a, unix.SHUT_RD))
	if n, errno := k.Read(a, make([]byte, 1)); n != 0 || errno != 0 {
		t.Errorf("Read: %d, %v", n, errno)
	}
	ok(t, "Shutdown", k.Shutdown(a, unix.SHUT_WR))
	if n, errno := k.Write(a, make([]byte, 1)); n != 0 || errno != unix.EPIPE {
		t.Errorf("Write: %d, %v", n, errno)
	}
	if n, errno := k.Writev(b, [][]byte{make([]byte, 1)}); n != 0 || errno != unix.EPIPE {
		t.Errorf("Writev to the other side: %d, %v", n, errno)
	}
}

func TestTransfersDoNotAllocate(t *testing.T) {
	guard(t)
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
					t.Fatal(n, errno)
				}
				if n, errno := k.Read(b, buf); n != len(buf) || errno != 0 {
					t.Fatal(n, errno)
				}
				if _, errno := k.Read(b, buf); errno != unix.EAGAIN {
					t.Fatal(errno)
				}
			})
		})
		if allocs != 0 {
			t.Errorf("%s and Read: %v allocations", name, allocs)
		}
	}
}

func TestAcceptOfAnIPAddressDoesNotAllocate(t *testing.T) {
	for network, at := range map[string]seam.Addr{"tcp4": ip("127.0.0.1:0"), "tcp6": ip("[::1]:0")} {
		t.Run(network, func(t *testing.T) {
			guard(t)
			const runs = 8
			ln, addr := listen(t, network, false, at)
			allocs := allocations(func() float64 {
				for range runs + 1 { // AllocsPerRun has a run of its own
					dial(t, network, addr)
				}
				return testing.AllocsPerRun(runs, func() {
					ready(t, ln, unix.POLLIN)
					nfd, _, errno := k.Accept(ln)
					ok(t, "Accept", errno)
					ok(t, "Close", k.Close(nfd))
				})
			})
			if allocs != 0 {
				t.Errorf("%v allocations", allocs)
			}
		})
	}
}

// A loop of nothing but raw calls passes a preemption point in each. Were they inlined, each of these stops would take
// seconds.
func TestStopTheWorldIsPromptBesideRawCalls(t *testing.T) {
	a, b := pair(t)
	buf := make([]byte, 64)
	ln, _ := listen(t, "unix", false, seam.Addr{Path: filepath.Join(t.TempDir(), "socket")})
	loops := map[string]func(){
		"Read":           func() { k.Read(b, buf) },
		"Write and Read": func() { k.Write(a, buf); k.Read(b, buf) },
		"Writev":         func() { k.Writev(a, [][]byte{buf}) },
		"Accept":         func() { k.Accept(ln) },
	}
	for name, call := range loops {
		t.Run(name, func(t *testing.T) {
			guard(t)
			var stop atomic.Bool
			var over sync.WaitGroup
			over.Go(func() {
				for !stop.Load() {
					call()
				}
			})
			for range 20 {
				start := time.Now()
				var stats runtime.MemStats
				runtime.ReadMemStats(&stats)
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("stopping the world took %v", took)
				}
			}
			stop.Store(true)
			over.Wait()
		})
	}
}
