package task_test

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/inspect"
)

// pendingTimers counts the timers of a loop. It is called on the loop.
func pendingTimers(loop *reactor.Loop) int {
	return statsOf(loop).PendingTimers
}

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

var errTest = errors.New("test error")

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

func treeNow(t *testing.T, ctx context.Context) string {
	t.Helper()
	loop, _ := reactor.FromContext(ctx)
	var b bytes.Buffer
	if err := inspect.WriteTree(ctx, &b, loop); err != nil {
		t.Error(err)
	}
	return b.String()
}

// until awaits f.
func until[T any](f interface {
	Await(ctx context.Context) (T, error)
}) func(ctx context.Context) error {
	return func(ctx context.Context) error { _, err := f.Await(ctx); return err }
}

func sleeps(ctx context.Context) error { return task.Sleep(ctx, time.Hour) }
