//go:build unix || windows

package stream_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// errnosOfAccept are those that the manual page of accept(2) has for a connection, and for a lack.
// EINVAL is there because accept has more reasons for it than a socket that does not listen.
var errnosOfAccept = []struct {
	errno  syscall.Errno
	pauses bool
}{
	{syscall.ECONNABORTED, false}, {syscall.EPERM, false}, {syscall.EPROTO, false}, {syscall.ENETDOWN, false},
	{syscall.ENOPROTOOPT, false}, {syscall.EHOSTDOWN, false}, {syscall.EHOSTUNREACH, false}, {syscall.ENETUNREACH, false},
	{syscall.EOPNOTSUPP, false}, {syscall.ETIMEDOUT, false}, {syscall.ECONNRESET, false},
	{syscall.ESOCKTNOSUPPORT, false}, {syscall.EPROTONOSUPPORT, false}, {stream.NoNetwork, false},
	{syscall.EMFILE, true}, {syscall.ENFILE, true}, {syscall.ENOBUFS, true}, {syscall.ENOMEM, true},
	{syscall.EFAULT, true}, {syscall.EIO, true}, {syscall.EINVAL, true},
	{syscall.Errno(512), true}, // ERESTARTSYS
}

// whoAccepts are the ways to accept. Each begins to echo to every peer of a listener, and returns
// what has become of that.
var whoAccepts = map[string]func(t *testing.T, ln *stream.Listener) (ended func() error){
	"Serve": func(t *testing.T, ln *stream.Listener) func() error {
		srv := task.Spawn(stream.LoopOf(ln).Context(), func(ctx context.Context) error { return stream.Serve(ctx, ln, echo) })
		return func() error { _, err := srv.Await(context.Background()); return err }
	},
	"Accept in a goroutine": func(t *testing.T, ln *stream.Listener) func() error {
		var err error
		wait := in(t, func() {
			var c *stream.Conn
			for c, err = ln.Accept(context.Background()); err == nil; c, err = ln.Accept(context.Background()) {
				c := c
				task.Spawn(stream.LoopOf(ln).Context(), func(ctx context.Context) error { defer c.Close(); return echo(ctx, c) })
			}
		})
		return func() error { wait(); return err }
	},
	"TryAccept in callbacks": func(t *testing.T, ln *stream.Listener) func() error {
		end := make(chan error, 100)
		l := stream.LoopOf(ln)
		testkit.OnLoop(t, l, func() {
			ln.OnReady(func() {
				c, err := ln.TryAccept()
				for ; err == nil; c, err = ln.TryAccept() {
					c := c
					task.Spawn(l.Context(), func(ctx context.Context) error { defer c.Close(); return echo(ctx, c) })
				}
				if err != stream.ErrWouldBlock {
					end <- err
				}
			})
		})
		return func() error { return <-end }
	},
}

// Whatever accept(2) says of a connection concerns that connection only, and a lack passes.
func TestNoErrorOfAConnectionEndsAccepting(t *testing.T) {
	for who, accept := range whoAccepts {
		for _, network := range []string{"tcp", "unix"} {
			t.Run(who+"/"+network, func(t *testing.T) {
				testkit.Guard(t)
				if network == "unix" && !hasUnix() {
					return
				}
				f, clock := newFaulty(), &stopped{}
				l := startLoop(t, f.option(), clock.option(), noFaults, quiet)
				address := map[string]string{"tcp": "127.0.0.1:0", "unix": filepath.Join(t.TempDir(), "s")}[network]
				ln := listen(t, l, network, address)
				ended := accept(t, ln)
				for _, row := range errnosOfAccept {
					before := backoffs(l)
					f.accept(row.errno)
					p := dialAt(t, ln.Addr())
					if row.pauses {
						testkit.Eventually(t, "a pause for "+row.errno.Error(), func() bool { return backoffs(l) == before+1 })
						clock.move(l, 100*time.Millisecond)
					}
					ask(t, p, "hello")
					if n := backoffs(l) - before; !row.pauses && n != 0 {
						t.Errorf("%v: %d pauses, want none", row.errno, n)
					}
					p.Close()
				}
				mustBe(t, "Close", ln.Close(), nil)
				mustBe(t, "the end", ended(), stream.ErrClosed)
			})
		}
	}
}

