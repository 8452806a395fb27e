//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"testing"

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

// counting makes the loop's poller count its calls.
func counting(c **polltest.Counter) reactor.Option {
	return reactor.WithWorld(worldtest.WithPoller(func(p poll.Poller) poll.Poller {
		*c = polltest.Count(p)
		return *c
	}))
}

// runningAlready is what running a loop twice panics with.
const runningAlready = "reactor: the loop is running already; give it work by CallSoon or task.Go, or end that run with Stop first"

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

// end is one end of a connection; closing it twice is harmless.
type end struct {
	fd     int
	closed bool
}

func (e *end) close() {
	if !e.closed {
		e.closed = true
		testkit.OK(kernel().Close(e.fd))
	}
}

func (e *end) write(s string) {
	_, errno := kernel().Write(e.fd, []byte(s))
	testkit.OK(errno)
}

// read reads at most n bytes, "" when there is nothing.
func (e *end) read(n int) string {
	buf := make([]byte, n)
	n, errno := kernel().Read(e.fd, buf)
	if errno == syscall.EAGAIN {
		return ""
	}
	testkit.OK(errno)
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
		testkit.OK(errno)
	}
}

// halfClose ends what is sent.
func (e *end) halfClose() { testkit.OK(kernel().Shutdown(e.fd, syscall.SHUT_WR)) }

func kernel() world.World { return world.System() }

// eachPoller runs a test with every facility of this system.
func eachPoller(t *testing.T, test func(t *testing.T, l *reactor.Loop)) {
	t.Helper()
	for _, kind := range poll.Kinds() {
		t.Run(kind.String(), func(t *testing.T) {
			l := testkit.NewLoop(t, reactor.WithPoller(kind))
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

// core is what the loop is made of.
func core(l *reactor.Loop) *loop.Core { return loop.From(l.Context()) }

// stats is what Stats returns.
func stats(l *reactor.Loop) reactor.Stats { return testkit.Must(l.Stats(context.Background())) }

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
