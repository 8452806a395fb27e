package seam

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// OpenProcess returns a new descriptor of p's pidfd, which is readable when the process has exited. It refers to p even if the
// number of the process is another's by now. The error matches errors.ErrUnsupported where there is no pidfd (before Linux
// 5.4, or where a sandbox refuses them), os.ErrProcessDone if p has been waited for, or is the system call's.
func OpenProcess(p *os.Process) (fd int, err error) {
	var dupErr error
	err = p.WithHandle(func(handle uintptr) { fd, dupErr = unix.FcntlInt(handle, unix.F_DUPFD_CLOEXEC, 0) })
	switch {
	case errors.Is(err, os.ErrNoHandle):
		return -1, errors.ErrUnsupported
	case err != nil:
		return -1, err
	case dupErr != nil:
		return -1, os.NewSyscallError("fcntl", dupErr)
	}
	return fd, nil
}

// CloseProcess closes what OpenProcess has returned.
func CloseProcess(fd int) { unix.Close(fd) }
