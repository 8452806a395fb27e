//go:build unix || windows

package stream_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	log bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.String()
}

func (l *lines) count(s string) int { return strings.Count(l.String(), s) }

// The observer that is told of a pause may do with the listener what it likes.
func TestTheObserverOfAPauseMayCloseTheListener(t *testing.T) {
	for how, begin := range map[string]func(t *testing.T, ln *stream.Listener) (ended func() error){
		"accepting task": func(_ *testing.T, ln *stream.Listener) func() error {
			accept := task.Spawn(stream.LoopOf(ln).Context(), func(ctx context.Context) error {
				_, err := ln.Accept(ctx)
				return err
			})
			return func() error { _, err := accept.Await(context.Background()); return err }
		},
		"accepting goroutine": func(_ *testing.T, ln *stream.Listener) func() error {
			ended := make(chan error, 1)
			go func() {
				_, err := ln.Accept(context.Background())
				ended <- err
			}()
			return func() error { return <-ended }
		},
		"callback": func(t *testing.T, ln *stream.Listener) func() error {
			ended := make(chan error, 1)
			testkit.OnLoop(t, stream.LoopOf(ln), func() {
				ln.OnReady(func() {
					if _, err := ln.TryAccept(); err != stream.ErrWouldBlock {
						ln.OnReady(nil)
						ended <- err
					}
				})
			})
			return func() error { return <-ended }
		},
	} {
		t.Run(how, func(t *testing.T) {
			testkit.Guard(t)
			f := newFaulty()
			var ln *stream.Listener
			l := startLoop(t, f.option(), noFaults, quiet, reactor.WithObserver(&reactor.Observer{
				Backoff: func(op string, err error, d time.Duration) {
					if op != "accept" || d <= 0 {
						t.Errorf("Backoff(%s, %v), want accept and a time above 0", op, d)
					}
					mustBe(t, "the reason", err, syscall.EMFILE)
					mustBe(t, "Close", ln.Close(), nil)
				},
			}))
			ln = listen(t, l, "tcp", "127.0.0.1:0")
			f.lacking(syscall.EMFILE)
			ended := begin(t, ln)
			// It may be reset by then.
			if p, err := net.Dial("tcp", ln.Addr().String()); err == nil {
				defer p.Close()
			}
			mustBe(t, "accepting", ended(), stream.ErrClosed)
		})
	}
}

// Connections that are closed in the same moment bring one resume forward. A second resume would
// end the next pause at once.
func TestConnectionsThatAreClosedTogetherMakeOneTry(t *testing.T) {
	testkit.Guard(t)
	f, clock := newFaulty(), &stopped{}
	g, err := reactor.NewGroup(3, f.option(), clock.option(), noFaults, quiet)
	if err != nil {
		t.Fatal(err)
	}
	mustBe(t, "Start", g.Start(), nil)
	t.Cleanup(func() { mustBe(t, "group.Close", g.Close(), nil) })
	l := g.Loops()[0]
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	var all []*stream.Conn
	testkit.OnLoop(t, l, func() {
		ln.OnReady(func() {
			for {
				c, err := stream.TryAcceptFor(ln, g.Loops()[len(all)%3])
				if err != nil {
					return
				}
				all = append(all, c)
			}
		})
	})
	accepted := func() (n int) {
		testkit.OnLoop(t, l, func() { n = len(all) })
		return n
	}
	for i := range 6 {
		dial(t, ln.Addr().String())
		testkit.Eventually(t, "one more accepted connection", func() bool { return accepted() == i+1 })
	}
	f.lacking(syscall.EMFILE)
	dial(t, ln.Addr().String())
	testkit.Eventually(t, "one backoff", func() bool { return backoffs(l) == 1 })
	tries := f.accepted()
	testkit.OnLoop(t, l, func() {
		var closing sync.WaitGroup
		for _, c := range all {
			closing.Go(func() { c.Abort() })
		}
		closing.Wait()
	})
	testkit.OnLoop(t, l, func() {})
	testkit.OnLoop(t, l, func() {})
	if n := f.accepted() - tries; n != 1 || backoffs(l) != 2 {
		t.Errorf("%d tries, %d back-offs; want 1 and 2", n, backoffs(l))
	}
	f.lacking(0)
	clock.move(l, 100*time.Millisecond)
	testkit.Eventually(t, "seven accepted connections", func() bool { return accepted() == 7 })
	testkit.OnLoop(t, l, func() { all[6].Close() })
}

// A server that is at its limit now and then, and each time for a moment, turns nobody away.
func TestALackThatComesAndGoesTurnsNobodyAway(t *testing.T) {
	testkit.Guard(t)
	f, clock := newFaulty(), &stopped{}
	l := startLoop(t, f.option(), clock.option(), noFaults, quiet)
	ln := listen(t, l, "tcp", "127.0.0.1:0")
	lack := func() {
		before := backoffs(l)
		f.accept(syscall.EMFILE)
		stream.BecomesAcceptable(ln)
		_, err := ln.TryAccept()
		mustBe(t, "TryAccept in a lack", err, stream.ErrWouldBlock)
		if backoffs(l) != before+1 {
			t.Errorf("%d pauses, want %d", backoffs(l), before+1)
		}
	}
	goOn := func() {
		clock.move(l, 100*time.Millisecond)
		testkit.Eventually(t, "the end of the pause", func() bool { return !stream.Pauses(ln) })
	}
	for range 5 {
		lack()
		goOn()
		_, err := ln.TryAccept()
		mustBe(t, "TryAccept of nobody", err, stream.ErrWouldBlock)
		clock.move(l, 300*time.Millisecond)
	}
	dial(t, ln.Addr().String())
	lack()
	goOn()
	c, err := ln.TryAccept()
	if err != nil || stream.StatsOf(l).TurnedAway != 0 {
		t.Fatalf("TryAccept of who came in a lack = %v, %d turned away; want nil and 0", err, stream.StatsOf(l).TurnedAway)
	}
	c.Close()
}

// Somebody else may get the descriptor that was given up. When there are free ones, the listener
// keeps one in reserve again.
func TestTheReserveIsKeptAgain(t *testing.T) {
	testkit.Guard(t)
	k, clock := &limited{limit: 3, open: map[int]bool{}}, &stopped{}
	l := startLoop(t, reactor.WithWorld(worldtest.On(k, &k.World)), clock.option(), noFaults, quiet)
	address, _ := serving(t, l, &stream.Server{Handler: echo})
	first := dial(t, address)
	ask(t, first, "hello") // the listener, its reserve, and a connection
	pauses := uint64(0)
	lastsASecond := func() {
		for range 11 {
			pauses++
			testkit.Eventually(t, "one more backoff", func() bool { return backoffs(l) == pauses })
			clock.move(l, 100*time.Millisecond)
		}
		pauses++
		testkit.Eventually(t, "one more backoff", func() bool { return backoffs(l) == pauses })
	}
	late := dial(t, address)
	k.allow(2)
	lastsASecond()
	if n := stream.StatsOf(l).TurnedAway; n != 0 {
		t.Errorf("%d turned away without a descriptor, want 0", n)
	}
	k.allow(10)
	clock.move(l, 100*time.Millisecond)
	ask(t, late, "served in the end")
	k.allow(4)
	last := dial(t, address)
	lastsASecond()
	if n := stream.StatsOf(l).TurnedAway; n != 1 {
		t.Fatalf("%d turned away, want 1", n)
	}
	if _, err := last.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("who waited: %v, want %v", err, io.EOF)
	}
}
