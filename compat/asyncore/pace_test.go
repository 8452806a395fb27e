//go:build unix

package asyncore_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// patient closes when it was asked often enough, and never because of an event.
type patient struct {
	asyncore.Dispatcher
	asked, enough int
	then          func()
}

func (p *patient) Readable() bool {
	if p.asked++; p.asked == p.enough {
		p.Close()
		if p.then != nil {
			p.then()
		}
	}
	return false
}

func (p *patient) Writable() bool { return false }

const soon = time.Millisecond

func TestLoopAsksThePredicatesEachTimeout(t *testing.T) {
	for name, opts := range map[string][]asyncore.LoopOption{
		"without a count": {asyncore.Timeout(soon)},
		"with a count":    {asyncore.Timeout(soon), asyncore.Count(1000)},
		"on poll":         {asyncore.Timeout(soon), asyncore.UsePoll()},
		"without waiting": {asyncore.Timeout(0)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			a, b := &patient{enough: 5}, &patient{enough: 10}
			r.connected(a, "unix")
			r.connected(b, "unix")
			r.must(asyncore.Loop(r.m, opts...))
			if a.asked != 5 || b.asked != 10 {
				t.Errorf("asked %d and %d times, want 5 and 10", a.asked, b.asked)
			}
		})
	}
}

func TestHandlerThatComesLaterIsAskedEachTimeout(t *testing.T) {
	r := newRoom(t)
	late := &patient{enough: 5}
	d := newDisp("", &r.log)
	d.on["read"] = func() error {
		r.connectedTo(late)
		return d.Close()
	}
	r.send(r.connected(d, "unix"), "x")
	r.must(asyncore.Loop(r.m, asyncore.Timeout(soon)))
	if late.asked != 5 {
		t.Errorf("asked %d times, want 5", late.asked)
	}
}

// connectedTo gives h a connection of the map's loop, while that runs.
func (r *room) connectedTo(h asyncore.Handler) {
	l, err := r.m.Loop()
	r.must(err)
	c, peer := stream.Pipe(l.Context())
	r.t.Cleanup(peer.Abort)
	asyncore.Attach(h, c, r.m)
}

