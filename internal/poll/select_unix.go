//go:build unix && !aix

package poll

import (
	"fmt"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// selectLimit is FD_SETSIZE: a set has a bit for each descriptor below it.
const selectLimit = len(unix.FdSet{}.Bits) * unix.NFDBITS

// longestSelect is the longest timeout that every system takes: three years.
const longestSelect = 100_000_000 * time.Second

// NewSelect makes a poller on select(2). It watches descriptors below FD_SETSIZE only, which is
// 1024 nearly everywhere. For a higher one Add fails with an error that says so and matches
// syscall.EINVAL; NewSelect itself fails so if its own descriptor would be too high.
//
// For select, out-of-band data is an exceptional condition. It has no word for a hang-up and an
// error: those make a descriptor readable and writable. So once all directions of an edge
// registration have been told, not even a hang-up is told until Rearm.
func NewSelect() (Poller, error) {
	p, err := newTable(&selectScan{})
	if err != nil {
		return nil, err
	}
	if err := belowLimit(p.wake.fd()); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func belowLimit(fd int) error {
	if fd >= selectLimit {
		return fmt.Errorf("poll: select(2) watches descriptors below %d only, and this one is %d: %w", selectLimit, fd, syscall.EINVAL)
	}
	return nil
}

// selectScan is select(2).
type selectScan struct {
	fds    []int
	end    int           // one more than the highest of them
	want   [3]unix.FdSet // to read, to write, exceptional
	ready  [3]unix.FdSet // of those
	closed map[int]bool  // found out when select had refused them all
	most   unix.Timeval  // the timeout, here so that it needs no memory of its own
}

func (s *selectScan) admit(fd int) error {
	if err := isOpen(fd); err != nil {
		return err
	}
	return belowLimit(fd)
}

func (s *selectScan) clear() {
	s.fds, s.end = s.fds[:0], 0
	clear(s.want[:])
	clear(s.closed)
}

func (s *selectScan) watch(fd int, armed Events) {
	s.fds = append(s.fds, fd)
	s.end = max(s.end, fd+1)
	for set, dir := range selectSets {
		if armed&dir != 0 {
			s.want[set].Set(fd)
		}
	}
}

// selectSets says what each set of select is for.
var selectSets = [3]Events{Readable, Writable, Priority}

func (s *selectScan) scan(timeout time.Duration) (int, error) {
	var most *unix.Timeval
	if timeout >= 0 {
		s.most = timeval(timeout)
		most = &s.most
	}
	s.ready = s.want
	n, err := unix.Select(s.end, &s.ready[0], &s.ready[1], &s.ready[2], most)
	if err == unix.EBADF {
		return s.findClosed()
	}
	return n, err
}

// timeval rounds up, as milliseconds does: NsecToTimeval sees to that.
func timeval(timeout time.Duration) unix.Timeval {
	return unix.NsecToTimeval(int64(min(timeout, longestSelect)))
}

// findClosed looks for what select refuses to say: which of the descriptors is closed. If none is,
// the number of one has been used again in the meantime. That counts as an interruption.
func (s *selectScan) findClosed() (n int, err error) {
	clear(s.ready[:])
	for _, fd := range s.fds {
		if isOpen(fd) != nil {
			s.markClosed(fd)
			n++
		}
	}
	if n == 0 {
		return 0, unix.EINTR
	}
	return n, nil
}

func (s *selectScan) markClosed(fd int) {
	if s.closed == nil {
		s.closed = map[int]bool{}
	}
	s.closed[fd] = true
}

func (s *selectScan) found(i int) (ev Events, closed bool) {
	fd := s.fds[i]
	if s.closed[fd] {
		return Error, true
	}
	for set, dir := range selectSets {
		if s.ready[set].IsSet(fd) {
			ev |= dir
		}
	}
	return ev, false
}
