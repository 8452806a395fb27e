package compat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

func TestHandOverInsideFoundTerminatorAtEveryByte(t *testing.T) {
	const input = "one\r\nMODERN\r\ntwo\r\nthree\r\nCLASSIC\r\nfour\r\nMODERN\r\nfive\r\n"
	const want = "hi\r\n<one>\r\n[two]\r\n[three]\r\n<four>\r\n[five]\r\n"
	on := map[string]func(h *liner) error{}
	back := map[string]stream.Handler{"CLASSIC": func(ctx context.Context, c *stream.Conn) error {
		return compat.Dispatch(ctx, c, newLiner(on))
	}}
	on["MODERN"] = func(h *liner) error { return compat.Continue(h, modern(back)) }
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) {
				for at := 0; at <= len(input); at++ {
					a, b := pair(t, ctx)
					served := serve(ctx, a, compat.Handle(attached(on)))
					write(t, ctx, b, input[:at])
					drained(t, ctx)
					write(t, ctx, b, input[at:])
					check(t, b.CloseWrite(ctx))
					expect(t, ctx, b, want)
					expectEnd(t, ctx, b)
					b.Close()
					_, err := served.Await(ctx)
					check(t, err)
				}
			})
		})
	}
}

func TestHandOverFromOutsideAtEveryByte(t *testing.T) {
	const input = "one\r\ntwo\r\nthree\r\n"
	for name, pair := range transports {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) {
				for at := 0; at <= len(input); at++ {
					a, b := pair(t, ctx)
					h := newLiner(nil)
					dispatched := task.Spawn(ctx, func(ctx context.Context) error { return compat.Dispatch(ctx, a, h) })
					write(t, ctx, b, input[:at])
					drained(t, ctx)
					c, err := compat.Stream(ctx, h)
					check(t, err)
					_, err = dispatched.Await(ctx)
					check(t, err)
					calls := h.calls
					served := serve(ctx, c, modern(nil))
					write(t, ctx, b, input[at:])
					check(t, b.CloseWrite(ctx))
					h.Close()
					got, err := readAll(ctx, b)
					check(t, err)
					if s := strings.NewReplacer("<", "[", ">", "]").Replace(got); s != "[one]\r\n[two]\r\n[three]\r\n" {
						t.Errorf("split at %d: %q, want one, two and three, a line each, in brackets", at, got)
					}
					if h.calls != calls {
						t.Errorf("split at %d: the old handler was called %d times after the hand-over, want 0", at, h.calls-calls)
					}
					b.Close()
					_, err = served.Await(ctx)
					check(t, err)
				}
			})
		})
	}
}

func TestStreamCarriesUnsentOutputProducersAndTheCloseMark(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	run(t, func(ctx context.Context) {
		a, b := connectedPair(t, ctx, "tcp", "127.0.0.1:0")
		h := newLiner(nil)
		asynchat.Attach(h, a, compat.Map(a.Loop()))
		check(t, h.Push(big))
		check(t, h.PushWithProducer(asynchat.SimpleProducer([]byte("produced"), 3)))
		h.PushString("tail")
		h.CloseWhenDone()
		drained(t, ctx)
		taken := task.Go(ctx, func(ctx context.Context) (*stream.Conn, error) { return compat.Stream(ctx, h) })
		drained(t, ctx)
		if taken.Completed() {
			t.Error("Stream returned before the peer had read the output, want it to wait")
		}
		got, err := readAll(ctx, b)
		check(t, err)
		if want := string(big) + "producedtail"; got != want {
			t.Errorf("the peer got %d bytes, want %d", len(got), len(want))
		}
		c, err := taken.Await(ctx)
		check(t, err)
		write(t, ctx, b, "more\r\n")
		if line, err := c.ReadLine(ctx); line != "more" || err != nil {
			t.Errorf("the new owner reads %q, %v; want %q and nil", line, err, "more")
		}
		if _, err := c.WriteString(ctx, "x"); err == nil {
			t.Error("WriteString after the handler's end of output = nil, want an error")
		}
		c.Close()
		b.Close()
	})
}

