package loop

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/corobridge/corobridge/internal/coro"
)

// Site returns where the caller of this module stands, as "file:line (function)". In a task that
// this module has started for its user, it is where the user stood then. It is "" unless in debug
// mode.
func (c *Core) Site() string {
	if !c.debug {
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

// ours reports whether a function is the library's own, or the runtime's: not a test's, and not an
// example's.
func ours(function string) bool {
	if strings.HasPrefix(function, "iter.") || strings.HasPrefix(function, "runtime.") {
		return true
	}
	rest, ok := strings.CutPrefix(function, "github.com/corobridge/corobridge/")
	pkg, _, _ := strings.Cut(rest, ".")
	return ok && !strings.HasSuffix(pkg, "_test") && !strings.HasPrefix(pkg, "examples/")
}
