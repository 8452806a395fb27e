//go:build unix

package compat_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/stream"
)

// pyError is an exception of a script.
type pyError struct{ name, msg string }

func (e *pyError) Error() string { return e.name + ": " + e.msg }

// raised is the error that stands for an exception.
func raised(name, msg string) error {
	switch name {
	case "ExitNow":
		return fmt.Errorf("%w%w", asyncore.ErrExitNow, &pyError{name, msg})
	case "KeyError":
		msg = "'" + msg + "'" // as str(KeyError("c")) is
	}
	return &pyError{name, msg}
}

// lastErrno is more than the highest number of an error.
const lastErrno = 200

// raisedErrno is an OSError with an error number, which it gives by its name.
func raisedErrno(name string) error {
	for e := syscall.Errno(1); e < lastErrno; e++ {
		if unix.ErrnoName(e) == name {
			return os.NewSyscallError("script", e)
		}
	}
	panic(fmt.Sprintf("no error is named %q", name))
}

// pythonNames are the subclasses of OSError.
var pythonNames = map[syscall.Errno]string{
	syscall.EAGAIN:       "BlockingIOError",
	syscall.ECONNREFUSED: "ConnectionRefusedError",
	syscall.ECONNRESET:   "ConnectionResetError",
	syscall.ECONNABORTED: "ConnectionAbortedError",
	syscall.EPIPE:        "BrokenPipeError",
	syscall.ESHUTDOWN:    "BrokenPipeError",
	syscall.ETIMEDOUT:    "TimeoutError",
	syscall.ENOENT:       "FileNotFoundError",
	syscall.EACCES:       "PermissionError",
	syscall.EPERM:        "PermissionError",
}

// pythonError is what Python would call an error.
func pythonError(err error) (name, msg string) {
	var py *pyError
	if errors.As(err, &py) {
		return py.name, py.msg
	}
	var errno syscall.Errno
	switch {
	case errors.As(err, &errno):
	case errors.Is(err, stream.ErrWouldBlock):
		errno = syscall.EAGAIN
	default:
		return fmt.Sprintf("%T", err), err.Error()
	}
	if name = pythonNames[errno]; name == "" {
		name = "OSError"
	}
	return name, unix.ErrnoName(errno)
}