func TestStreamOfAHandlerThatHasSeenTheEnd(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		h := &stubborn{}
		asyncore.Attach(h, a, compat.Map(a.Loop()))
		check(t, b.CloseWrite(ctx))
		for h.ends == 0 {
			check(t, task.Yield(ctx))
		}
		c, err := compat.Stream(ctx, h)
		check(t, err)
		if _, err := c.Read(ctx, make([]byte, 1)); err != io.EOF {
			t.Errorf("the new owner reads %v, want the end", err)
		}
		write(t, ctx, c, "still here")
		expect(t, ctx, b, "still here")
		c.Close()
		b.Close()
	})
}

// stubborn does not close at the end of its input.
type stubborn struct {
	asyncore.Dispatcher
	ends int
}

func (s *stubborn) HandleRead() error  { _, err := s.Recv(100); return err }
func (s *stubborn) HandleClose() error { s.ends++; return nil }

func TestRunningLengthIsPutBackWithWhatWasCollected(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		h := newLiner(nil)
		h.SetLength(10)
		asynchat.Attach(h, a, compat.Map(a.Loop()))
		write(t, ctx, b, "0123")
		drained(t, ctx)
		if _, n := h.Terminator(); n != 6 {
			t.Errorf("%d bytes are left, want 6", n)
		}
		c, err := compat.Stream(ctx, h)
		check(t, err)
		if _, n := h.Terminator(); n != 10 {
			t.Errorf("%d bytes are left after the hand-over, want 10", n)
		}
		// The same handler gets the connection again.
		dispatched := task.Spawn(ctx, func(ctx context.Context) error { return compat.Dispatch(ctx, c, h) })
		write(t, ctx, b, "456789x")
		expect(t, ctx, b, "<0123456789>\r\n")
		b.Close()
		_, err = dispatched.Await(ctx)
		check(t, err)
	})
}

func TestHandOverInsideCollectLeavesTheInput(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		h := &sniffer{}
		h.SetTerminator("\r\n")
		asynchat.Attach(h, a, compat.Map(a.Loop()))
		write(t, ctx, b, "GET /\r\nHost: x\r\n")
		expect(t, ctx, b, "[GET /]\r\n[Host: x]\r\n")
		b.Close()
		drained(t, ctx)
	})
}

func TestOutputAfterAHandOverIsRefused(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		h, plain := newLiner(nil), &struct{ asyncore.DispatcherWithSend }{}
		m := compat.Map(a.Loop())
		asynchat.Attach(h, a, m)
		asyncore.Attach(plain, b, m)
		a, err := compat.Stream(ctx, h)
		check(t, err)
		b, err = compat.Stream(ctx, plain)
		check(t, err)
		for what, err := range map[string]error{
			"Push": h.PushString("x"), "PushWithProducer": h.PushWithProducer(panicking{}), "Send": plain.Send([]byte("x")),
			"the context's cause": context.Cause(h.Context()),
		} {
			if err != stream.ErrDetached {
				t.Errorf("%s: %v, want %v", what, err, stream.ErrDetached)
			}
		}
		h.CloseWhenDone()
		if h.Queued() != 0 || plain.Buffered() != 0 {
			t.Errorf("%d pieces and %d bytes are kept; want 0 and 0", h.Queued(), plain.Buffered())
		}
		// With a connection again, the handler may push again.
		dispatched := task.Spawn(ctx, func(ctx context.Context) error { return compat.Dispatch(ctx, a, h) })
		write(t, ctx, b, "x\r\n")
		expect(t, ctx, b, "<x>\r\n")
		b.Close()
		_, err = dispatched.Await(ctx)
		check(t, err)
	})
}

func TestErrorThatAHandlerLetsOutBesideTasksEndsTheHandler(t *testing.T) {
	var reported []error
	watch := reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) { reported = append(reported, e.Err) })
	testkit.Guard(t)
	err := task.Run(context.Background(), func(ctx context.Context) error {
		a, b := stream.Pipe(ctx)
		served := serve(ctx, a, compat.Handle(attached(map[string]func(h *liner) error{"EXIT": func(*liner) error { return asyncore.ErrExitNow }})))
		expect(t, ctx, b, "hi\r\n")
		write(t, ctx, b, "EXIT\r\n")
		expectEnd(t, ctx, b)
		b.Close()
		_, err := served.Await(ctx)
		return err
	}, task.WithSignals(), task.WithLoopOptions(watch))
	if err != nil || len(reported) != 1 || !errors.Is(reported[0], asyncore.ErrExitNow) {
		t.Errorf("Run = %v, reported %v; want nil and ErrExitNow once", err, reported)
	}
}

