//go:build linux

package stream_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// go test ./stream -v -run Soak -soak -timeout 1h
var (
	soak       = flag.Bool("soak", false, "run the soak, which takes some minutes")
	soakCycles = flag.Int64("soak.cycles", 1_000_000, "how many connections the soak makes")
)

const (
	soakClients   = 64
	soakAddresses = 8       // each has its own ephemeral ports, so that they last
	soakWarmUp    = 10_000  // cycles after which nothing grows any more
	soakHeap      = 1 << 20 // bytes that the heap may differ by: one for each cycle would be seen
	soakIdle      = 2 * 64  // coroutines that the two loops may keep
	soakPatience  = 30 * time.Second
)

// A million connections that end in every way leave no more descriptors, goroutines and heap than
// there were before.
func TestSoak(t *testing.T) {
	if !*soak {
		t.Skip("it takes some minutes: give -soak")
	}
	before := footprintOf(t)
	soakLoops(t)
	after := footprintOf(t)
	t.Logf("before: %v; after: %v", before, after)
	after.mustNotExceed(t, "when the loops are closed", before, 0)
}

// soakLoops is the soak itself. What it has made can be collected when it has returned.
func soakLoops(t *testing.T) {
	s := newSoak(t)
	s.run(soakWarmUp)
	before := footprintOf(t)
	began := time.Now()
	s.run(*soakCycles)
	took := time.Since(began)
	after := footprintOf(t)
	s.close()

	t.Logf("%d cycles in %v, %.0f a second; %d replies met a reset",
		*soakCycles, took.Round(time.Millisecond), float64(*soakCycles)/took.Seconds(), s.resets.Load())
	t.Logf("warm: %v; after: %v", before, after)
	after.mustNotExceed(t, "while the loops run", before, soakIdle)
}

// footprint is what a leak would be seen by.
type footprint struct {
	descriptors, goroutines int
	heap                    uint64
}

func footprintOf(t *testing.T) footprint {
	var m runtime.MemStats
	// What a cleanup frees, or a sync.Pool keeps, goes with the next collections.
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return footprint{len(testkit.Descriptors()), runtime.NumGoroutine(), m.HeapAlloc}
}

func (f footprint) String() string {
	return fmt.Sprintf("%d descriptors, %d goroutines, %d bytes", f.descriptors, f.goroutines, f.heap)
}

func (f footprint) mustNotExceed(t *testing.T, when string, before footprint, goroutines int) {
	t.Helper()
	if f.descriptors > before.descriptors {
		t.Errorf("%s: %d descriptors, want at most %d as before", when, f.descriptors, before.descriptors)
	}
	if f.goroutines > before.goroutines+goroutines {
		t.Errorf("%s: %d goroutines, and there were %d; want at most %d", when, f.goroutines, before.goroutines, before.goroutines+goroutines)
	}
	if f.heap > before.heap+soakHeap {
		t.Errorf("%s: %d bytes of heap, and there were %d; want at most %d", when, f.heap, before.heap, before.heap+soakHeap)
	}
}

// soaking is a server at several addresses and its clients, on a loop each.
type soaking struct {
	t         *testing.T
	dog       *time.Timer
	server    *reactor.Loop
	clients   *reactor.Loop
	addresses []string
	stop      context.CancelFunc
	servers   []*task.Task[struct{}]
	made      uint64       // connections so far
	resets    atomic.Int64 // replies that the client did not wait for
}

func newSoak(t *testing.T) *soaking {
	s := &soaking{t: t, server: soakLoop(t), clients: soakLoop(t)}
	s.dog = time.AfterFunc(soakPatience, func() {
		buf := make([]byte, 1<<20)
		panic(fmt.Sprintf("the soak hangs\n%s", buf[:runtime.Stack(buf, true)]))
	})
	srv := &stream.Server{Handler: answerLines, OnError: func(*stream.Conn, error) { s.resets.Add(1) }}
	ctx, cancel := context.WithCancel(s.server.Context())
	s.stop = cancel
	for i := range soakAddresses {
		ln, err := stream.Listen(ctx, "tcp", fmt.Sprintf("127.0.0.%d:0", i+1))
		if err != nil {
			t.Fatal(err)
		}
		s.addresses = append(s.addresses, ln.Addr().String())
		s.servers = append(s.servers, task.Spawn(ctx, func(ctx context.Context) error { return srv.Serve(ctx, ln) }))
	}
	return s
}

