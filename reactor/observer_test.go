//go:build unix || windows

package reactor_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestAnObserverIsToldOfTurnsAndLag(t *testing.T) {
	type turn struct {
		ran, events int
		busy        time.Duration
	}
	var all []turn
	var lags []time.Duration
	var clock testkit.Clock
	l := testkit.NewLoop(t, clock.Option(), reactor.WithObserver(&reactor.Observer{
		Turn: func(ran, events int, busy time.Duration) { all = append(all, turn{ran, events, busy}) },
		Lag:  func(d time.Duration) { lags = append(lags, d) },
	}))
	a, b := pair(t)
	testkit.Check(l.AddReader(a.fd, func() { a.read(1); clock.Advance(4 * time.Second) }))
	l.CallSoon(func() {
		l.CallLater(time.Second, func() {})
		l.CallSoon(func() {})
		l.CallSoon(func() { clock.Advance(time.Second); b.write("x") })
		clock.Advance(3 * time.Second)
	})
	testkit.Turns(t, l, 3)
	l.RemoveReader(a.fd)
	if want := []turn{{1, 0, 3 * time.Second}, {3, 0, time.Second}, {0, 1, 4 * time.Second}}; !slices.Equal(all, want) {
		t.Errorf("turns: %v, want %v", all, want)
	}
	if want := []time.Duration{3 * time.Second, 2 * time.Second, time.Second, 4 * time.Second}; !slices.Equal(lags, want) {
		t.Errorf("lags: %v, want %v", lags, want)
	}
	if s := stats(l); s.Busy != 8*time.Second {
		t.Errorf("busy for %v, want %v", s.Busy, 8*time.Second)
	}
}

func TestAnObserverIsToldOfABackoff(t *testing.T) {
	var told []string
	l := testkit.NewLoop(t, reactor.WithObserver(&reactor.Observer{Backoff: func(op string, err error, d time.Duration) {
		if !errors.Is(err, errMine) || d != time.Second {
			t.Errorf("told of %v, %v; want %v and %v", err, d, errMine, time.Second)
		}
		told = append(told, op)
	}}))
	core(l).Backoff("accept", errMine, time.Second)
	if s := stats(l); s.AcceptBackoffs != 1 || !slices.Equal(told, []string{"accept"}) {
		t.Errorf("told of %v, counted %d; want %v and 1", told, s.AcceptBackoffs, []string{"accept"})
	}
	other := testkit.NewLoop(t)
	core(other).Backoff("accept", errMine, time.Second)
	if s := stats(other); s.AcceptBackoffs != 1 {
		t.Errorf("without an observer %d were counted, want 1", s.AcceptBackoffs)
	}
}

// An observer is the program's, and must not end the loop.
func TestAnObserverThatPanicsIsReported(t *testing.T) {
	var x testkit.Exceptions
	var alarm fakeAlarm
	l := testkit.StartLoop(t, alarm.option(), x.Option(), reactor.WithObserver(&reactor.Observer{
		Turn:    func(int, int, time.Duration) { panic("turn") },
		Lag:     func(time.Duration) { panic("lag") },
		Slow:    func(string, time.Duration, []byte) { panic("slow") },
		Stalled: func(string, time.Duration, []byte) { panic("stalled") },
		Backoff: func(string, error, time.Duration) { panic("backoff") },
	}))
	began, release := make(chan bool), make(chan bool)
	l.CallSoon(func() { whereItBlocks(began, release) })
	<-began
	alarm.pass(time.Second)
	close(release)
	core(l).Backoff("test", nil, 0)
	testkit.OnLoop(t, l, func() {})
	testkit.Check(l.Close())
	told := map[any]bool{}
	for _, e := range x.All() {
		var p *reactor.PanicError
		if e.Op != "observer" || !errors.As(e.Err, &p) {
			t.Errorf("reported %v, want a panic of op observer", e)
			continue
		}
		told[p.Value] = true
	}
	if len(told) != 5 {
		t.Errorf("reported: %v, want five panics", told)
	}
}

