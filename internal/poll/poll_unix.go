//go:build unix && !aix

package poll

import (
	"time"

	"golang.org/x/sys/unix"
)

// NewPoll makes a poller on poll(2). It is for a system or a sandbox without epoll and kqueue, and
// a second opinion in tests. Its cost grows with the number of descriptors.
func NewPoll() (Poller, error) { return newTable(&pollScan{}) }

// pollScan is poll(2).
type pollScan struct{ fds []unix.PollFd }

func (s *pollScan) admit(fd int) error { return isOpen(fd) }

// isOpen returns EBADF if fd is no open descriptor.
func isOpen(fd int) error {
	if err := inRange(fd); err != nil {
		return err
	}
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	return err
}

func (s *pollScan) clear() { s.fds = s.fds[:0] }

// watch adds a descriptor. With nothing armed the kernel still tells of a hang-up and an error.
func (s *pollScan) watch(fd int, armed Events) {
	s.fds = append(s.fds, unix.PollFd{Fd: int32(fd), Events: int16(request(armed))})
}

// scan makes an ordinary call even for a timeout of 0, unlike epoll: how long it takes has no
// bound, it grows with the table.
func (s *pollScan) scan(timeout time.Duration) (int, error) {
	return unix.Poll(s.fds, milliseconds(timeout))
}

func (s *pollScan) found(i int) (ev Events, closed bool) {
	bits := uint32(uint16(s.fds[i].Revents))
	return report(bits), bits&unix.POLLNVAL != 0
}
