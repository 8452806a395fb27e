package poll

import (
	"sync"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// poll(2) and epoll(7) give their conditions the same numbers on every architecture of Go, so both
// use the translations in bits.go. This line does not compile where the numbers differ.
var _ [0]struct{} = [(unix.POLLIN ^ unix.EPOLLIN) | (unix.POLLPRI ^ unix.EPOLLPRI) | (unix.POLLOUT ^ unix.EPOLLOUT) |
	(unix.POLLERR ^ unix.EPOLLERR) | (unix.POLLHUP ^ unix.EPOLLHUP) | (unix.POLLRDHUP ^ unix.EPOLLRDHUP)]struct{}{}

// epoll is edge-triggered itself, and the kernel keeps the registrations: there is no table here.
//
// Wake writes to an eventfd that is registered edge-triggered and never read. Each write is an
// edge, so a wake-up costs one call, not two.
type epoll struct {
	// mu is held for reading by the calls that may come from any goroutine. So Close can't take a
	// descriptor away while they use it: a late Wake would write into whatever file got its number.
	mu   sync.RWMutex
	fd   int // of epoll itself; -1 when closed
	wake waker

	// Wait and KeepsProcessor only.
	buf    []unix.EpollEvent
	keeper keeper
}

// NewEpoll makes a poller on epoll(7).
func NewEpoll() (Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := newWaker()
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	ev := epollEvent(unix.EPOLLIN|unix.EPOLLET, ReservedTag)
	if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, wake.fd(), &ev); err != nil {
		wake.close()
		unix.Close(fd)
		return nil, err
	}
	return &epoll{fd: fd, wake: wake, keeper: newKeeper()}, nil
}

// epollEvent splits the tag over the two halves of the kernel's 64 bits. Their place differs
// between architectures.
func epollEvent(bits uint32, tag uint64) unix.EpollEvent {
	return unix.EpollEvent{Events: bits, Fd: int32(uint32(tag)), Pad: int32(uint32(tag >> 32))}
}

func epollTag(ev *unix.EpollEvent) uint64 {
	return uint64(uint32(ev.Fd)) | uint64(uint32(ev.Pad))<<32
}

func (p *epoll) Add(fd int, tag uint64, want Events, mode Mode) error {
	return p.control(unix.EPOLL_CTL_ADD, fd, tag, want, mode)
}

func (p *epoll) Modify(fd int, tag uint64, want Events, mode Mode) error {
	return p.control(unix.EPOLL_CTL_MOD, fd, tag, want, mode)
}

func (p *epoll) Remove(fd int) error {
	return p.control(unix.EPOLL_CTL_DEL, fd, 0, 0, Level)
}

func (p *epoll) control(op, fd int, tag uint64, want Events, mode Mode) error {
	if tag == ReservedTag {
		return syscall.EINVAL
	}
	if err := inRange(fd); err != nil {
		return err
	}
	bits := request(want)
	if mode == Edge {
		bits |= unix.EPOLLET
	}
	ev := epollEvent(bits, tag)
	p.mu.RLock()
	defer p.mu.RUnlock()
	return unix.EpollCtl(p.fd, op, fd, &ev)
}

func (p *epoll) Rearm(int, Events)   {}
func (p *epoll) NeedsRearm() bool    { return false }
func (p *epoll) ForgetsClosed() bool { return true }

func (p *epoll) Wait(into []Event, timeout time.Duration) (int, error) {
	if len(into) == 0 {
		return 0, syscall.EINVAL
	}
	if len(p.buf) < len(into) {
		p.buf = make([]unix.EpollEvent, len(into))
	}
	got := p.buf[:len(into)]
	n, err := p.wait(got, timeout)
	if err == unix.EINTR {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	out := 0
	for i := range got[:n] {
		if tag := epollTag(&got[i]); tag != ReservedTag {
			into[out] = Event{Tag: tag, Events: report(got[i].Events)}
			out++
		}
	}
	return out, nil
}

func (p *epoll) KeepsProcessor() bool { return p.keeper.keeps() }

func (p *epoll) wait(got []unix.EpollEvent, timeout time.Duration) (n int, err error) {
	if timeout == 0 {
		return epollRaw(p.fd, got, 0)
	}
	k := &p.keeper
	k.waits++
	if k.keeps() {
		n, err = epollRaw(p.fd, got, milliseconds(timeout))
		k.interrupted = err == unix.EINTR
		return n, err
	}
	k.interrupted = false
	return unix.EpollWait(p.fd, got, milliseconds(timeout))
}

// epollRaw is epoll_wait(2) without a word to the Go scheduler: if that were told of the call, it
// might take the processor away meanwhile, and getting it back costs more than the call. It is not
// inlined: a function's prologue is where the scheduler can stop a loop that does nothing but raw
// calls.
//
//go:noinline
func epollRaw(fd int, into []unix.EpollEvent, milliseconds int) (int, error) {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(into))), uintptr(len(into)), uintptr(milliseconds), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}

func (p *epoll) Wake() error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.fd < 0 {
		return syscall.EBADF
	}
	return p.wake.signal()
}

func (p *epoll) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return syscall.EBADF
	}
	err := unix.Close(p.fd)
	if e := p.wake.close(); err == nil {
		err = e
	}
	p.fd = -1
	return err
}
