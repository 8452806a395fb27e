//go:build unix || windows

package loop_test

import (
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// newLoop makes a loop that is closed at the end of the test, and that fails the test if there is an
// exception, unless opts has a handler.
func newLoop(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	testkit.Guard(t)
	fail := reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) { t.Errorf("exception: %v", e) })
	l := must(reactor.New(append([]reactor.Option{fail, noFaults}, opts...)...))
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

// core is what the loop is made of.
func core(l *reactor.Loop) *loop.Core { return loop.From(l.Context()) }

// counts is what the loop has done.
func counts(l *reactor.Loop) (n loop.Counts) {
	core(l).Look(func() { n = core(l).Counts() })
	return n
}

// started is newLoop, with the loop running on a goroutine of its own.
func started(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	l := newLoop(t, append([]reactor.Option{asEnvironment}, opts...)...)
	must0(l.Start())
	return l
}

// noFaults is for loops whose turns are counted; asEnvironment is what a loop has otherwise.
var (
	noFaults      = reactor.WithWorld(worldtest.NoFaults)
	asEnvironment = reactor.WithWorld(worldtest.WithFaults(nil))
)

// exceptions collects what is reported.
type exceptions struct {
	mu  sync.Mutex
	all []reactor.Exception
}

func (x *exceptions) option() reactor.Option {
	return reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.all = append(x.all, e)
	})
}

func (x *exceptions) ops() (ops []string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, e := range x.all {
		ops = append(ops, e.Op)
	}
	return ops
}

// fakeClock stands still unless a test moves it.
type fakeClock struct {
	mu  sync.Mutex
	now time.Duration
}

var fakeEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *fakeClock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) Wall() time.Time { return fakeEpoch.Add(c.Now()) }

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += d
}

func (c *fakeClock) option() reactor.Option { return reactor.WithWorld(worldtest.WithTime(c)) }

// unwaiting is a poller whose waits end at once. It notes how long they would have been.
type unwaiting struct {
	poll.Poller
	waited *[]time.Duration
}

func (p *unwaiting) Wait(into []poll.Event, timeout time.Duration) (int, error) {
	*p.waited = append(*p.waited, timeout)
	return p.Poller.Wait(into, 0)
}

func noWaiting(waited *[]time.Duration) reactor.Option {
	return reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller { return &unwaiting{p, waited} }))
}

// must is for calls that prepare a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must0(err error) { must(0, err) }

// panicOf returns what f panics with.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// inLoop runs fn on the loop and waits for it.
func inLoop(t testing.TB, l *reactor.Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	if err := l.CallSoon(func() { defer close(done); fn() }); err != nil {
		t.Fatal(err)
	}
	<-done
}

// turns runs n turns.
func turns(t testing.TB, l *reactor.Loop, n int) {
	t.Helper()
	for range n {
		if err := l.Turn(0); err != nil {
			t.Fatal(err)
		}
	}
}
