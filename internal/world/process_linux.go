package world

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// openProcess duplicates p's pidfd. There is none before Linux 5.4, or where a sandbox refuses it.
func openProcess(p *os.Process) (fd int, err error) {
	var dupErr error
	err = p.WithHandle(func(handle uintptr) {
		fd, dupErr = unix.FcntlInt(handle, unix.F_DUPFD_CLOEXEC, 0)
	})
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
