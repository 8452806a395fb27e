//go:build unix || windows

package reactor_test

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

// fakeAlarm rings when a test moves the clock, on the test's goroutine.
type fakeAlarm struct {
	testkit.Clock
	mu      sync.Mutex
	pending []*fakeRing
	sets    int
}

type fakeRing struct {
	at   time.Duration
	ring func()
}

func (a *fakeAlarm) set(d time.Duration, ring func()) (stop func() bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &fakeRing{a.Now() + d, ring}
	a.pending = append(a.pending, r)
	a.sets++
	return func() bool { return a.take(func(p *fakeRing) bool { return p == r }) != nil }
}

// take removes and returns the first that is which, nil if there is none.
func (a *fakeAlarm) take(which func(*fakeRing) bool) *fakeRing {
	a.mu.Lock()
	defer a.mu.Unlock()
	i := slices.IndexFunc(a.pending, which)
	if i < 0 {
		return nil
	}
	r := a.pending[i]
	a.pending = slices.Delete(a.pending, i, i+1)
	return r
}

// pass moves the clock, and rings what is due.
func (a *fakeAlarm) pass(d time.Duration) {
	a.Advance(d)
	for {
		r := a.take(func(r *fakeRing) bool { return r.at <= a.Now() })
		if r == nil {
			return
		}
		r.ring()
	}
}

func (a *fakeAlarm) isSet() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.pending) > 0
}

func (a *fakeAlarm) option() reactor.Option {
	return reactor.WithWorld(func(w world.World) world.World {
		return worldtest.WithAlarm(a.set)(worldtest.WithTime(a)(w))
	})
}

// logBook is where a loop logs, and from where a test reads meanwhile.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *logBook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func (b *logBook) option() reactor.Option {
	return reactor.WithLogger(slog.New(slog.NewTextHandler(b, nil)))
}

// stall is a call of Observer.Slow or Observer.Stalled.
type stall struct {
	what  string
	d     time.Duration
	stack string
}

// stalls collects them.
type stalls struct {
	mu            sync.Mutex
	slow, stalled []stall
}

func (s *stalls) observer() *reactor.Observer {
	note := func(into *[]stall) func(string, time.Duration, []byte) {
		return func(what string, d time.Duration, stack []byte) {
			s.mu.Lock()
			defer s.mu.Unlock()
			*into = append(*into, stall{what, d, string(stack)})
		}
	}
	return &reactor.Observer{Slow: note(&s.slow), Stalled: note(&s.stalled)}
}

func (s *stalls) count() (slow, stalled int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.slow), len(s.stalled)
}

//go:noinline
func whereItBlocks(began, release chan bool) {
	began <- true
	<-release
}

