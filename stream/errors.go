package stream

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
)

var (
	// ErrClosed is the error of a connection or listener that was closed on this side.
	ErrClosed = net.ErrClosed
	// ErrDetached is the error of a handle whose connection belongs to another handle now.
	ErrDetached = errors.New("stream: connection was handed over")
	// ErrLineTooLong is the error of a line over the limit. Nothing was consumed.
	ErrLineTooLong = errors.New("stream: line over the limit")
	// ErrWouldBlock is the error of the Try methods when there is nothing they can do now.
	ErrWouldBlock = errors.New("stream: would block")
	// ErrBusy is the error of the Try methods, and of Unread, while an operation has the turn.
	ErrBusy = errors.New("stream: somebody else has the turn")

	// What WaitClosed tells after Abort, and after a Close that has given up.
	errAborted      = fmt.Errorf("stream: aborted: %w", ErrClosed)
	errCloseTimeout = errors.New("stream: peer did not take what was unsent")
)

// sysError is the error of a system call, nil for success.
func sysError(call string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError(call, errno)
}

// wrap says what was being done, and with which peer. The ends of a stream stay as they are: they
// are compared with ==.
func (e *endpoint) wrap(op string, err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF || err == ErrWouldBlock {
		return err
	}
	return fmt.Errorf("%s %s: %w", op, e.peer(), err)
}
