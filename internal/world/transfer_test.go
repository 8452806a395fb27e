//go:build unix || windows

package world_test

import (
	"bytes"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestShortWrite(t *testing.T) {
	testkit.Guard(t)
	a, b := pair(t)
	sent := 0
	chunk := bytes.Repeat([]byte("0123456789abcdef"), 8<<10)
	for {
		n, errno := k.Write(a, chunk[sent%16:])
		if errno == syscall.EAGAIN {
			if n != 0 {
				t.Errorf("%d bytes beside EAGAIN, want 0", n)
			}
			break
		}
		ok(t, "Write", errno)
		sent += n
	}
	got := read(t, b, sent)
	if want := strings.Repeat("0123456789abcdef", sent/16+1)[:sent]; got != want {
		t.Errorf("%d bytes read are not those written, want the %d written", len(got), len(want))
	}
	if n, errno := k.Write(a, []byte("x")); n != 1 || errno != 0 {
		t.Errorf("after draining: %d, %v; want 1 and 0", n, errno)
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
			testkit.Guard(t)
			a, b := pair(t)
			if n, errno := k.Writev(a, tt.bufs); n != len(tt.want) || errno != 0 {
				t.Fatalf("got %d, %v; want %d and 0", n, errno, len(tt.want))
			}
			if got := read(t, b, len(tt.want)); got != tt.want {
				t.Errorf("read %q, want %q", got, tt.want)
			}
			if n, errno := k.Read(b, make([]byte, 8)); errno != syscall.EAGAIN {
				t.Errorf("more than was told: %d, %v; want %v", n, errno, syscall.EAGAIN)
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
		t.Errorf("Read = %d, %v; Write = %d, %v; Writev = %d, %v; want 0, 0 of each", n, errno, m, errno2, v, errno3)
	}
}

func TestReset(t *testing.T) {
	testkit.Guard(t)
	ln, addr := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	a := dial(t, "tcp4", addr)
	ready(t, ln, poll.Readable)
	b, _, errno := k.Accept(ln) // and not accept: it is closed before the test ends
	ok(t, "Accept", errno)
	if err := resetOnClose(b); err != nil {
		t.Fatal(err)
	}
	ok(t, "Close", k.Close(b))
	ready(t, a, poll.Readable)
	if n, errno := k.Read(a, make([]byte, 1)); n != 0 || errno != syscall.ECONNRESET {
		t.Errorf("Read: %d, %v; want 0 and %v", n, errno, syscall.ECONNRESET)
	}
	if n, errno := k.Write(a, make([]byte, 1)); n != 0 || errno != syscall.EPIPE && (runtime.GOOS != "windows" || errno == 0) {
		t.Errorf("Write = %d, %v; want 0 and %v (on Windows another error will do)", n, errno, syscall.EPIPE)
	}
}

// A loop of nothing but raw calls passes a preemption point in each. If they were inlined, each of
// these stops would take seconds.
func TestStopTheWorldIsPromptBesideRawCalls(t *testing.T) {
	a, b := pair(t)
	buf := make([]byte, 64)
	ln, _ := listen(t, "tcp4", false, ip("127.0.0.1:0"))
	loops := map[string]func(){
		"Read":           func() { k.Read(b, buf) },
		"Write and Read": func() { k.Write(a, buf); k.Read(b, buf) },
		"Writev":         func() { k.Writev(a, [][]byte{buf}) },
		"Accept":         func() { k.Accept(ln) },
	}
	for name, call := range loops {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
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
					t.Errorf("stopping the world took %v, want at most %v", took, 2*time.Second)
				}
			}
			stop.Store(true)
			over.Wait()
		})
	}
}