// sniffer gives its connection away as soon as it has input, even though it has collected it.
type sniffer struct{ asynchat.Chat }

func (s *sniffer) FoundTerminator() error { return errors.New("not reached") }
func (s *sniffer) CollectIncomingData(data []byte) error {
	s.Collect(data)
	return compat.Continue(s, modern(nil))
}

// hoarder keeps buffers of its own, beside those of a Chat.
type hoarder struct {
	asynchat.Chat
	in, out []byte
}

func (h *hoarder) CollectIncomingData(data []byte) error { h.in = append(h.in, data...); return nil }
func (h *hoarder) FoundTerminator() error                { h.in = nil; return nil }
func (h *hoarder) Unfinished() []byte                    { return h.in }
func (h *hoarder) Unsent() []byte                        { return h.out }

func TestHandlerWithBuffersOfItsOwn(t *testing.T) {
	run(t, func(ctx context.Context) {
		a, b := stream.Pipe(ctx)
		h := &hoarder{out: []byte("own")}
		h.SetTerminator("\r\n")
		asynchat.Attach(h, a, compat.Map(a.Loop()))
		write(t, ctx, b, "gone\r\nhalf a\r")
		drained(t, ctx)
		check(t, h.PushWithProducer(asynchat.SimpleProducer([]byte("pushed "), 4)))
		c, err := compat.Stream(ctx, h)
		check(t, err)
		write(t, ctx, b, "\nrest\n")
		for _, want := range []string{"half a", "rest"} {
			if line, err := c.ReadLine(ctx); line != want || err != nil {
				t.Errorf("the new owner reads %q, %v, want %q", line, err, want)
			}
		}
		c.Close()
		expect(t, ctx, b, "pushed own")
		expectEnd(t, ctx, b)
		b.Close()
	})
}

func (panicking) More() ([]byte, error) { panic("no more") }

func TestThousandHandOversUnderLoadLoseNothing(t *testing.T) {
	const handOvers = 1000
	on := map[string]func(h *liner) error{}
	back := map[string]stream.Handler{}
	on["MODERN"] = func(h *liner) error { return compat.Continue(h, modern(back)) }
	back["CLASSIC"] = func(ctx context.Context, c *stream.Conn) error { return compat.Dispatch(ctx, c, newLiner(on)) }
	run(t, func(ctx context.Context) {
		a, b := connectedPair(t, ctx, "tcp", "127.0.0.1:0")
		served := serve(ctx, a, compat.Handle(attached(on)))
		var input, want []byte
		want = append(want, "hi\r\n"...)
		for i := range handOvers {
			line := fmt.Sprintf("%d %s", i, strings.Repeat("x", i%200))
			if i%2 == 0 {
				input = fmt.Appendf(input, "%s\r\nMODERN\r\n", line)
				want = fmt.Appendf(want, "<%s>\r\n", line)
			} else {
				input = fmt.Appendf(input, "%s\r\nCLASSIC\r\n", line)
				want = fmt.Appendf(want, "[%s]\r\n", line)
			}
		}
		sent := task.Spawn(ctx, func(ctx context.Context) error {
			for rest, n := input, 1; len(rest) > 0; n = n%1021 + 7 {
				k := min(n, len(rest))
				if _, err := b.Write(ctx, rest[:k]); err != nil {
					return err
				}
				if err := errors.Join(b.Flush(ctx), task.Yield(ctx)); err != nil {
					return err
				}
				rest = rest[k:]
			}
			return b.CloseWrite(ctx)
		})
		got, err := readAll(ctx, b)
		check(t, err)
		if !slices.Equal([]byte(got), want) {
			t.Errorf("the client got %d bytes, want %d", len(got), len(want))
		}
		_, err = sent.Await(ctx)
		check(t, err)
		_, err = served.Await(ctx)
		check(t, err)
		loop, _ := reactor.FromContext(ctx)
		if n := compat.Map(loop).Stats().HandOvers; n != handOvers/2 {
			t.Errorf("%d hand-overs from classic handlers, want %d", n, handOvers/2)
		}
		b.Close()
	})
}
