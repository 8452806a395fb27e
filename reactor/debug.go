package reactor

import (
	"fmt"
	"log/slog"
	"reflect"
	"runtime"
	"strings"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// defaultSlow is asyncio's slow_callback_duration.
const defaultSlow = 100 * time.Millisecond

// WithDebug makes the loop say what is wrong with the program that it runs, at some cost:
//
//   - A callback, or a step of a task, that takes slow (0: 100 ms) or longer is logged when it ends; and while it runs, with the stack that
//     it has then, by a watchdog outside the loop.
//   - A call of CallSoon, CallLater or CallAt on a loop that is closed, or closing, is logged with the place it was made.
//   - An error of a task that nobody retrieves is reported with the place where the task was started.
//   - An error of another future that failed on the loop, and that nobody retrieves, is reported too.
//   - A connection that is collected without Close is reported with the place where it was made.
//   - Tasks that wait for each other in a circle, and a loop that sleeps although it knows of nothing that could wake its tasks, are reported
//     before it sleeps: see task.DeadlockError.
//   - Profiles name tasks, as WithProfileLabels makes them.
//
// It panics if slow is negative.
func WithDebug(slow time.Duration) Option {
	if slow < 0 {
		panic(fmt.Sprintf("reactor: WithDebug(%v): give a positive duration, or 0 for %v", slow, defaultSlow))
	}
	return func(c *config) {
		if c.debug = true; slow != 0 {
			c.slow = slow
		}
	}
}

// WithProfileLabels gives each task that has a name (see task.Name) the profiler label "task" with that name, and the goroutines that the
// task starts too.
func WithProfileLabels() Option { return func(c *config) { c.labels = true } }

// inspection is what the loop does for those who look inside: it is nil, off or zero for a loop that nobody looks at.
type inspection struct {
	debug    bool
	labels   bool
	observer *Observer
	meter    *meter // touched as the turn is
	watchdog *watchdog

	beforeSleep func(forever bool) (again time.Duration)
}

func (l *Loop) initInspection(cfg *config) {
	l.debug, l.labels = cfg.debug, cfg.labels || cfg.debug
	if cfg.observer != nil {
		own := *cfg.observer
		l.observer = &own
	}
	o := l.Observer()
	if l.debug || o.Slow != nil || o.Stalled != nil {
		l.watchdog = newWatchdog(l, cfg.slow)
		l.coros.NoteNumbers()
	}
	if l.debug || o.Turn != nil || o.Lag != nil {
		l.meter = &meter{}
	}
}

// Debug reports whether the loop was made with WithDebug.
func (l *Loop) Debug() bool { return l.debug }

// NamesTasks reports whether tasks are to be named in profiles. It is for the packages of this module.
func (l *Loop) NamesTasks() bool { return l.labels }

// Site returns where the caller of this module stands, as "file:line (function)"; in a task that this module has started for it, where it
// stood then; "" unless in debug mode. It is for the packages of this module.
func (l *Loop) Site() string {
	if !l.debug {
		return ""
	}
	if at := callersPlace(); at != "" {
		return at
	}
	if c := coro.Current(); c != nil {
		if n, ok := c.Job().(Named); ok {
			return n.TaskSite()
		}
	}
	return ""
}

// callersPlace is the place of the first function on the stack that is not ours.
func callersPlace() string {
	var pcs [32]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs[:])])
	for {
		f, more := frames.Next()
		if !ours(f.Function) {
			return place(f.Function, f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}

func place(function, file string, line int) string {
	return fmt.Sprintf("%s:%d (%s)", file, line, function)
}

// placeOf is the place where a function is.
func placeOf(fn any) string {
	f := runtime.FuncForPC(reflect.ValueOf(fn).Pointer())
	file, line := f.FileLine(f.Entry())
	if name, method := strings.CutSuffix(f.Name(), "-fm"); method {
		return name // of a method value, whose code is the compiler's
	}
	return place(f.Name(), file, line)
}

// ours reports whether a function is the library's own, or the runtime's: not a test's, and not an example's.
func ours(function string) bool {
	if strings.HasPrefix(function, "iter.") || strings.HasPrefix(function, "runtime.") {
		return true
	}
	rest, ok := strings.CutPrefix(function, "github.com/corobridge/corobridge/")
	pkg, _, _ := strings.Cut(rest, ".")
	return ok && !strings.HasSuffix(pkg, "_test") && !strings.HasPrefix(pkg, "examples/")
}

// refused is ErrClosed, as the result of a call that would have queued a callback.
func (l *Loop) refused(call string) error {
	if l.debug {
		l.logger.Warn("reactor: a callback was scheduled after Close", slog.String("call", call), slog.String("at", l.Site()))
	}
	return ErrClosed
}

// Named is an entry of the ready queue, or the job of a coroutine, that is a task. It is for package task.
type Named interface {
	TaskName() string // "" if it has none
	TaskSite() string // where it was started; "" unless in debug mode
}

// nameOf returns the name of the task that v is or resumes, "" if it is none.
func nameOf(v any) string {
	if c, ok := v.(*coro.Coro); ok {
		v = c.Job()
	}
	if n, ok := v.(Named); ok {
		return n.TaskName()
	}
	return ""
}

// describe says what v, which the loop runs, is.
func describe(op, task string, v any) string {
	if task != "" {
		return "task " + task
	}
	switch v := v.(type) {
	case callback:
		return op + " " + placeOf(v)
	case interface{ calls() any }:
		return describe(op, task, v.calls())
	case *signalHandler:
		return "signal " + placeOf(v.fn)
	case *coro.Coro, Named:
		return "task"
	default:
		return fmt.Sprintf("%s %T", op, v)
	}
}
