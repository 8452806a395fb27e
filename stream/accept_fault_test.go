//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// stopped is a clock that stands still until a test moves it.
type stopped struct{ now atomic.Int64 }

func (s *stopped) Now() time.Duration     { return time.Duration(s.now.Load()) }
func (s *stopped) Wall() time.Time        { return time.Unix(0, s.now.Load()) }
func (s *stopped) option() reactor.Option { return reactor.WithWorld(worldtest.WithTime(s)) }
func (s *stopped) move(l *reactor.Loop, by time.Duration) {
	s.now.Add(int64(by))
	l.CallSoon(func() {}) // it looks at the clock
}

// quiet is for loops that have reason to warn.
var quiet = reactor.WithLogger(slog.New(slog.DiscardHandler))

// limited is a kernel with few descriptors.
type limited struct {
	world.World
	mu    sync.Mutex
	limit int
	open  map[int]bool
}

func (k *limited) full() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.open) >= k.limit
}

func (k *limited) allow(n int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.limit = n
}

func (k *limited) opened(fd int, errno syscall.Errno) {
	if errno == 0 {
		k.mu.Lock()
		defer k.mu.Unlock()
		k.open[fd] = true
	}
}

func (k *limited) Socket(network string, dual bool) (int, syscall.Errno) {
	if k.full() {
		return -1, syscall.EMFILE
	}
	fd, errno := k.World.Socket(network, dual)
	k.opened(fd, errno)
	return fd, errno
}

func (k *limited) Accept(fd int) (int, world.Addr, syscall.Errno) {
	if k.full() {
		return -1, world.Addr{}, syscall.EMFILE
	}
	nfd, peer, errno := k.World.Accept(fd)
	k.opened(nfd, errno)
	return nfd, peer, errno
}

func (k *limited) Close(fd int) syscall.Errno {
	k.mu.Lock()
	delete(k.open, fd)
	k.mu.Unlock()
	return k.World.Close(fd)
}

func backoffs(l *reactor.Loop) uint64 { return stream.StatsOf(l).Backoffs }

// However many accept, and whatever lacks, there is one pause at a time, and one try at its end.
func TestALackMakesOnePauseAtATime(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM} {
		t.Run(errno.Error(), func(t *testing.T) {
			testkit.Guard(t)
			f, clock := newFaulty(), &stopped{}
			l := startLoop(t, f.option(), clock.option(), noFaults, quiet)
			ln := listen(t, l, "tcp", "127.0.0.1:0")
			const n = 10
			accepted := make(chan *stream.Conn, n)
			for range n {
				task.Spawn(l.Context(), func(ctx context.Context) error {
					c, err := ln.Accept(ctx)
					mustBe(t, "Accept", err, nil)
					accepted <- c
					return err
				})
			}
			testkit.Eventually(t, "all callers in Accept", func() bool { return stream.AcceptWaits(ln) == n })
			f.lacking(errno)
			for i := range n {
				dial(t, ln.Addr().String())
				testkit.Eventually(t, "a backoff, and all callers in Accept again", func() bool { return stream.AcceptWaits(ln) == n && backoffs(l) >= 1 })
				if i == 0 { // what comes during a pause changes nothing
					testkit.OnLoop(t, l, func() { ln.TryAccept() })
				}
			}
			for i := range 5 {
				testkit.Eventually(t, "a backoff, and all callers in Accept again", func() bool { return backoffs(l) == uint64(i+1) && stream.AcceptWaits(ln) == n })
				testkit.OnLoop(t, l, func() {})
				if tries := f.accepted(); tries != i+1 || len(accepted) != 0 {
					t.Errorf("%d tries for %d pauses, %d accepted; want %d and 0", tries, i+1, len(accepted), i+1)
				}
				clock.move(l, 100*time.Millisecond)
			}
			testkit.Eventually(t, "6 backoffs", func() bool { return backoffs(l) == 6 })
			f.lacking(0)
			clock.move(l, 100*time.Millisecond)
			for range n {
				(<-accepted).Close()
			}
			if s := statsOf(l); s.AcceptBackoffs != 6 {
				t.Errorf("the loop counts %d back-offs, want 6", s.AcceptBackoffs)
			}
		})
	}
}

// A descriptor that is free again is used at once: nobody waits for the clock.
func TestAClosedConnectionEndsThePause(t *testing.T) {
	for _, how := range []string{"accepting task", "callback", "other loops"} {
		t.Run(how, func(t *testing.T) {
			testkit.Guard(t)
			k, clock := &limited{limit: 4, open: map[int]bool{}}, &stopped{}
			opts := []reactor.Option{reactor.WithWorld(worldtest.On(k, &k.World)), clock.option(), noFaults, quiet}
			var l *reactor.Loop
			var address string
			switch how {
			case "callback":
				l = startLoop(t, opts...)
				ln := listen(t, l, "tcp", "127.0.0.1:0")
				address = ln.Addr().String()
				testkit.OnLoop(t, l, func() {
					ln.OnReady(func() {
						for c, err := ln.TryAccept(); err == nil; c, err = ln.TryAccept() {
							task.Spawn(l.Context(), func(ctx context.Context) error { defer c.Close(); return echo(ctx, c) })
						}
					})
				})
			case "other loops":
				g, err := reactor.NewGroup(3, opts...)
				if err != nil {
					t.Fatal(err)
				}
				mustBe(t, "Start", g.Start(), nil)
				t.Cleanup(func() { mustBe(t, "group.Close", g.Close(), nil) })
				l = g.Loops()[0]
				address, _ = serving(t, l, &stream.Server{Handler: echo, Group: g})
			default:
				l = startLoop(t, opts...)
				address, _ = serving(t, l, &stream.Server{Handler: echo})
			}
			// Two more descriptors are the listener and its reserve.
			served := []net.Conn{dial(t, address), dial(t, address)}
			for _, p := range served {
				ask(t, p, "hello")
			}
			for i := range 20 {
				late := dial(t, address)
				testkit.Eventually(t, "one more backoff", func() bool { return backoffs(l) >= uint64(i+1) })
				ask(t, served[1], "served meanwhile")
				served[0].Close()
				ask(t, late, "served then")
				served = []net.Conn{served[1], late}
			}
			if s := stream.StatsOf(l); s.Backoffs < 20 || s.TurnedAway != 0 {
				t.Errorf("%d pauses and %d turned away, want 20 or more and 0", s.Backoffs, s.TurnedAway)
			}
		})
	}
}

