//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
)

// owing is a handler that leaves unsent what the peer does not take.
func owing(ctx context.Context, c *stream.Conn) error {
	c.WriteString(ctx, "hello\n")
	c.Flush(ctx)
	fill(c)
	return nil
}

// mustBeReset checks that p sees what was sent before, and then a reset.
func mustBeReset(t testing.TB, p io.Reader) {
	t.Helper()
	if got, err := io.ReadAll(p); string(got) != "hello\n" || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the peer read %q, %v; want %q and %v", got, err, "hello\n", syscall.ECONNRESET)
	}
}

// After Serve, nothing of it is left: what its peers do not take within Grace is dropped.
func TestServeEndsWithItsConnections(t *testing.T) {
	for name, grace := range map[string]time.Duration{"without Grace": 0, "with Grace": time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			l := startLoop(t)
			address, stop := serving(t, l, &stream.Server{Grace: grace, Handler: owing})
			p := dial(t, address)
			testkit.Eventually(t, "bytes that the peer does not take", func() bool {
				k, _ := faultyOf(l)
				return k.full.Load()
			})
			mustBe(t, "Serve", stop(), nil)
			if n := stream.StatsOf(l).Open; n != 0 {
				t.Errorf("%d connections are open after Serve, want 0", n)
			}
			mustBeReset(t, p)
		})
	}
}

func TestCloseTimeoutOfAServer(t *testing.T) {
	l := startLoop(t)
	address, _ := serving(t, l, &stream.Server{CloseTimeout: time.Millisecond, Handler: owing})
	mustBeReset(t, dial(t, address))
}

// A handler that waits with the context of Idle ends when its server begins to stop. One that has
// something to do has Grace.
func TestIdleEndsWhenTheServerBeginsToStop(t *testing.T) {
	testkit.Guard(t)
	l := startLoop(t)
	ends := make(chan error, 2)
	address, stop := serving(t, l, &stream.Server{Grace: time.Hour, Handler: func(ctx context.Context, c *stream.Conn) error {
		idle := stream.Idle(ctx)
		for {
			_, err := c.ReadLine(idle)
			for err == nil { // the rest of the request
				var line string
				if line, err = c.ReadLine(ctx); line == "" {
					break
				}
				c.WriteString(ctx, line+"\n")
			}
			if err != nil {
				ends <- err
				return err
			}
		}
	}})
	quiet, busy := dial(t, address), dial(t, address)
	busy.Write([]byte("request\n"))
	ask(t, busy, "begins\n")
	done := make(chan error, 1)
	go func() { done <- stop() }()
	if _, err := quiet.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the quiet client read %v, want %v", err, io.EOF)
	}
	mustBe(t, "the quiet client's ReadLine", <-ends, stream.ErrServerClosed)
	for range 2 {
		ask(t, busy, "goes on\n")
	}
	busy.Write([]byte("\n"))
	mustBe(t, "Serve", <-done, nil)
	mustBe(t, "the busy client's ReadLine", <-ends, stream.ErrServerClosed)
}

// Outside a server there is nothing that stops.
func TestIdleOutsideAServer(t *testing.T) {
	l := startLoop(t)
	if ctx := l.Context(); stream.Idle(ctx) != ctx {
		t.Error("Idle of a context that is no handler's returned another one, want the same")
	}
}