func soakLoop(t *testing.T) *reactor.Loop {
	// This is the kernel without faults: calls that fall short would take most of the time.
	l, err := reactor.New()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	return l
}

// answerLines sends each line back, and ends after "bye".
func answerLines(ctx context.Context, c *stream.Conn) error {
	for line, err := range c.Lines(ctx) {
		if err != nil {
			return err
		}
		if _, err := c.WriteString(ctx, line+"\n"); err != nil || line == "bye" {
			return err
		}
	}
	return nil
}

// run makes n connections, and waits until both sides have forgotten them.
func (s *soaking) run(n int64) {
	s.t.Helper()
	var next atomic.Int64
	var all []*task.Task[struct{}]
	for range soakClients {
		all = append(all, task.Spawn(s.clients.Context(), func(ctx context.Context) error {
			for i := next.Add(1); i <= n; i = next.Add(1) {
				if err := s.cycle(ctx, int(i)); err != nil {
					return fmt.Errorf("cycle %d: %w", i, err)
				}
				s.progress(i, n)
			}
			return nil
		}))
	}
	for _, c := range all {
		if _, err := c.Await(context.Background()); err != nil {
			s.t.Fatal(err)
		}
	}
	s.made += uint64(n)
	testkit.Eventually(s.t, "that the server has accepted all, and closed all", func() bool { return stream.StatsOf(s.server).Accepted == s.made && stream.StatsOf(s.server).Open == 0 })
	if open := stream.StatsOf(s.clients).Open; open != 0 {
		s.t.Errorf("%d connections of clients are open, want 0", open)
	}
}

// progress tells the watchdog, and now and then who looks on.
func (s *soaking) progress(i, n int64) {
	s.dog.Reset(soakPatience)
	if every := max(n/20, 1); i%every == 0 {
		s.t.Logf("%d of %d cycles", i, n)
	}
}

// cycle makes one connection, which ends in one of the ways that there are, in turn.
func (s *soaking) cycle(ctx context.Context, i int) error {
	c, err := stream.Dial(ctx, "tcp", s.addresses[i%len(s.addresses)])
	if err != nil {
		return err
	}
	defer c.Close()
	switch i / len(s.addresses) % 4 {
	case 0: // the client closes first
		return exchange(ctx, c, "hello")
	case 1: // the server does
		return errors.Join(exchange(ctx, c, "bye"), ended(ctx, c))
	case 2: // the client half-closes
		_, err := c.WriteString(ctx, "hello\n")
		return errors.Join(err, c.CloseWrite(ctx), expect(ctx, c, "hello"), ended(ctx, c))
	default: // the client does not wait for the reply, which meets a reset
		_, err := c.WriteString(ctx, "hello\n")
		err = errors.Join(err, c.Flush(ctx))
		c.Abort()
		return err
	}
}

func exchange(ctx context.Context, c *stream.Conn, line string) error {
	if _, err := c.WriteString(ctx, line+"\n"); err != nil {
		return err
	}
	return expect(ctx, c, line)
}

func expect(ctx context.Context, c *stream.Conn, line string) error {
	if got, err := c.ReadLine(ctx); got != line || err != nil {
		return fmt.Errorf("the answer is %q, %v; want %q and nil", got, err, line)
	}
	return nil
}

func ended(ctx context.Context, c *stream.Conn) error {
	if line, err := c.ReadLine(ctx); err != io.EOF {
		return fmt.Errorf("%q, %v came; want nothing and EOF", line, err)
	}
	return nil
}

// close ends the server and both loops.
func (s *soaking) close() {
	s.stop()
	for _, srv := range s.servers {
		if _, err := srv.Await(context.Background()); err != nil {
			s.t.Error(err)
		}
	}
	if err := errors.Join(s.server.Close(), s.clients.Close()); err != nil {
		s.t.Error(err)
	}
	s.dog.Stop()
}
