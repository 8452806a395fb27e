package loop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/corobridge/corobridge/internal/coro"
)

// Exception is what went wrong where nobody could be told.
type Exception struct {
	Op   string // what was being done: "callback", "timer", "ready", "task", "group", …
	Name string // of the task, if it has one
	Err  error  // a *PanicError for a panic
	Site string // where what failed was started, in debug mode
}

// Report hands e to the loop's exception handler. It is called on the loop.
func (c *Core) Report(e Exception) {
	returned := false
	defer func() { // a handler that panics must not end the loop
		if !returned {
			if err := coro.Unwound(recover()); err != coro.ErrGoexit {
				c.log(Exception{Op: "exception handler", Err: err})
			}
		}
	}()
	c.exception(e)
	returned = true
}

// reportLoss reports an error that nobody has asked for.
func (c *Core) reportLoss(x *coro.Loss) {
	c.Report(Exception{Op: x.Op, Name: x.Name, Err: fmt.Errorf("never retrieved: %w", x.Err), Site: x.Site})
}

// log is the exception handler of a loop that was given none.
func (c *Core) log(e Exception) {
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
	c.logger.Log(context.Background(), level, what, attrs...)
	var p *coro.PanicError
	if errors.As(e.Err, &p) {
		c.LogStack(p.Stack)
	}
}

// LogStack logs a stack, one line for each frame: in one piece it would be a single line of some
// kilobytes, with its ends of lines escaped. They are warnings, since the error comes before them.
func (c *Core) LogStack(stack []byte) {
	for _, frame := range coro.Frames(stack) {
		c.logger.Warn("reactor: stack", slog.String("at", frame))
	}
}

// Caught reports a panic of the callback that just ran. It is deferred around runs of callbacks, so
// that the loop goes on. whole is whether the run has come to its end: that of a panic(nil) is not
// seen otherwise.
func (c *Core) Caught(op string, whole *bool) {
	v := recover()
	if v == nil && *whole {
		return
	}
	if err := coro.Unwound(v); err != coro.ErrGoexit {
		c.Report(Exception{Op: op, Err: err})
	}
}

// guarded runs r and reports a panic of it.
func (c *Core) guarded(op string, r Runnable) {
	whole := false
	defer c.Caught(op, &whole)
	if c.steps.told {
		r = c.steps.of(op, r)
	}
	r.Run()
	whole = true
}