// Those who can't be served for long see an end, and not nothing. Those who are served do not
// notice.
func TestALackThatLastsTurnsAwayThoseWhoWait(t *testing.T) {
	testkit.Guard(t)
	var log bytes.Buffer
	k, clock := &limited{limit: 3, open: map[int]bool{}}, &stopped{}
	l := startLoop(t, reactor.WithWorld(worldtest.On(k, &k.World)), clock.option(), noFaults,
		reactor.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	address, stop := serving(t, l, &stream.Server{Handler: echo})
	first := dial(t, address)
	ask(t, first, "hello")
	var late []*net.TCPConn
	for range 5 {
		late = append(late, dial(t, address))
	}
	for i := range 10 {
		testkit.Eventually(t, "one more backoff", func() bool { return backoffs(l) == uint64(i+1) })
		if n := stream.StatsOf(l).TurnedAway; n != 0 {
			t.Errorf("%d turned away after %d pauses, want 0", n, i)
		}
		clock.move(l, 100*time.Millisecond)
	}
	for _, p := range late {
		if n, err := p.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("who waited: %d, %v; want 0 and %v", n, err, io.EOF)
		}
	}
	ask(t, first, "still here")
	// After that the listener turns nobody away.
	testkit.Eventually(t, "11 backoffs", func() bool { return backoffs(l) == 11 })
	// While the lack lasts, a connection is turned away at the next try.
	again := dial(t, address)
	clock.move(l, 100*time.Millisecond)
	if n, err := again.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("who came then: %d, %v; want 0 and %v", n, err, io.EOF)
	}
	testkit.Eventually(t, "12 backoffs", func() bool { return backoffs(l) == 12 })
	k.allow(10)
	last := dial(t, address)
	clock.move(l, 100*time.Millisecond)
	ask(t, last, "served in the end")
	if s := stream.StatsOf(l); s.TurnedAway != 6 || s.Accepted != 2 {
		t.Errorf("%d turned away and %d accepted, want 6 and 2", s.TurnedAway, s.Accepted)
	}
	mustBe(t, "Serve", stop(), nil)
	if n := strings.Count(log.String(), "accepting pauses"); n != 1 {
		t.Errorf("the pause was logged %d times, want once:\n%s", n, &log)
	}
}

// A listener that is closed in a pause ends at once, and leaves nothing behind.
func TestAListenerIsClosedInAPause(t *testing.T) {
	testkit.Guard(t)
	f, clock := newFaulty(), &stopped{}
	l := startLoop(t, f.option(), clock.option(), noFaults, quiet)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	f.lacking(syscall.ENFILE)
	failed := make(chan error, 1)
	task.Spawn(l.Context(), func(ctx context.Context) error {
		_, err := ln.Accept(ctx)
		failed <- err
		return nil
	})
	dial(t, ln.Addr().String())
	testkit.Eventually(t, "one backoff", func() bool { return backoffs(l) == 1 })
	tries := f.accepted()
	mustBe(t, "Close", ln.Close(), nil)
	mustBe(t, "Accept", <-failed, stream.ErrClosed)
	clock.move(l, time.Hour)
	testkit.OnLoop(t, l, func() {})
	if f.accepted() != tries {
		t.Errorf("%d tries to accept an hour later, want still %d", f.accepted(), tries)
	}
}

// full is a poller without room for more.
type full struct {
	poll.Poller
	errno atomic.Uint32
}

func (p *full) Add(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	if errno := syscall.Errno(p.errno.Load()); errno != 0 {
		return errno
	}
	return p.Poller.Add(fd, tag, want, mode)
}

// withFull puts p into a loop.
func withFull(p *full) world.Layer {
	return worldtest.WithPoller(func(below poll.Poller) poll.Poller {
		p.Poller = below
		return p
	})
}

// What the poller has no room for is closed, and the server goes on.
func TestAServerSurvivesAPollerWithoutRoom(t *testing.T) {
	for _, errno := range []syscall.Errno{syscall.ENOSPC, syscall.ENOMEM} {
		testkit.Guard(t)
		clock, p := &stopped{}, &full{}
		l := startLoop(t, clock.option(), noFaults, quiet, reactor.WithWorld(withFull(p)))
		address, stop := serving(t, l, &stream.Server{Handler: echo})
		first := dial(t, address)
		ask(t, first, "hello")
		p.errno.Store(uint32(errno))
		if _, err := dial(t, address).Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("who could not be watched: %v, want %v", err, io.EOF)
		}
		if _, err := stream.Dial(l.Context(), "tcp", address); !errors.Is(err, errno) {
			t.Errorf("Dial: %v, want %v", err, errno)
		}
		p.errno.Store(0)
		ask(t, first, "served meanwhile")
		clock.move(l, 100*time.Millisecond)
		ask(t, dial(t, address), "served then")
		mustBe(t, "Serve", stop(), nil)
	}
}
