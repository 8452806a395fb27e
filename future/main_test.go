package future_test

import (
	"context"
	"errors"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// everywhere runs fn in a plain goroutine and in a task.
func everywhere(t *testing.T, fn func(t *testing.T, ctx context.Context)) {
	t.Run("goroutine", func(t *testing.T) {
		testkit.Watch(t)
		fn(t, context.Background())
	})
	t.Run("task", func(t *testing.T) {
		testkit.Watch(t)
		err := task.Run(context.Background(), func(ctx context.Context) error { fn(t, ctx); return nil }, task.WithSignals())
		if err != nil {
			t.Error(err)
		}
	})
}

var errTest = errors.New("test error")

// want checks the outcome of a completed future.
func want[T comparable](t testing.TB, f *future.Future[T], v T, err error) {
	t.Helper()
	if got, e := f.TryResult(); got != v || !errors.Is(e, err) {
		t.Errorf("the future has %v, %v; want %v, %v", got, e, v, err)
	}
}
