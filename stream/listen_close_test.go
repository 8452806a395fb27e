//go:build unix || windows

package stream_test

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/corobridge/corobridge/stream"
)

// When Close has returned, nobody connects any more, and the address is free: also outside the
// loop, which may be waiting in the kernel for that very listener.
func TestAClosedListenerIsGoneAtOnce(t *testing.T) {
	eachCaller(t, func(t *testing.T, w way) {
		k := system()
		w.run(func(context.Context) {
			for range 25 {
				ln, err := stream.Listen(w.loop.Context(), "tcp4", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				at := ln.Addr().String()
				mustBe(t, "Close", ln.Close(), nil)
				if p, err := net.Dial("tcp", at); err == nil {
					p.Close()
					t.Errorf("a dial of %s connects after Close, want it refused", at)
				}
				fd, _ := k.Socket("tcp4", false) // without SO_REUSEADDR
				if errno := k.Bind(fd, addr(ln.Addr().(*net.TCPAddr).AddrPort())); errno != 0 {
					t.Errorf("bind of %s after Close: %v, want it free", at, errno)
				}
				k.Close(fd)
			}
		})
	})
}

func TestAClosedUnixListenerIsGoneAtOnce(t *testing.T) {
	if !hasUnix() {
		return
	}
	path := filepath.Join(t.TempDir(), "s")
	eachCaller(t, func(t *testing.T, w way) {
		w.run(func(context.Context) {
			for range 25 { // the path is free each time
				ln, err := stream.Listen(w.loop.Context(), "unix", path)
				if err != nil {
					t.Fatal(err)
				}
				mustBe(t, "Close", ln.Close(), nil)
				if p, err := net.Dial("unix", path); err == nil {
					p.Close()
					t.Errorf("a dial of %s connects after Close, want it refused", path)
				}
			}
		})
	})
}
