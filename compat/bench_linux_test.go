package compat_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asynchat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// The benchmark compares three echo servers: straight-line code, a classic dispatcher, and a
// classic line handler.

func nativeEcho(ctx context.Context, c *stream.Conn) error {
	buf := make([]byte, 8192)
	for {
		n, err := c.Read(ctx, buf)
		if err != nil {
			return nil
		}
		if _, err := c.Write(ctx, buf[:n]); err != nil {
			return err
		}
	}
}

type classicEcho struct{ asyncore.Dispatcher }

func (e *classicEcho) HandleRead() error {
	data, err := e.Recv(8192)
	if len(data) > 0 {
		_, err = e.Send(data)
	}
	return err
}

type lineEcho struct{ asynchat.Chat }

func (e *lineEcho) CollectIncomingData(data []byte) error { return e.Push(data) }
func (e *lineEcho) FoundTerminator() error                { return e.Push(newline) }

var newline = []byte("\n")

var echoes = map[string]stream.Handler{
	"native": nativeEcho,
	"classic": compat.Handle(func(c *stream.Conn, m *asyncore.Map) *classicEcho {
		e := &classicEcho{}
		asyncore.Attach(e, c, m)
		return e
	}),
	"lines": compat.Handle(func(c *stream.Conn, m *asyncore.Map) *lineEcho {
		e := &lineEcho{}
		e.SetTerminator("\n")
		asynchat.Attach(e, c, m)
		return e
	}),
}

// echoServer is a server on a thread of its own, so that its processor time can be told from the
// clients'.
type echoServer struct {
	loop  *reactor.Loop
	stop  context.CancelFunc
	ended chan error
	conns []net.Conn
}

func startEcho(t testing.TB, h stream.Handler, conns int) *echoServer {
	t.Helper()
	s := &echoServer{ended: make(chan error)}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	address := make(chan string)
	go func() {
		runtime.LockOSThread()
		s.ended <- task.Run(ctx, func(ctx context.Context) error {
			s.loop, _ = reactor.FromContext(ctx)
			l, err := stream.Listen(ctx, "tcp", "127.0.0.1:0")
			if err != nil {
				return err
			}
			address <- l.Addr().String()
			return stream.Serve(ctx, l, h)
		}, task.WithSignals())
	}()
	to := <-address
	for range conns {
		c, err := net.Dial("tcp", to)
		if err != nil {
			t.Fatal(err)
		}
		s.conns = append(s.conns, c)
	}
	return s
}

func (s *echoServer) close(t testing.TB) {
	t.Helper()
	for _, c := range s.conns {
		c.Close()
	}
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

// round sends a request on each connection, and reads the answers.
func (s *echoServer) round(t testing.TB, request, answer []byte) {
	for _, c := range s.conns {
		if _, err := c.Write(request); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range s.conns {
		if _, err := io.ReadFull(c, answer); err != nil {
			t.Fatal(err)
		}
	}
}

const rusageThread = 1

// cpu returns the processor time of the server's thread.
func (s *echoServer) cpu() time.Duration {
	used := make(chan time.Duration)
	s.loop.CallSoon(func() {
		var u syscall.Rusage
		syscall.Getrusage(rusageThread, &u)
		used <- time.Duration(u.Utime.Nano() + u.Stime.Nano())
	})
	return <-used
}

var request = append(make([]byte, 63), '\n')

// BenchmarkEcho reports the servers' processor time for each request, with 64 connections at a
// time.
func BenchmarkEcho(b *testing.B) {
	for _, name := range []string{"native", "classic", "lines"} {
		b.Run(name, func(b *testing.B) {
			s := startEcho(b, echoes[name], 64)
			defer s.close(b)
			answer := make([]byte, len(request))
			s.round(b, request, answer)
			b.ReportAllocs()
			before := s.cpu()
			b.ResetTimer()
			for n := 0; n < b.N; n += len(s.conns) {
				s.round(b, request, answer)
			}
			b.StopTimer()
			rounds := (b.N + len(s.conns) - 1) / len(s.conns)
			b.ReportMetric(float64(s.cpu()-before)/float64(rounds*len(s.conns)), "server-cpu-ns/op")
		})
	}
}

func TestEchoAllocatesNothingPerRequest(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, name := range []string{"classic", "lines"} {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			s := startEcho(t, echoes[name], 4)
			defer s.close(t)
			answer := make([]byte, len(request))
			if n := testing.AllocsPerRun(500, func() { s.round(t, request, answer) }); n != 0 {
				t.Errorf("%v allocations for a round of %d requests, want 0", n, len(s.conns))
			}
		})
	}
}