// The loop has a copy of its observer: to change it later changes nothing, and races with nobody.
func TestAnObserverIsCopied(t *testing.T) {
	told := 0
	o := &reactor.Observer{Turn: func(int, int, time.Duration) { told++ }}
	l := testkit.NewLoop(t, reactor.WithObserver(o))
	o.Turn = nil
	testkit.Turns(t, l, 1)
	if told != 1 {
		t.Errorf("told of %d turns, want 1", told)
	}
}

// BenchmarkObserver shows what it costs when somebody looks: nothing for an observer without hooks.
func BenchmarkObserver(b *testing.B) {
	observers := map[string]*reactor.Observer{
		"none":     nil,
		"no hooks": {},
		"turns":    {Turn: func(int, int, time.Duration) {}, Lag: func(time.Duration) {}},
		"slow":     {Slow: func(string, time.Duration, []byte) {}},
	}
	for name, o := range observers {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := testkit.NewLoop(b, reactor.WithObserver(o))
			left := b.N
			var fn func()
			fn = func() {
				if left--; left > 0 {
					l.CallSoon(fn)
				} else {
					l.Stop()
				}
			}
			l.CallSoon(fn)
			b.ResetTimer()
			l.Run(b.Context())
		})
	}
}

func TestAnObserverThatPanicsOnAClosedLoopIsLogged(t *testing.T) {
	var log logBook
	l := testkit.NewLoop(t, log.option(), reactor.WithObserver(&reactor.Observer{Backoff: func(string, error, time.Duration) { panic(errMine) }}))
	testkit.Check(l.Close())
	core(l).Backoff("accept", errMine, time.Second)
	if !strings.Contains(log.String(), "op=observer") || !strings.Contains(log.String(), "mine") {
		t.Errorf("logged: %s, want op=observer and %v", &log, errMine)
	}
}

func TestAnObserverThatCallsGoexitLosesNoTimer(t *testing.T) {
	var clock testkit.Clock
	l := testkit.NewLoop(t, clock.Option(), reactor.WithObserver(&reactor.Observer{Lag: func(d time.Duration) {
		if d == time.Hour {
			runtime.Goexit()
		}
	}}))
	fired := 0
	for range 3 {
		l.CallLater(time.Second, func() { fired++ })
	}
	clock.Advance(time.Second + time.Hour)
	testkit.Check(l.Start())
	for n := 0; n < 3; {
		testkit.OnLoop(t, l, func() { n = fired })
	}
}

func TestSeveralObserversAreToldInTheOrderTheyWereGivenIn(t *testing.T) {
	var told []string
	observer := func(name string) reactor.Option {
		note := func(what string) func() { return func() { told = append(told, name+" "+what) } }
		return reactor.WithObserver(&reactor.Observer{
			BeforeRun: note("before run"), AfterRun: note("after run"),
			BeforePoll: note("before poll"), AfterPoll: func(ready int) { note(fmt.Sprint("after poll ", ready))() },
			BeforeStep: func(s reactor.Step) { note("before step")() }, AfterStep: func(s reactor.Step) { note("after step")() },
		})
	}
	var x testkit.Exceptions
	l := testkit.NewLoop(t, x.Option(), observer("a"), observer("b"), reactor.WithObserver(nil))
	l.CallSoon(func() { told = append(told, "the callback"); panic(errMine) })
	testkit.Turns(t, l, 1)
	want := []string{
		"a before run", "b before run", "a before step", "b before step", "the callback", "a after step", "b after step",
		"a before poll", "b before poll", "a after poll 0", "b after poll 0", "a after run", "b after run",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	if ops := x.Ops(); !slices.Equal(ops, []string{"callback"}) {
		t.Errorf("reported: %q, want the panic of the callback", ops)
	}
}

// Before there could be several, the second one replaced the first in silence.
func TestASecondObserverDoesNotReplaceTheFirst(t *testing.T) {
	first, second := 0, 0
	l := testkit.NewLoop(t,
		reactor.WithObserver(&reactor.Observer{Turn: func(int, int, time.Duration) { first++ }}),
		reactor.WithObserver(&reactor.Observer{Turn: func(int, int, time.Duration) { second++ }}))
	testkit.Turns(t, l, 2)
	if first != 2 || second != 2 {
		t.Errorf("told of %d and %d turns, want 2 and 2", first, second)
	}
}
