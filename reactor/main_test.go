//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/poll/polltest"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// descriptors returns what is open.
func descriptors() map[string]string { return testkit.Descriptors() }

// guard fails the test if it leaves a descriptor open, and ends the process if it hangs.
func guard(t testing.TB) {
	t.Helper()
	testkit.Guard(t)
}

// newLoop makes a loop that is closed at the end of the test, and that fails the test if there is an exception, unless opts
// has a handler.
func newLoop(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	guard(t)
	fail := reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) { t.Errorf("exception: %v", e) })
	l, err := reactor.New(append([]reactor.Option{fail, noFaults}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return l
}

// started is newLoop, with the loop running on a goroutine of its own.
func started(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	l := newLoop(t, append([]reactor.Option{asEnvironment}, opts...)...)
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
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
	mu   sync.Mutex
	now  time.Duration
	step time.Duration // what each look at it takes
}

var fakeEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *fakeClock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += c.step
	return c.now
}

func (c *fakeClock) Wall() time.Time { return fakeEpoch.Add(c.Now()) }

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += d
}

func (c *fakeClock) option() reactor.Option { return reactor.WithWorld(worldtest.WithTime(c)) }

// counting makes the loop's poller count its calls.
func counting(c **polltest.Counter) reactor.Option {
	return reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller {
		*c = polltest.Count(p)
		return *c
	}))
}

// wrapped is a poller whose waits a test takes part in.
type wrapped struct {
	poll.Poller
	wait func(into []poll.Event, timeout time.Duration) (int, error)
}

func (p *wrapped) Wait(into []poll.Event, timeout time.Duration) (int, error) {
	return p.wait(into, timeout)
}

// wrapping replaces the poller's Wait; inner is the real one's.
func wrapping(wait func(inner poll.Poller, into []poll.Event, timeout time.Duration) (int, error)) reactor.Option {
	return reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller {
		return &wrapped{p, func(into []poll.Event, d time.Duration) (int, error) { return wait(p, into, d) }}
	}))
}

// must is for calls that prepare a test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func must0(err error) { must(0, err) }

// runningAlready is what running a loop twice panics with.
const runningAlready = "reactor: the loop is running already; give it work by CallSoon or task.Go, or end that run with Stop first"

// panicOf returns what f panics with.
func panicOf(f func()) (v any) {
	defer func() { v = recover() }()
	f()
	return nil
}

// goexited reports whether f ends its goroutine with runtime.Goexit, and runs it in one.
func goexited(f func()) bool {
	returned := false
	var over sync.WaitGroup
	over.Go(func() {
		f()
		returned = true
	})
	over.Wait()
	return !returned
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

// end is one end of a connection; closing it twice is harmless.
type end struct {
	fd     int
	closed bool
}

func (e *end) close() {
	if !e.closed {
		e.closed = true
		ok(kernel().Close(e.fd))
	}
}

func (e *end) write(s string) {
	_, errno := kernel().Write(e.fd, []byte(s))
	ok(errno)
}

// read reads at most n bytes, "" when there is nothing.
func (e *end) read(n int) string {
	buf := make([]byte, n)
	n, errno := kernel().Read(e.fd, buf)
	if errno == syscall.EAGAIN {
		return ""
	}
	ok(errno)
	return string(buf[:n])
}

// fill writes until the socket blocks.
func (e *end) fill() {
	buf := make([]byte, 64<<10)
	for {
		_, errno := kernel().Write(e.fd, buf)
		if errno == syscall.EAGAIN {
			return
		}
		ok(errno)
	}
}

// halfClose ends what is sent.
func (e *end) halfClose() { ok(kernel().Shutdown(e.fd, syscall.SHUT_WR)) }

func kernel() world.World { return world.System() }

// ok is must for calls of the kernel.
func ok(errno syscall.Errno) {
	if errno != 0 {
		panic(errno)
	}
}

// eachPoller runs a test with every facility of this system.
func eachPoller(t *testing.T, test func(t *testing.T, l *reactor.Loop)) {
	t.Helper()
	for _, kind := range poll.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			l := newLoop(t, reactor.WithPoller(kind))
			test(t, l)
			l.Close() // before the descriptors
		})
	}
}

// pair is a connection over which everything arrives at once.
func pair(t testing.TB) (a, b *end) {
	a, b = pair2()
	t.Cleanup(a.close)
	t.Cleanup(b.close)
	return a, b
}

// run is a Runnable.
type run func()

func (f run) Run() { f() }

// handler is a ReadyHandler.
type handler func(e loop.Events)

func (f handler) Ready(e loop.Events) { f(e) }

// job is a task, as the loop sees one.
type job struct {
	loop *reactor.Loop
	do   func()
	err  error
}

// start starts do in a coroutine, in the next turn.
func start(l *reactor.Loop, do func()) *job {
	j := &job{loop: l, do: do}
	if err := core(l).Post(j); err != nil {
		panic(err)
	}
	return j
}

func (j *job) Run()                        { core(j.loop).Coroutines().Take(j).Run() }
func (j *job) Do()                         { j.do() }
func (j *job) Failed(err error)            { j.err = err }
func (j *job) Covers(context.Context) bool { return false }

// await suspends the calling job until the context is done.
func await(ctx context.Context) error {
	w, err := coro.Here(ctx, "test")
	if err != nil {
		return err
	}
	defer w.Release()
	return w.Wait(ctx, nil)
}

var errMine = errors.New("mine")

// noWaiting makes each wait end at once, and notes how long it would have been.
func noWaiting(waited *[]time.Duration) reactor.Option {
	return wrapping(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		*waited = append(*waited, d)
		return p.Wait(into, 0)
	})
}

// core is what the loop is made of.
func core(l *reactor.Loop) *loop.Core { return loop.From(l.Context()) }

// stats is what Stats returns.
func stats(l *reactor.Loop) reactor.Stats { return must(l.Stats(context.Background())) }

// attach registers fd with a Source of its own.
func attach(l *reactor.Loop, fd int, h loop.ReadyHandler) (*loop.Source, error) {
	s := &loop.Source{}
	return s, s.Attach(core(l), fd, h)
}

// hook is a function that can be told from others.
type hook struct{ fn func() }

func (h *hook) Run() { h.fn() }

// beforePoll has fn called each time before the loop looks for events.
func beforePoll(l *reactor.Loop, fn func()) (remove func()) {
	h := &hook{fn}
	core(l).Each(loop.BeforePoll, h)
	return func() { core(l).Not(loop.BeforePoll, h) }
}

// offloaded returns how many calls of Offload run, and how many wait.
func offloaded(l *reactor.Loop) (running, queued int) {
	s := stats(l)
	return s.Offloaded, s.OffloadQueue
}
