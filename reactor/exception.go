package reactor

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/corobridge/corobridge/internal/coro"
)

// PanicError carries a recovered panic. Its fields are Value, what panic was called with, and Stack []byte, as debug.Stack formats
// it. If Value is an error, errors.Is and errors.As find it.
type PanicError = coro.PanicError

// Exception is what went wrong where nobody could be told.
type Exception struct {
	Op   string // what was being done: "callback", "timer", "ready", "task", "group", …
	Name string // of the task, if it has one
	Err  error  // a *PanicError for a panic
	Site string // where what failed was started, in debug mode
}

// ExceptionHandler is told of an Exception, on the loop. It must not block.
type ExceptionHandler func(l *Loop, e Exception)

func logException(l *Loop, e Exception) {
	attrs := []any{slog.String("op", e.Op), slog.Any("error", e.Err)}
	if e.Name != "" {
		attrs = append(attrs, slog.String("task", e.Name))
	}
	if e.Site != "" {
		attrs = append(attrs, slog.String("started", e.Site))
	}
	level, what := slog.LevelError, "reactor: unhandled error"
	if e.Op == "idle" { // a hint, not an error
		level, what = slog.LevelWarn, "reactor: idle"
	}
	l.logger.Log(context.Background(), level, what, attrs...)
}

// Report hands e to the loop's exception handler. It is called on the loop.
func (l *Loop) Report(e Exception) {
	defer func() { // a handler that panics must not end the loop
		if v := recover(); v != nil {
			logException(l, Exception{Op: "exception handler", Err: coro.Recovered(v)})
		}
	}()
	l.exception(l, e)
}

// reportLoss reports an error that nobody has asked for.
func (l *Loop) reportLoss(x *coro.Loss) {
	l.Report(Exception{Op: x.Op, Name: x.Name, Err: fmt.Errorf("never retrieved: %w", x.Err), Site: x.Site})
}

// caught reports a panic of the callback that just ran. It is deferred around runs of callbacks, so that the loop goes on.
func (l *Loop) caught(op string) {
	if v := recover(); v != nil {
		l.Report(Exception{Op: op, Err: coro.Recovered(v)})
	}
}
