package coro

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// ErrGoexit is the outcome of a body that called runtime.Goexit (as testing's FailNow does).
var ErrGoexit = errors.New("coro: runtime.Goexit was called")

// PanicError carries a recovered panic and the stack it had.
type PanicError struct {
	Value any
	Stack []byte
}

// Recovered wraps the value of a recover. It is called in the deferred function that recovered,
// where the stack of the panic is still there.
func Recovered(v any) *PanicError { return &PanicError{Value: v, Stack: debug.Stack()} }

// Unwound says why a call has not returned: a *PanicError, or ErrGoexit. It is called by the
// deferred function that found that out, as Unwound(recover()): v is what its recover returned.
//
// Of a panic(nil), which GODEBUG=panicnil=1 allows, recover tells as little as of a Goexit. Which
// of the two it is shows in who has called the deferred function.
func Unwound(v any) error {
	if v == nil {
		if !panicked() {
			return ErrGoexit
		}
		v = new(runtime.PanicNilError)
	}
	return Recovered(v)
}

// panicked reports whether the deferred function that has called Unwound was called by a panic, and
// not by a Goexit: it is one of the next callers.
func panicked() bool {
	var pcs [8]uintptr
	callers := runtime.CallersFrames(pcs[:runtime.Callers(1, pcs[:])])
	for more := true; more; {
		var f runtime.Frame
		switch f, more = callers.Next(); f.Function {
		case "runtime.gopanic":
			return true
		case "runtime.Goexit":
			return false
		}
	}
	return false
}

// Error gives the panic's value and where it was. The stack is in Stack: it has some fifty lines.
func (e *PanicError) Error() string {
	if place := placeOfPanic(e.Stack); place != "" {
		return fmt.Sprintf("panic: %v, at %s", e.Value, place)
	}
	return fmt.Sprintf("panic: %v", e.Value)
}

// placeOfPanic returns the function that has panicked and its place, of a stack as Recovered takes
// it.
func placeOfPanic(stack []byte) string {
	_, after, found := bytes.Cut(stack, []byte("\npanic("))
	if !found {
		return ""
	}
	for _, frame := range Frames(append([]byte("panic("), after...))[1:] {
		if !strings.HasPrefix(frame, "runtime.") { // of a nil pointer, or an index
			return frame
		}
	}
	return ""
}

// Frames returns a stack, as debug.Stack has it, with or without its heading, as one line for each
// frame: the function, and its place.
func Frames(stack []byte) (frames []string) {
	lines := strings.Split(strings.TrimSpace(string(stack)), "\n")
	if strings.HasPrefix(lines[0], "goroutine ") {
		lines = lines[1:]
	}
	for i := 0; i+1 < len(lines); i += 2 {
		call, place := lines[i], strings.TrimSpace(lines[i+1])
		if n := strings.LastIndexByte(call, '('); n > 0 && strings.HasSuffix(call, ")") {
			call = call[:n] // without the arguments
		}
		place, _, _ = strings.Cut(place, " +0x")
		frames = append(frames, call+" "+place)
	}
	return frames
}

// Unwrap returns the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