func dialAt(t testing.TB, at net.Addr) net.Conn {
	t.Helper()
	p, err := net.Dial(at.Network(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// An error that says of each connection that it has failed is not believed for ever: the loop would
// do nothing else.
func TestAnErrorThatNeverEndsMakesAPause(t *testing.T) {
	testkit.Guard(t)
	f, clock := newFaulty(), &stopped{}
	l := startLoop(t, f.option(), clock.option(), noFaults, quiet)
	address, stop := serving(t, l, &stream.Server{Handler: echo})
	f.lacking(syscall.EPERM) // a sandbox forbids the call, for instance
	p := dial(t, address)
	testkit.Eventually(t, "a pause", func() bool { return backoffs(l) == 1 })
	tries := f.accepted()
	testkit.OnLoop(t, l, func() {})
	if n := f.accepted(); n != tries {
		t.Errorf("%d calls of accept in the pause, want none", n-tries)
	}
	f.lacking(0)
	clock.move(l, 100*time.Millisecond)
	ask(t, p, "served in the end")
	mustBe(t, "Serve", stop(), nil)
}

// A listener that is none any more ends what accepts, by its own error.
func TestAnErrorOfTheListenerEndsAccepting(t *testing.T) {
	for who, accept := range whoAccepts {
		for _, errno := range []syscall.Errno{syscall.EBADF, syscall.ENOTSOCK, syscall.EINVAL} {
			t.Run(who+"/"+errno.Error(), func(t *testing.T) {
				testkit.Guard(t)
				f := newFaulty()
				l := startLoop(t, f.option(), noFaults, quiet)
				ln := listen(t, l, "tcp", "127.0.0.1:0")
				if errno == syscall.EINVAL {
					f.deaf.Store(true)
				}
				f.lacking(errno)
				ended := accept(t, ln)
				if p, err := net.Dial("tcp", ln.Addr().String()); err == nil { // or it was reset
					defer p.Close()
				}
				err := ended()
				mustBe(t, "the end", err, errno)
				if !strings.Contains(err.Error(), ln.Addr().String()) {
					t.Errorf("the end = %v, want an error that names %v", err, ln.Addr())
				}
			})
		}
	}
}

// A connection that the poller refuses, for instance select(2) one above its limit, is closed. When
// that has lasted, those who wait are turned away.
func TestAConnectionThatThePollerRefusesIsTheOnlyOneThatEnds(t *testing.T) {
	testkit.Guard(t)
	clock, p := &stopped{}, &full{}
	l := startLoop(t, clock.option(), noFaults, quiet, reactor.WithWorld(withFull(p)))
	address, stop := serving(t, l, &stream.Server{Handler: echo})
	first := dial(t, address)
	ask(t, first, "hello")
	p.errno.Store(uint32(syscall.EINVAL))
	for i := range 11 {
		clock.move(l, 100*time.Millisecond)
		seesTheEnd(t, dial(t, address))
		testkit.Eventually(t, "one more pause", func() bool { return backoffs(l) == uint64(i+1) })
	}
	var late []net.Conn
	for range 5 {
		late = append(late, dial(t, address))
	}
	clock.move(l, 100*time.Millisecond)
	for _, p := range late { // none has to wait for a pause of its own
		seesTheEnd(t, p)
	}
	testkit.Eventually(t, "one more pause", func() bool { return backoffs(l) == 12 })
	if n := stream.StatsOf(l).TurnedAway; n != 4 {
		t.Errorf("%d turned away, want 4", n)
	}
	p.errno.Store(0)
	clock.move(l, 100*time.Millisecond)
	ask(t, first, "still here")
	ask(t, dial(t, address), "served then")
	mustBe(t, "Serve", stop(), nil)
}

// seesTheEnd checks that a peer sees the end of its connection.
func seesTheEnd(t *testing.T, p net.Conn) {
	t.Helper()
	if n, err := p.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the peer reads %d bytes, %v; want the end", n, err)
	}
}
