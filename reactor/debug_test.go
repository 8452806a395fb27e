//go:build unix || windows

package reactor_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestACallbackScheduledAfterCloseIsLoggedInDebugMode(t *testing.T) {
	calls := map[string]func(l *reactor.Loop){
		"CallSoon":  func(l *reactor.Loop) { l.CallSoon(func() {}) },
		"CallLater": func(l *reactor.Loop) { l.CallLater(0, func() {}) },
		"CallAt":    func(l *reactor.Loop) { l.CallAt(time.Now(), func() {}) },
		"Every":     func(l *reactor.Loop) { l.Every(time.Second, func() {}) },
	}
	for name, call := range calls {
		for _, debug := range []bool{false, true} {
			var log logBook
			opts := []reactor.Option{log.option()}
			if debug {
				opts = append(opts, reactor.WithDebug(0))
			}
			l := testkit.NewLoop(t, opts...)
			timer := l.CallLater(time.Hour, func() {})
			testkit.Check(l.Close())
			timer.Stop() // is no mistake
			if log.String() != "" {
				t.Errorf("%s: logged before the call: %s, want nothing", name, &log)
			}
			call(l)
			logged := log.String()
			if !debug && logged != "" {
				t.Errorf("%s: logged without debug mode: %s, want nothing", name, logged)
			}
			if debug && (!strings.Contains(logged, "scheduled after Close") || !strings.Contains(logged, "reactor/debug_test.go:")) {
				t.Errorf("%s: logged %q, want that it was scheduled after Close, and where", name, logged)
			}
		}
	}
}

func TestCallSoonOfADebuggedLoopReturnsErrClosed(t *testing.T) {
	var log logBook
	l := testkit.NewLoop(t, reactor.WithDebug(0), log.option())
	l.CallSoon(func() {
		l.Close()
		if err := l.CallSoon(func() {}); !errors.Is(err, reactor.ErrClosed) {
			t.Errorf("CallSoon while closing: %v, want %v", err, reactor.ErrClosed)
		}
	})
	l.Run(t.Context())
	if !strings.Contains(log.String(), "TestCallSoonOfADebuggedLoopReturnsErrClosed") {
		t.Errorf("logged %s, want the name of this test", &log)
	}
}

func TestASiteIsTheCallersOfTheLibrary(t *testing.T) {
	l := testkit.NewLoop(t, reactor.WithDebug(0))
	if at := core(l).Site(); !strings.Contains(at, "reactor/debug_test.go:") || !strings.Contains(at, "TestASiteIsTheCallers") {
		t.Errorf("Site() = %s, want this file and this test", at)
	}
	var inCallback string
	l.CallSoon(func() { inCallback = core(l).Site() })
	testkit.Turns(t, l, 1)
	if !strings.Contains(inCallback, "TestASiteIsTheCallersOfTheLibrary.func1") {
		t.Errorf("Site() in a callback = %s, want the function in this test", inCallback)
	}
	if at := core(testkit.NewLoop(t)).Site(); at != "" {
		t.Errorf("without debug mode: %s, want %s", at, "")
	}
}

func TestWithDebugRefusesANegativeTime(t *testing.T) {
	v, _ := testkit.PanicOf(func() { reactor.WithDebug(-1) }).(string)
	if !strings.HasPrefix(v, "reactor: WithDebug(-1ns): give a positive duration") {
		t.Errorf("panic %q, want one that asks for a positive duration", v)
	}
}

func TestAnExceptionIsLoggedWithItsSite(t *testing.T) {
	var log logBook
	testkit.Guard(t)
	l := testkit.Must(reactor.New(log.option()))
	defer l.Close()
	core(l).Report(reactor.Exception{Op: "test", Err: errMine, Site: "here.go:1 (main)"})
	if !strings.Contains(log.String(), `started="here.go:1 (main)"`) {
		t.Errorf("logged %s, want the site as started", &log)
	}
}

func (j *job) method() { j.do() }

func TestWhatIsSlowIsNamed(t *testing.T) {
	var alarm fakeAlarm
	var s stalls
	l := testkit.NewLoop(t, alarm.option(), reactor.WithObserver(s.observer()))
	slow := func() { alarm.Advance(time.Second) }
	l.CallSoon(slow)
	l.CallSoon((&job{do: slow}).method)
	core(l).Post(run(slow))
	testkit.Turns(t, l, 1)
	for i, want := range []string{
		"reactor/debug_test.go:", "callback github.com/corobridge/corobridge/reactor_test.(*job).method", "callback reactor_test.run",
	} {
		if i >= len(s.slow) || !strings.Contains(s.slow[i].what, want) {
			t.Errorf("told of %v, want %q in the place %d", s.slow, want, i)
		}
	}
}
