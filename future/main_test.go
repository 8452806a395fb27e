package future_test

import (
	"context"
	"errors"
	"runtime/debug"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// watchdog ends the test binary, with all stacks, when the test does not end.
func watchdog(t testing.TB) {
	timer := time.AfterFunc(20*time.Second, func() {
		debug.SetTraceback("all")
		panic("watchdog: " + t.Name() + " hangs")
	})
	t.Cleanup(func() { timer.Stop() })
}

// everywhere runs fn in a plain goroutine and in a task.
func everywhere(t *testing.T, fn func(t *testing.T, ctx context.Context)) {
	t.Run("goroutine", func(t *testing.T) {
		watchdog(t)
		fn(t, context.Background())
	})
	t.Run("task", func(t *testing.T) {
		watchdog(t)
		err := task.Run(context.Background(), func(ctx context.Context) error { fn(t, ctx); return nil }, task.WithSignals())
		if err != nil {
			t.Error(err)
		}
	})
}

var errTest = errors.New("test error")

func wantErr(t testing.TB, err error, want ...error) {
	t.Helper()
	for _, w := range want {
		if !errors.Is(err, w) {
			t.Errorf("error %v does not match %v", err, w)
		}
	}
}

// want checks the outcome of a completed future.
func want[T comparable](t testing.TB, f *future.Future[T], v T, err error) {
	t.Helper()
	if got, e := f.TryResult(); got != v || !errors.Is(e, err) {
		t.Errorf("the future has %v, %v; want %v, %v", got, e, v, err)
	}
}
