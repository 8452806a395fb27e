package coro

import (
	"errors"
	"fmt"
	"runtime/debug"
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

// Error gives the panic's value and its stack.
func (e *PanicError) Error() string { return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack) }

// Unwrap returns the panic's value if that is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