// Whatever blocks the loop is reported while it does so, with its stack, whatever other coroutines
// there are.
func TestAStallIsToldWhileItLasts(t *testing.T) {
	a, b := pair(t)
	var alarm *fakeAlarm
	tests := map[string]struct {
		what string
		arm  func(l *reactor.Loop, fn func())
	}{
		"callback": {"callback ", func(l *reactor.Loop, fn func()) { l.CallSoon(fn) }},
		"timer":    {"timer ", func(l *reactor.Loop, fn func()) { l.CallLater(0, fn) }},
		"every": {"timer ", func(l *reactor.Loop, fn func()) {
			var k reactor.Timer
			k = l.Every(time.Nanosecond, func() { k.Stop(); fn() })
			alarm.Advance(1)
			l.CallSoon(func() {})
		}},
		"flush":       {"flush reactor_test.run", func(l *reactor.Loop, fn func()) { l.CallSoon(func() { core(l).At(loop.BatchEnd, run(fn)) }) }},
		"end of turn": {"end of turn reactor_test.run", func(l *reactor.Loop, fn func()) { l.CallSoon(func() { core(l).At(loop.TurnEnd, run(fn)) }) }},
		"before poll": {"before poll ", func(l *reactor.Loop, fn func()) {
			l.CallSoon(func() {
				var remove func()
				remove = beforePoll(l, func() { remove(); fn() })
			})
		}},
		"reader": {"ready ", func(l *reactor.Loop, fn func()) {
			b.write("x")
			testkit.Check(l.AddReader(a.fd, func() { a.read(1); l.RemoveReader(a.fd); fn() }))
		}},
		"the first step of a task": {"callback *reactor_test.job", func(l *reactor.Loop, fn func()) { start(l, fn) }},
		"a later step": {"task", func(l *reactor.Loop, fn func()) {
			start(l, func() { core(l).Coroutines().Running().Yield(); fn() })
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			alarm = &fakeAlarm{}
			var s stalls
			var log logBook
			l := testkit.StartLoop(t, alarm.option(), reactor.WithDebug(time.Second), reactor.WithObserver(s.observer()), log.option())
			ctx, cancel := context.WithCancel(t.Context())
			testkit.OnLoop(t, l, func() { start(l, func() { await(ctx) }) })
			testkit.OnLoop(t, l, cancel) // the coroutine that was resumed last is none that stalls
			began, release := make(chan bool), make(chan bool)
			tt.arm(l, func() { whereItBlocks(began, release) })
			<-began
			for _, told := range []int{0, 1, 2, 2, 3} {
				if slow, n := s.count(); slow != 0 || n != told {
					t.Errorf("it was told %d times, want %d", n, told)
				}
				alarm.pass(time.Second)
			}
			close(release)
			testkit.OnLoop(t, l, func() {})
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.slow) != 1 || s.slow[0].d < 5*time.Second {
				t.Errorf("told that it was slow: %v, want once, of 5s or more", s.slow)
			}
			for _, told := range append(s.stalled, s.slow...) {
				if !strings.HasPrefix(told.what, tt.what) || !strings.Contains(told.stack, "whereItBlocks") || strings.Count(told.stack, "\ngoroutine") != 0 {
					t.Errorf("told %q with the stack\n%s\nwant %q, and whereItBlocks in one goroutine's", told.what, told.stack, tt.what)
				}
			}
			for _, want := range []string{"the loop is stalled", "msg=\"reactor: slow\"", "whereItBlocks"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("%q is missing in %s", want, &log)
				}
			}
		})
	}
}

func TestOnlyWhatTakesLongIsSlow(t *testing.T) {
	for d, want := range map[time.Duration]int{99 * time.Millisecond: 0, 100 * time.Millisecond: 1} {
		for name, end := range map[string]func(){"returns": func() {}, "panics": func() { panic("x") }} {
			var x testkit.Exceptions
			var s stalls
			var alarm fakeAlarm
			l := testkit.NewLoop(t, alarm.option(), reactor.WithObserver(s.observer()), x.Option())
			l.CallSoon(func() { alarm.Advance(d); end() })
			testkit.Turns(t, l, 1)
			if slow, stalled := s.count(); slow != want || stalled != 0 {
				t.Errorf("%v, %s: told %d times that it was slow, and %d times of a stall; want %d and 0", d, name, slow, stalled, want)
			}
		}
	}
}

func TestAnIdleLoopSetsNoAlarm(t *testing.T) {
	var alarm fakeAlarm
	l := testkit.NewLoop(t, alarm.option(), reactor.WithDebug(0))
	work := func() {
		for range 3 {
			l.CallSoon(func() {})
			testkit.Turns(t, l, 1)
		}
	}
	for n := 1; n <= 2; n++ {
		work()
		if alarm.sets != n || !alarm.isSet() {
			t.Errorf("while it works the alarm was set %d times, want %d", alarm.sets, n)
		}
		if alarm.pass(time.Minute); alarm.isSet() {
			t.Error("the alarm is set and nothing runs, want it unset")
		}
	}
}

func TestWithoutDebugModeThereIsNoAlarm(t *testing.T) {
	for name, o := range map[string]*reactor.Observer{"no observer": nil, "one without hooks": {}, "other hooks": {Lag: func(time.Duration) {}}} {
		var alarm fakeAlarm
		l := testkit.NewLoop(t, alarm.option(), reactor.WithObserver(o))
		l.CallSoon(func() {})
		testkit.Turns(t, l, 1)
		if alarm.sets != 0 {
			t.Errorf("%s: the alarm was set %d times, want 0", name, alarm.sets)
		}
	}
}

