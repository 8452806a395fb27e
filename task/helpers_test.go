package task_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func watchdog(t testing.TB) { t.Helper(); testkit.Watch(t) }

// run runs fn as the main task of a loop, and fails the test if it returns an error.
func run(t testing.TB, fn func(ctx context.Context) error, opts ...reactor.Option) {
	t.Helper()
	watchdog(t)
	if err := task.Run(context.Background(), fn, task.WithSignals(), task.WithLoopOptions(opts...)); err != nil {
		t.Fatal(err)
	}
}

// background starts a loop that is closed when the test ends.
func background(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	watchdog(t)
	loop, err := reactor.New(opts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := loop.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := loop.Close(); err != nil {
			t.Error(err)
		}
	})
	return loop
}

// onLoop runs fn in a callback of the loop, and waits for it.
func onLoop(t testing.TB, loop *reactor.Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	if err := loop.CallSoon(func() { defer close(done); fn() }); err != nil {
		t.Fatal(err)
	}
	<-done
}

// exceptions collects what a loop reports.
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

func (x *exceptions) take() []reactor.Exception {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.all
	x.all = nil
	return all
}

// pendingTimers counts the timers of a loop. It is called on the loop.
func pendingTimers(loop *reactor.Loop) int {
	return statsOf(loop).PendingTimers
}

// descriptors counts the open ones.
func descriptors() int { return len(testkit.Descriptors()) }

// goroutines counts them. The runtime's count is too high while the garbage collector looks at the
// dead ones.
func goroutines() int {
	least := runtime.NumGoroutine()
	for range 10 {
		time.Sleep(100 * time.Microsecond)
		least = min(least, runtime.NumGoroutine())
	}
	return least
}

// mustPanic returns what fn panics with.
func mustPanic(t testing.TB, fn func()) (v any) {
	t.Helper()
	defer func() {
		if v = recover(); v == nil {
			t.Error("no panic")
		}
	}()
	fn()
	return nil
}

// pending returns a future that nobody completes.
func pending() *future.Future[int] {
	f, _ := future.New[int]()
	return f
}

// yields lets everything that is ready run n times.
func yields(ctx context.Context, n int) {
	for range n {
		task.Yield(ctx)
	}
}

// eventually yields until ok, from a task.
func eventually(ctx context.Context, ok func() bool) {
	for !ok() {
		task.Sleep(context.WithoutCancel(ctx), 100*time.Microsecond)
	}
}

var errTest = errors.New("test error")

// wantErr checks that err matches each of want.
func wantErr(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("error %v does not match %v", err, w)
		}
	}
}

// coreOf is the inside of a loop.
func coreOf(l *reactor.Loop) *loop.Core { return loop.From(l.Context()) }

// posted is a function as an entry of the ready queue.
type posted func()

func (f posted) Run() { f() }

// offloaded returns how many calls of Offload run, and how many wait.
func offloaded(l *reactor.Loop) (running, queued int) {
	s := statsOf(l)
	return s.Offloaded, s.OffloadQueue
}
