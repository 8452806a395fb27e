package compat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/compat/internal/classictest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// liner is a classic line handler that answers <line>, and acts on some lines.
type liner struct {
	asynchat.Chat
	on    map[string]func(h *liner) error
	calls int
}

func (h *liner) CollectIncomingData(data []byte) error { h.calls++; h.Collect(data); return nil }

func (h *liner) FoundTerminator() error {
	h.calls++
	line := string(h.Take())
	if fn := h.on[line]; fn != nil {
		return fn(h)
	}
	return h.PushString("<" + line + ">\r\n")
}

func newLiner(on map[string]func(h *liner) error) *liner {
	h := &liner{on: on}
	h.SetTerminator("\r\n")
	return h
}

// attached is the constructor of liners, greeting and all.
func attached(on map[string]func(h *liner) error) func(c *stream.Conn, m *asyncore.Map) *liner {
	return func(c *stream.Conn, m *asyncore.Map) *liner {
		h := newLiner(on)
		asynchat.Attach(h, c, m)
		h.PushString("hi\r\n")
		return h
	}
}

// modern answers [line], until the end of the stream, or a line that on knows.
func modern(on map[string]stream.Handler) stream.Handler {
	return func(ctx context.Context, c *stream.Conn) error {
		for {
			line, err := c.ReadLine(ctx)
			if err != nil {
				if err == io.EOF {
					err = nil
				}
				return err
			}
			if fn := on[line]; fn != nil {
				return fn(ctx, c)
			}
			if _, err := c.WriteString(ctx, "["+line+"]\r\n"); err != nil {
				return err
			}
		}
	}
}

// run runs body as a task of a fresh loop.
func run(t *testing.T, body func(ctx context.Context)) {
	t.Helper()
	classictest.Begin(t)
	if err := task.Run(context.Background(), func(ctx context.Context) error { body(ctx); return nil }); err != nil {
		t.Error(err)
	}
}

// transports are the ways to a connected pair.
var transports = map[string]func(t *testing.T, ctx context.Context) (a, b *stream.Conn){
	"pipe": func(_ *testing.T, ctx context.Context) (a, b *stream.Conn) { return stream.Pipe(ctx) },
	"tcp": func(t *testing.T, ctx context.Context) (a, b *stream.Conn) {
		return connectedPair(t, ctx, "tcp", "127.0.0.1:0")
	},
	"unix": func(t *testing.T, ctx context.Context) (a, b *stream.Conn) {
		return connectedPair(t, ctx, "unix", filepath.Join(t.TempDir(), "s"))
	},
}

func connectedPair(t *testing.T, ctx context.Context, network, address string) (a, b *stream.Conn) {
	l, err := stream.Listen(ctx, network, address)
	check(t, err)
	defer l.Close()
	b, err = stream.Dial(ctx, network, l.Addr().String())
	check(t, err)
	a, err = l.Accept(ctx)
	check(t, err)
	return a, b
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// serve starts h for c, as a server does.
func serve(ctx context.Context, c *stream.Conn, h stream.Handler) *task.Task[struct{}] {
	return task.Spawn(ctx, func(ctx context.Context) error {
		defer c.Close()
		return h(ctx, c)
	})
}

func write(t *testing.T, ctx context.Context, c *stream.Conn, s string) {
	t.Helper()
	_, err := c.WriteString(ctx, s)
	check(t, err)
	check(t, c.Flush(ctx))
}

func expect(t *testing.T, ctx context.Context, c *stream.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if n, err := c.ReadFull(ctx, got); err != nil || string(got) != want {
		t.Fatalf("the peer reads %q, %v, want %q", got[:n], err, want)
	}
}

func expectEnd(t *testing.T, ctx context.Context, c *stream.Conn) {
	t.Helper()
	if n, err := c.Read(ctx, make([]byte, 1)); n != 0 || err != io.EOF {
		t.Fatalf("the peer reads %d bytes, %v, want the end", n, err)
	}
}

// drained waits until the handler has seen what was sent: nothing else is ready to run any more.
func drained(t *testing.T, ctx context.Context) {
	t.Helper()
	for range 20 {
		check(t, task.Yield(ctx))
	}
}

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
						t.Errorf("split at %d: %q", at, got)
					}
					if h.calls != calls {
						t.Errorf("split at %d: the old handler was called %d times after the hand-over", at, h.calls-calls)
					}
					b.Close()
					_, err = served.Await(ctx)
					check(t, err)
				}
			})
		})
	}
}

func readAll(ctx context.Context, c *stream.Conn) (string, error) {
	var all []byte
	buf := make([]byte, 4096)
	for {
		n, err := c.Read(ctx, buf)
		all = append(all, buf[:n]...)
		if err == io.EOF {
			err = nil
			return string(all), err
		}
		if err != nil {
			return string(all), err
		}
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
			t.Error("Stream did not wait for a peer that does not read")
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
			t.Errorf("the new owner reads %q, %v", line, err)
		}
		if _, err := c.WriteString(ctx, "x"); err == nil {
			t.Error("writing after the handler's end of output succeeded")
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
		dispatched := task.Spawn(ctx, func(ctx context.Context) error { return compat.Dispatch(ctx, c, h) }) // the same handler again
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
				t.Errorf("%s: %v", what, err)
			}
		}
		h.CloseWhenDone()
		if h.Queued() != 0 || plain.Buffered() != 0 {
			t.Errorf("%d pieces and %d bytes are kept", h.Queued(), plain.Buffered())
		}
		dispatched := task.Spawn(ctx, func(ctx context.Context) error { return compat.Dispatch(ctx, a, h) }) // it may push again
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
	classictest.Begin(t)
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
		t.Errorf("Run returned %v, reported was %v", err, reported)
	}
}

// sniffer hands over as soon as it sees anything, though it has kept it.
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
			t.Errorf("the goroutine reads %q, %v", got, err)
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
				t.Errorf("%s: Stream returned %v, %v", name, c, err)
			}
			if err := compat.Continue(h, nil); err == nil {
				t.Errorf("%s: Continue returned nil", name)
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
					t.Errorf("it returned %v", err)
				}
				expectEnd(t, ctx, b)
				if h.Connected() {
					t.Error("the handler is connected still")
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
			t.Errorf("Dispatch returned %v", err)
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
			t.Errorf("Stream returned %v, %v", c, err)
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
			t.Error("what was to go on was not called")
		}
		expectEnd(t, ctx, b)
		b.Close()
	})
}

func TestContinueOnTheClassicLoop(t *testing.T) {
	classictest.Begin(t)
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
			t.Errorf("Stream returned %v", err)
		}
		b.Close()
	})
}

type panicking struct{}

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