func TestCloseEndsTheWatchdog(t *testing.T) {
	var alarm fakeAlarm
	told, began, release := make(chan bool), make(chan bool), make(chan bool)
	over := false
	l := testkit.NewLoop(t, alarm.option(), reactor.WithObserver(&reactor.Observer{Stalled: func(string, time.Duration, []byte) {
		told <- true
		for range 100 {
			runtime.Gosched() // Close has its chance to come first
		}
		over = true
	}}))
	testkit.Check(l.Start())
	l.CallSoon(func() { whereItBlocks(began, release) })
	<-began
	var rings sync.WaitGroup
	rings.Go(func() { alarm.pass(time.Second) })
	<-told
	close(release)
	testkit.Check(l.Close())
	if !over {
		t.Error("Close returned before the observer, want it to wait")
	}
	rings.Wait()
	if alarm.isSet() {
		t.Error("an alarm is set after Close, want none")
	}
}

// The system's alarm is what a program has.
func TestTheWatchdogRingsByItself(t *testing.T) {
	release := make(chan bool)
	// Once only: a busy machine stalls other callbacks too.
	told := sync.OnceFunc(func() { close(release) })
	l := testkit.StartLoop(t, reactor.WithObserver(&reactor.Observer{Stalled: func(string, time.Duration, []byte) { told() }}))
	l.CallSoon(func() { <-release })
	testkit.OnLoop(t, l, func() {})
}

// A program that gives up a stalled loop closes it in Stalled. That Close must not wait for the
// loop, since the loop waits for Stalled.
func TestCloseInStalledOnlyBeginsIt(t *testing.T) {
	closers := map[string]func(g *reactor.LoopGroup) error{
		"loop":  func(g *reactor.LoopGroup) error { return g.Loops()[0].Close() },
		"group": func(g *reactor.LoopGroup) error { return g.Close() },
		"group, of which a loop does not run": func(g *reactor.LoopGroup) error {
			g.Loops()[1].Stop()
			// Until it runs no more.
			for testkit.PanicOf(func() { core(g.Loops()[1]).SetPoller(reactor.Poll) }) != nil {
				runtime.Gosched()
			}
			return g.Close()
		},
	}
	for name, closeIt := range closers {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			var alarm fakeAlarm
			var g *reactor.LoopGroup
			told := 0
			g = testkit.Must(reactor.NewGroup(2, alarm.option(), reactor.WithObserver(&reactor.Observer{Stalled: func(string, time.Duration, []byte) {
				told++
				testkit.Check(closeIt(g))
				if isDone(g.Loops()[0]) {
					t.Error("the loop was closed while it was stalled, want it open until then")
				}
			}})))
			testkit.Check(g.Start())
			began, release := make(chan bool), make(chan bool)
			g.Loops()[0].CallSoon(func() { whereItBlocks(began, release) })
			<-began
			alarm.pass(time.Second)
			close(release)
			<-g.Loops()[0].Done()
			testkit.Check(g.Close())
			if told != 1 {
				t.Errorf("told %d times, want 1", told)
			}
		})
	}
}

// While the watchdog looks at one stall, no second alarm comes. If the stall ends meanwhile, the
// watchdog still sees later ones.
func TestTheWatchdogLooksAtOneStallAtATime(t *testing.T) {
	var alarm fakeAlarm
	var s stalls
	observer := s.observer()
	note := observer.Stalled
	first, release := make(chan bool), make(chan bool)
	observer.Stalled = func(what string, d time.Duration, stack []byte) {
		note(what, d, stack)
		if _, n := s.count(); n == 1 {
			first <- true
			<-release
		}
	}
	l := testkit.NewLoop(t, alarm.option(), reactor.WithObserver(observer))
	testkit.Check(l.Start())
	block := func() (began, release chan bool) {
		began, release = make(chan bool), make(chan bool)
		l.CallSoon(func() { whereItBlocks(began, release) })
		<-began
		return began, release
	}
	_, goOn := block()
	var rings sync.WaitGroup
	rings.Go(func() { alarm.pass(time.Second) })
	<-first
	close(goOn)
	_, goOn = block() // another one begins, while the watchdog is told of the first
	if alarm.isSet() {
		t.Error("an alarm is set while one rings, want none")
	}
	close(release)
	rings.Wait()
	alarm.pass(time.Second)
	close(goOn)
	testkit.OnLoop(t, l, func() {})
	if _, n := s.count(); n != 2 {
		t.Errorf("told of %d stalls of 2, want 2", n)
	}
}
