//go:build unix && !linux && !aix

package poll

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// waker is a descriptor that becomes readable when it is signalled, for a wait to watch: a pipe.
type waker struct{ out, in int }

func newWaker() (waker, error) {
	var ends [2]int
	syscall.ForkLock.RLock() // there is no pipe2 on macOS
	err := unix.Pipe(ends[:])
	if err == nil {
		unix.CloseOnExec(ends[0])
		unix.CloseOnExec(ends[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return waker{-1, -1}, err
	}
	w := waker{ends[0], ends[1]}
	for _, fd := range ends {
		if err := unix.SetNonblock(fd, true); err != nil {
			w.close()
			return waker{-1, -1}, err
		}
	}
	return w, nil
}

// fd is what to watch, level-triggered.
func (w waker) fd() int { return w.out }

// signal makes the waker readable; a pipe that is full is so already.
func (w waker) signal() error {
	for {
		_, err := unix.Write(w.in, []byte{1})
		switch err {
		case nil, unix.EAGAIN:
			return nil
		case unix.EINTR:
		default:
			return err
		}
	}
}

// drain makes the waker unreadable again.
func (w waker) drain() {
	var some [256]byte
	for {
		if n, err := unix.Read(w.out, some[:]); n < len(some) && err != unix.EINTR {
			return
		}
	}
}

func (w waker) close() error {
	err := unix.Close(w.out)
	if e := unix.Close(w.in); err == nil {
		err = e
	}
	return err
}
