//go:build unix

package asyncore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

func TestTimerOfAHandlerEndsWithIt(t *testing.T) {
	r := newRoom(t)
	a, b := newDisp("a ", &r.log), newDisp("b ", &r.log)
	r.connected(a, "unix")
	r.connected(b, "unix")
	ticks := 0
	a.CallEvery(soon, func() error { ticks++; return nil })
	a.CallLater(2*time.Hour, func() error { t.Error("it has fired, want it stopped"); return nil })
	b.CallLater(5*soon, func() error { return a.Close() })
	b.CallLater(20*soon, func() error { return b.Close() })
	stopped := b.CallLater(soon, func() error { t.Error("it has fired, want it stopped"); return nil })
	stopped.Stop()
	r.must(asyncore.Loop(r.m))
	if ticks == 0 || ticks > 10 {
		t.Errorf("the ticker has ticked %d times, want a few until its handler was closed", ticks)
	}
}

func TestTimersFailureIsTheHandlers(t *testing.T) {
	for name, fn := range map[string]func() error{
		"an error": func() error { return errBoom },
		"a panic":  func() error { panic(errBoom) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t)
			d := newDisp("", &r.log)
			r.connected(d, "unix")
			d.CallLater(soon, fn)
			r.must(asyncore.Loop(r.m))
			r.want("error", "close")
			testkit.ErrorIs(t, d.errors[0], errBoom)
		})
	}
	t.Run("ErrExitNow", func(t *testing.T) {
		r := newRoom(t)
		d := newDisp("", &r.log)
		r.connected(d, "unix")
		d.CallLater(soon, func() error { return asyncore.ErrExitNow })
		if err := asyncore.Loop(r.m); !errors.Is(err, asyncore.ErrExitNow) {
			t.Errorf("Loop: %v, want %v", err, asyncore.ErrExitNow)
		}
	})
}

func TestTimerOfAHandlerThatIsClosedInTheSameTurn(t *testing.T) {
	r := newRoom(t)
	d := newDisp("", &r.log)
	r.connected(d, "unix")
	fired := 0
	for range 3 {
		d.CallLater(soon, func() error { fired++; return d.Close() })
	}
	time.Sleep(2 * soon) // all of them are due at once
	r.must(asyncore.Loop(r.m))
	if fired != 1 {
		t.Errorf("%d timers have fired, want the one that closes", fired)
	}
}

func TestMisuseOfTimersPanics(t *testing.T) {
	testkit.Panics(t, "asyncore: CallLater needs a handler …", func() { newDisp("", nil).CallLater(0, nothing) })
	r := newRoom(t)
	d := newDisp("", &r.log)
	asyncore.Init(d, r.m)
	testkit.Panics(t, "asyncore: CallEvery needs a function", func() { d.CallEvery(time.Second, nil) })
}

func TestPriorityIsTheOrderWithinAnIteration(t *testing.T) {
	r := newRoom(t)
	var attach []func()
	for _, h := range []struct {
		name     string
		priority int
	}{{"late ", 1}, {"early ", -1}, {"", 0}} {
		c, peer := r.pair("unix")
		r.send(peer, "x")
		d := newDisp(h.name, &r.log)
		d.SetPriority(h.priority)
		attach = append(attach, func() { asyncore.Attach(d, c, r.m) })
	}
	for _, fn := range attach {
		fn()
	}
	r.poll(2)
	r.want("early read", "read", "late read")
}

func TestTimersStopAtAHandOver(t *testing.T) {
	testkit.Guard(t)
	testkit.Run(t, func(ctx context.Context) error {
		l, _ := reactor.FromContext(ctx)
		a, b := stream.Pipe(ctx)
		m := asyncore.On(l)
		var log []string
		d := newDisp("", &log)
		asyncore.Attach(d, a, m)
		d.CallLater(soon, func() error { t.Error("it has fired, want it stopped"); return nil })
		over, err := d.Classic().Take()
		testkit.Must(t, err)
		over.Conn.Close()
		if s, err := l.Stats(ctx); err != nil || s.PendingTimers != 0 {
			t.Errorf("%d timers are left, %v; want 0 and nil", s.PendingTimers, err)
		}
		b.Close()
		return nil
	})
}
