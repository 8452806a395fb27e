package compat_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classictest"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestStreamFromAPlainGoroutine(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := connectedPair(t, ctx, "tcp", "127.0.0.1:0")
		h := newLiner(nil)
		asynchat.Attach(h, a, compat.Map(a.Loop()))
		write(t, ctx, b, "one\r\nhal")
		expect(t, ctx, b, "<one>\r\n")
		got, err := task.Blocking(ctx, func(ctx context.Context) (string, error) {
			c, err := compat.Stream(context.Background(), h)
			if err != nil {
				return "", err
			}
			defer c.Close()
			c.WriteString(ctx, "got it")
			p := make([]byte, 3)
			_, err = c.ReadFull(ctx, p)
			return string(p), err
		})
		if got != "hal" || err != nil {
			t.Errorf("the goroutine reads %q, %v; want %q and nil", got, err, "hal")
		}
		expect(t, ctx, b, "got it")
		b.Close()
	})
}

func TestStreamFailsWithoutAConnection(t *testing.T) {
	run(t, func(ctx context.Context) {
		closed := newLiner(nil)
		a, b := stream.Pipe(ctx)
		defer b.Close()
		asynchat.Attach(closed, a, compat.Map(a.Loop()))
		closed.Close()
		fresh := newLiner(nil)
		asynchat.Init(fresh, asyncore.NewMap())
		for name, h := range map[string]*liner{"closed": closed, "fresh": fresh, "not initialised": newLiner(nil)} {
			if c, err := compat.Stream(ctx, h); c != nil || err == nil {
				t.Errorf("%s: Stream = %v, %v; want nil and an error", name, c, err)
			}
			if err := compat.Continue(h, nil); err == nil {
				t.Errorf("%s: Continue = nil, want an error", name)
			}
		}
	})
}

func TestEndOfTheContext(t *testing.T) {
	for _, handle := range []bool{false, true} {
		t.Run(fmt.Sprintf("Handle %v", handle), func(t *testing.T) {
			run(t, func(ctx context.Context) {
				a, b := stream.Pipe(ctx)
				h := newLiner(nil)
				served := task.Spawn(ctx, func(ctx context.Context) error {
					if !handle {
						return compat.Dispatch(ctx, a, h)
					}
					return compat.Handle(func(c *stream.Conn, m *asyncore.Map) *liner { asynchat.Attach(h, c, m); return h })(ctx, a)
				})
				write(t, ctx, b, "x\r\n")
				expect(t, ctx, b, "<x>\r\n")
				served.Cancel(nil)
				if _, err := served.Await(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("it returned %v, want %v", err, context.Canceled)
				}
				expectEnd(t, ctx, b)
				if h.Connected() {
					t.Error("Connected of the handler = true after the end, want false")
				}
				b.Close()
			})
		})
	}
}

func TestDispatchWithAnEndedContextLeavesTheConnection(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		done, cancel := context.WithCancel(ctx)
		cancel()
		if err := compat.Dispatch(done, a, newLiner(nil)); !errors.Is(err, context.Canceled) {
			t.Errorf("Dispatch returned %v, want %v", err, context.Canceled)
		}
		write(t, ctx, a, "mine")
		expect(t, ctx, b, "mine")
		a.Close()
		b.Close()
	})
}

func TestCancelledStreamClosesWhatItHadTaken(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := connectedPair(t, ctx, "tcp", "127.0.0.1:0")
		h := newLiner(nil)
		asynchat.Attach(h, a, compat.Map(a.Loop()))
		check(t, h.Push(make([]byte, 16<<20)))
		taken := task.Go(ctx, func(ctx context.Context) (*stream.Conn, error) { return compat.Stream(ctx, h) })
		drained(t, ctx)
		taken.Cancel(nil)
		if c, err := taken.Await(ctx); c != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("Stream returned %v, %v; want nil and %v", c, err, context.Canceled)
		}
		readAll(ctx, b) // to its end
		b.Close()
	})
}

func TestContinueThatMeetsTheEndOfTheContext(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		h := newLiner(nil)
		served := task.Spawn(ctx, func(ctx context.Context) error { return compat.Dispatch(ctx, a, h) })
		drained(t, ctx)
		served.Cancel(nil)
		ran := false
		check(t, compat.Continue(h, func(ctx context.Context, c *stream.Conn) error { ran = true; return ctx.Err() }))
		served.Await(ctx)
		if !ran {
			t.Error("the function given to Continue was not called, want a call")
		}
		expectEnd(t, ctx, b)
		b.Close()
	})
}

func TestContinueOnTheClassicLoop(t *testing.T) {
	testkit.Guard(t)
	m := asyncore.NewMap()
	conn, peer := classictest.Pair(t, m, "tcp")
	defer peer.Close()
	h := newLiner(map[string]func(h *liner) error{"MODERN": func(h *liner) error { return compat.Continue(h, modern(nil)) }})
	asynchat.Attach(h, conn, m)
	answers := make(chan string)
	go func() {
		io.WriteString(peer, "one\r\nMODERN\r\ntwo\r\n")
		got := make([]byte, len("<one>\r\n[two]\r\n"))
		io.ReadFull(peer, got)
		io.WriteString(peer, "three\r\n")
		peer.(*net.TCPConn).CloseWrite()
		rest, _ := io.ReadAll(peer)
		answers <- string(got) + string(rest)
	}()
	check(t, asyncore.Loop(m)) // lasts until the task has ended, though no handler is left
	if got, want := <-answers, "<one>\r\n[two]\r\n[three]\r\n"; got != want {
		t.Errorf("the peer got %q, want %q", got, want)
	}
}

func TestPanicInAProducerClosesTheConnection(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := connectedPair(t, ctx, "tcp", "127.0.0.1:0")
		h := newLiner(nil)
		asynchat.Attach(h, a, compat.Map(a.Loop()))
		check(t, h.Push(make([]byte, 1<<20)))
		check(t, h.PushWithProducer(panicking{}))
		taken := task.Go(ctx, func(ctx context.Context) (*stream.Conn, error) { return compat.Stream(ctx, h) })
		readAll(ctx, b)
		var p *task.PanicError
		if _, err := taken.Await(ctx); !errors.As(err, &p) {
			t.Errorf("Stream = %v, want a PanicError", err)
		}
		b.Close()
	})
}

type panicking struct{}
