//go:build darwin || dragonfly || freebsd || netbsd || openbsd

package poll

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// kqueue is edge-triggered itself where a filter has EV_CLEAR. A descriptor has two filters here,
// one for each direction, wanted or not, because each filter tells of its own end only. The event
// of an unwanted filter is not reported; it has EV_CLEAR so that it comes once.
//
// The kernel keeps the filters, and forgets them when the descriptor is closed. What the caller
// said is in a table, because an event does not have room for 64 bits on each architecture. The
// event carries the number of the registration instead, so that a stale event is recognised.
type kqueue struct {
	mu      sync.Mutex
	fd      int // of kqueue itself; -1 when closed
	wake    waker
	byFD    map[int]*kfilters // may hold some whose descriptor has been closed
	last    uintptr           // the number of the newest registration
	changes []unix.Kevent_t   // room for one descriptor's

	// Wait only.
	buf     []unix.Kevent_t
	timeout unix.Timespec // here so that it needs no memory of its own
	rounds  uint64
}

// kfilters is the registration of a descriptor.
type kfilters struct {
	fd     int
	number uintptr
	tag    uint64
	want   Events
	mode   Mode
	set    Events // the directions that have a filter; Priority is one here
	ended  Events // the directions that were found at their end

	round uint64 // the last one that reported it
	at    int    // its place in that report
}

// longestKevent is the longest timeout that every system takes: three years.
const longestKevent = 100_000_000 * time.Second

// NewKqueue makes a poller on kqueue(2). FreeBSD and NetBSD have no filter for out-of-band data, so
// Priority is not reported there.
func NewKqueue() (Poller, error) {
	syscall.ForkLock.RLock()
	fd, err := unix.Kqueue()
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, err
	}
	wake, err := newWaker()
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	p := &kqueue{fd: fd, wake: wake, byFD: make(map[int]*kfilters), changes: kevents(len(kdirections))}
	watchWake := kfilters{fd: wake.fd()} // its number is 0, which no other has
	if err := p.change(&watchWake, Readable, unix.EV_ADD); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *kqueue) Add(fd int, tag uint64, want Events, mode Mode) error {
	if tag == ReservedTag {
		return syscall.EINVAL
	}
	if err := inRange(fd); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return syscall.EBADF
	}
	if old := p.byFD[fd]; old != nil && p.holds(old) {
		return syscall.EEXIST
	}
	r := p.newFilters(fd, tag, want, mode)
	if err := p.register(r); err != nil {
		return err
	}
	p.byFD[fd] = r
	return nil
}

// Modify makes new filters: the kernel does not change the EV_CLEAR of an old one, and a new one
// tells at once what it finds.
func (p *kqueue) Modify(fd int, tag uint64, want Events, mode Mode) error {
	if tag == ReservedTag {
		return syscall.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old, err := p.find(fd)
	if err != nil {
		return err
	}
	delete(p.byFD, fd)
	if err := p.drop(old); err != nil { // it was closed meanwhile, and the kernel has forgotten it
		return err
	}
	r := p.newFilters(fd, tag, want, mode)
	if err := p.register(r); err != nil {
		if p.register(old) == nil {
			p.byFD[fd] = old
		}
		return err
	}
	p.byFD[fd] = r
	return nil
}

func (p *kqueue) Remove(fd int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.find(fd)
	if err != nil {
		return err
	}
	delete(p.byFD, fd)
	return p.drop(r)
}

// find returns fd's registration. The caller holds mu.
func (p *kqueue) find(fd int) (*kfilters, error) {
	if p.fd < 0 {
		return nil, syscall.EBADF
	}
	r := p.byFD[fd]
	if r == nil {
		return nil, syscall.ENOENT
	}
	return r, nil
}

func (p *kqueue) newFilters(fd int, tag uint64, want Events, mode Mode) *kfilters {
	p.last = max(p.last+1, 1) // 0 is the waker's
	return &kfilters{fd: fd, number: p.last, tag: tag, want: want, mode: mode}
}

func (p *kqueue) Rearm(int, Events)    {}
func (p *kqueue) NeedsRearm() bool     { return false }
func (p *kqueue) KeepsProcessor() bool { return false }
func (p *kqueue) ForgetsClosed() bool  { return true }

func (p *kqueue) Wait(into []Event, timeout time.Duration) (int, error) {
	return rounds(p, into, timeout)
}

// round is not done if all that happened was for a registration that is gone, or in a direction
// that is not wanted.
func (p *kqueue) round(into []Event, timeout time.Duration) (n int, done bool, err error) {
	if len(p.buf) < len(into) {
		p.buf = kevents(len(into))
	}
	got := p.buf[:len(into)]
	var most *unix.Timespec
	if timeout >= 0 {
		p.timeout = unix.NsecToTimespec(int64(min(timeout, longestKevent)))
		most = &p.timeout
	}
	count, err := unix.Kevent(p.fd, nil, got, most)
	if err == unix.EINTR {
		return 0, true, nil
	}
	if err != nil {
		return 0, true, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	woken := false
	p.rounds++
	for i := range got[:count] {
		ev := &got[i]
		if *number(ev) == 0 {
			p.wake.drain()
			woken = true
		} else if r := p.byFD[int(ev.Ident)]; r != nil && r.number == *number(ev) {
			n = p.put(into, n, r, r.report(ev))
		}
	}
	return n, n > 0 || woken || timeout == 0 || count == 0, nil
}

// put adds what one filter has told to a report of n events. A descriptor's two filters make one
// event.
func (p *kqueue) put(into []Event, n int, r *kfilters, e Events) int {
	if e == 0 {
		return n
	}
	if r.round != p.rounds {
		r.round, r.at = p.rounds, n
		into[n] = Event{Tag: r.tag}
		n++
	}
	into[r.at].Events |= e
	return n
}

func (p *kqueue) Wake() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return syscall.EBADF
	}
	return p.wake.signal()
}

func (p *kqueue) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fd < 0 {
		return syscall.EBADF
	}
	err := unix.Close(p.fd)
	if e := p.wake.close(); err == nil {
		err = e
	}
	p.fd, p.byFD = -1, nil
	return err
}
