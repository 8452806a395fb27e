//go:build unix || windows

package stream_test

import (
	"context"
	"net"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

func TestBoundListenerTakesNobodyUntilItsBacklogIsSet(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0", stream.Bound())
		testkit.Must(t, err)
		defer l.Close()
		if c, err := stream.Dial(ctx, "tcp", l.Addr().String()); err == nil {
			c.Close()
			t.Error("Dial before SetBacklog: nil, want a refusal")
		}
		if _, err := l.TryAccept(); err != stream.ErrWouldBlock {
			t.Errorf("TryAccept before SetBacklog: %v, want %v", err, stream.ErrWouldBlock)
		}
		testkit.Must(t, l.SetBacklog(1))
		c, err := stream.Dial(ctx, "tcp", l.Addr().String())
		testkit.Must(t, err)
		defer c.Close()
		a, err := l.Accept(ctx)
		testkit.Must(t, err)
		return a.Close()
	})
}

func TestDialFromABoundListenerUsesItUp(t *testing.T) {
	for _, source := range []string{"127.0.0.1:0", ":0"} {
		t.Run(source, func(t *testing.T) {
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			testkit.Must(t, err)
			defer ln.Close()
			testkit.Run(t, func(ctx context.Context) error {
				l, err := stream.Listen(ctx, "tcp", source, stream.Bound())
				testkit.Must(t, err)
				c, err := stream.Dial(ctx, "tcp", ln.Addr().String(), stream.From(l))
				testkit.Must(t, err)
				defer c.Close()
				if got, want := port(c.LocalAddr()), port(l.Addr()); got != want {
					t.Errorf("the connection comes from port %d, want %d", got, want)
				}
				if got := c.RemoteAddr().String(); got != ln.Addr().String() {
					t.Errorf("the peer's address is %s, want %s", got, ln.Addr())
				}
				if _, err := stream.Dial(ctx, "tcp", ln.Addr().String(), stream.From(l)); err == nil {
					t.Error("a second Dial from it: nil, want an error")
				}
				return l.Close()
			})
		})
	}
}

func port(a net.Addr) int { return a.(*net.TCPAddr).Port }

func TestDialFromABoundListenerThatCantReach(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		l, err := stream.Listen(ctx, "tcp4", "127.0.0.1:0", stream.Bound())
		testkit.Must(t, err)
		if _, err := stream.Dial(ctx, "tcp6", "[::1]:1", stream.From(l)); err == nil {
			t.Error("Dial of IPv6 from IPv4: nil, want an error")
		}
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		l, err = stream.Listen(ctx, "tcp4", "127.0.0.1:0")
		testkit.Must(t, err)
		defer l.Close()
		testkit.Panics(t, "stream: From needs a Listener …", func() {
			stream.Dial(ctx, "tcp4", "127.0.0.1:1", stream.From(l))
		})
		return nil
	})
}