func TestMapsOfOneLoopAskTheirHandlersAtTheirOwnPace(t *testing.T) {
	testkit.Guard(t)
	testkit.Run(t, func(ctx context.Context) error {
		l, _ := reactor.FromContext(ctx)
		var waits []*task.Task[struct{}]
		for _, opts := range [][]asyncore.Option{{asyncore.AskEvery(soon)}, {asyncore.AskEvery(2 * soon)}} {
			m := asyncore.On(l, opts...)
			a, b := stream.Pipe(ctx)
			done := make(chan struct{})
			asyncore.Attach(&patient{enough: 5, then: func() { close(done) }}, a, m)
			waits = append(waits, task.Spawn(ctx, func(ctx context.Context) error {
				defer b.Close()
				for range b.Lines(ctx) {
				}
				<-done
				return nil
			}))
		}
		for _, w := range waits {
			if _, err := w.Await(ctx); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestNoTimerIsKeptWhenNobodyIsToBeAsked(t *testing.T) {
	testkit.Guard(t)
	testkit.Run(t, func(ctx context.Context) error {
		l, _ := reactor.FromContext(ctx)
		m := asyncore.On(l)
		timers := func() int {
			s, err := l.Stats(ctx)
			testkit.Must(t, err)
			return s.PendingTimers
		}
		before := timers()
		a, b := stream.Pipe(ctx)
		defer b.Close()
		var log []string
		d := newDisp("", &log)
		asyncore.Attach(d, a, m)
		if n := timers() - before; n != 0 {
			t.Errorf("%d timers beside a handler without predicates, want 0", n)
		}
		c, e := stream.Pipe(ctx)
		defer e.Close()
		p := &patient{}
		asyncore.Attach(p, c, m)
		if n := timers() - before; n != 1 {
			t.Errorf("%d timers beside a handler with predicates, want 1", n)
		}
		p.Close()
		d.Close()
		if n := timers() - before; n != 0 {
			t.Errorf("%d timers when it is closed, want 0", n)
		}
		return nil
	})
}

func TestCountCountsIterationsAndNotTurnsOfTheLoop(t *testing.T) {
	for _, timeout := range []time.Duration{0, time.Minute} {
		t.Run(fmt.Sprint("timeout ", timeout), func(t *testing.T) {
			r := newRoom(t)
			d := newDisp("", &r.log)
			ln := connecting(r, d, "tcp", true)
			defer ln.Close()
			r.must(asyncore.Loop(r.m, asyncore.Count(1), asyncore.Timeout(timeout)))
			if len(r.log) == 0 || r.log[0] != "connect" {
				t.Errorf("the first iteration called %q, want HandleConnect", r.log)
			}
		})
	}
}

func TestCallbacksOfTheLoopAreNoIterations(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "unix")
	l, err := r.m.Loop()
	r.must(err)
	ran := 0
	for range 5 {
		r.must(l.CallSoon(func() { ran++ }))
	}
	l.CallLater(soon, func() { ran++ })
	l.CallLater(3*soon, func() { r.send(peer, "x") })
	r.must(asyncore.Loop(r.m, asyncore.Count(1), asyncore.Timeout(time.Minute)))
	r.want("read")
	if ran != 6 {
		t.Errorf("%d callbacks ran, want 6", ran)
	}
}

func TestIterationEndsAfterItsTimeout(t *testing.T) {
	r := newRoom(t)
	p := &patient{}
	r.connected(p, "unix")
	r.poll(1)
	p.asked = 0
	r.must(asyncore.Loop(r.m, asyncore.Count(3), asyncore.Timeout(soon)))
	if p.asked != 3 {
		t.Errorf("asked %d times in three iterations, want 3", p.asked)
	}
	r.must(asyncore.Poll(r.m, soon))
	if p.asked != 4 {
		t.Errorf("asked %d times after Poll, want 4", p.asked)
	}
}

func TestCountsMayBeReadFromAnyGoroutine(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	peer := r.connected(d, "unix")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				if n := r.m.Len(); n > 1 {
					t.Errorf("Len is %d, want at most 1", n)
				}
				r.m.Stats()
			}
		}
	}()
	for range 50 {
		r.send(peer, "x")
		r.poll(1)
	}
	r.must(d.Close())
	close(stop)
	<-stopped
	if n := r.m.Stats().Callbacks; n < 50 {
		t.Errorf("%d callbacks, want at least 50", n)
	}
}

// sluggish is slow in HandleRead.
type sluggish struct{ asyncore.Dispatcher }

func (s *sluggish) HandleRead() error {
	time.Sleep(30 * time.Millisecond)
	return s.Close()
}

func TestSlowHandlerIsNamedByItsType(t *testing.T) {
	testkit.Guard(t)
	var slow []string
	testkit.Run(t, func(ctx context.Context) error {
		l, _ := reactor.FromContext(ctx)
		m := asyncore.On(l)
		a, b := stream.Pipe(ctx)
		asyncore.Attach(&sluggish{}, a, m)
		b.WriteString(ctx, "x")
		for m.Len() > 0 {
			task.Yield(ctx)
		}
		b.Close()
		return nil
	}, reactor.WithLogger(slog.New(slog.DiscardHandler)), reactor.WithDebug(5*time.Millisecond), reactor.WithObserver(&reactor.Observer{
		Slow: func(what string, _ time.Duration, _ []byte) { slow = append(slow, what) },
	}))
	if all := strings.Join(slow, ", "); !strings.Contains(all, "classic handler *asyncore_test.sluggish") {
		t.Errorf("slow are %q, want the handler's type", all)
	}
}
