package compat_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

var errStuck = errors.New("stuck")

// stuckLiner has a Close that fails, in its own way.
type stuckLiner struct {
	liner
	closes int
	close  func(h *stuckLiner) error
}

func (h *stuckLiner) Close() error { h.closes++; return h.close(h) }

func TestServedHandlerWhoseCloseFailsLeavesTheMap(t *testing.T) {
	for name, fails := range map[string]func(h *stuckLiner) error{
		"fails":  func(*stuckLiner) error { return errStuck },
		"panics": func(*stuckLiner) error { panic(errStuck) },
	} {
		for _, end := range []string{"the context ends", "the peer ends", "its server is cancelled"} {
			t.Run(name+", "+end, func(t *testing.T) {
				testkit.Guard(t)
				var x testkit.Exceptions
				testkit.Run(t, func(ctx context.Context) error {
					l, _ := reactor.FromContext(ctx)
					a, b := stream.Pipe(ctx)
					h := &stuckLiner{close: fails}
					bounded, cancel := context.WithCancel(ctx)
					defer cancel()
					served := serve(bounded, a, compat.Handle(func(c *stream.Conn, m *asyncore.Map) *stuckLiner {
						asynchat.Attach(h, c, m)
						return h
					}))
					drained(t, ctx)
					switch end {
					case "the peer ends":
						b.Close()
					case "its server is cancelled":
						served.Cancel(errStuck)
					default:
						cancel()
					}
					served.Await(ctx)
					drained(t, ctx)
					if n := compat.Map(l).Len(); n != 0 || h.closes != 1 {
						t.Errorf("%d handlers are in the map, and Close was called %d times; want 0 and 1", n, h.closes)
					}
					b.Close()
					return nil
				}, x.Option())
			})
		}
	}
}

// closer is a producer that counts how often it is closed.
type closer struct {
	asynchat.Producer
	closed *int
}

func (c closer) Close() error { *c.closed++; return nil }

func TestProducersOfAHandOverAreClosed(t *testing.T) {
	for name, tt := range map[string]struct {
		next func(ctx context.Context, h *liner, b *stream.Conn) error
		want int
	}{
		"taken": {func(ctx context.Context, h *liner, b *stream.Conn) error {
			rest := task.Go(ctx, func(ctx context.Context) (string, error) { return readAll(ctx, b) })
			c, err := compat.Stream(ctx, h)
			if err != nil {
				return err
			}
			c.Close()
			_, err = rest.Await(ctx)
			return err
		}, 2},
		"given up": {func(_ context.Context, h *liner, _ *stream.Conn) error {
			over, err := h.Classic().Take()
			if err != nil {
				return err
			}
			over.Output(func([]byte) error { return io.ErrClosedPipe })
			over.Conn.Abort()
			return nil
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) {
				a, b := stream.Pipe(ctx)
				defer b.Close()
				l, _ := reactor.FromContext(ctx)
				h := newLiner(nil)
				asynchat.Attach(h, a, asyncore.On(l))
				closed := 0
				for range 2 {
					h.PushWithProducer(closer{asynchat.SimpleProducer(make([]byte, 1<<20), 4096), &closed})
				}
				check(t, tt.next(ctx, h, b))
				if closed != tt.want {
					t.Errorf("%d producers are closed, want %d", closed, tt.want)
				}
			})
		})
	}
}
