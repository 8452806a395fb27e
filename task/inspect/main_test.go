package inspect_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// debugMode is debug mode, without its log.
func debugMode() reactor.Option {
	return together(reactor.WithDebug(0), reactor.WithLogger(slog.New(slog.DiscardHandler)))
}

// together makes one option of two.
func together[C any, O ~func(C)](a, b O) O { return func(c C) { a(c); b(c) } }

// steppedClock stands still unless a test moves it; it is for a loop that does not wait.
type steppedClock struct{ now time.Duration }

func (c *steppedClock) Now() time.Duration { return c.now }
func (c *steppedClock) Wall() time.Time    { return time.Unix(0, int64(c.now)) }

var errTest = errors.New("test error")

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
