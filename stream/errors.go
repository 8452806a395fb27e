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
	ErrClosed      = net.ErrClosed                                           // the connection or listener was closed here
	ErrDetached    = errors.New("stream: connection was handed over")        // the connection belongs to another handle now
	ErrLineTooLong = errors.New("stream: line over the limit")               // nothing was consumed
	ErrWouldBlock  = errors.New("stream: would block")                       // the Try methods
	ErrBusy        = errors.New("stream: somebody else has the turn")        // the Try methods, and Unread
	errAborted     = fmt.Errorf("stream: aborted: %w", ErrClosed)            // how an aborted connection ended
	errCloseBound  = errors.New("stream: peer did not take what was unsent") // how a bounded Close ended
)

// sysError is the error of a system call, nil for success.
func sysError(call string, errno syscall.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError(call, errno)
}

// wrap says what was being done, with whom. The ends of a stream stay as they are: they are compared with ==.
func (e *endpoint) wrap(op string, err error) error {
	if err == nil || err == io.EOF || err == io.ErrUnexpectedEOF || err == ErrWouldBlock {
		return err
	}
	return fmt.Errorf("%s %s: %w", op, e.remote(), err)
}
