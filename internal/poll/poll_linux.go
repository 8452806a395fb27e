package poll

import (
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// poll(2) keeps nothing between calls and is level-triggered, so the registrations are in a table here, and an edge
// is made by no longer watching what was reported until Rearm.
//
// Each round of Wait takes a snapshot of the table, waits for it without the lock, and then
// reports under the lock, by what the registration says *now*: so an event of a removed registration is never returned.
// A change that a waiting goroutine must know of is signalled to it by an eventfd; Wait then takes
// a new snapshot and goes on for the time that is left, so its caller sees no wake-up that is not his.
type pollTable struct {
	mu        sync.Mutex
	byFD      map[int]*registration
	all       []*registration // dense, in no order; registration.index is the place
	waiting   bool            // a Wait is in the kernel with an old snapshot, and was not signalled yet
	signalled bool            // wakeFD is readable
	woken     bool            // Wake was called and no Wait has returned since
	wakeFD    int             // -1 when closed

	// Wait only.
	fds   []unix.PollFd   // fds[0] is wakeFD
	snap  []*registration // snap[i] belongs to fds[i+1]
	first int             // where the next report begins, so that a short into starves nobody
}

// A registration is watched for the directions that are armed, and always for Hangup and Error, which the kernel reports
// unasked; so an edge registration that has told of those has to leave the snapshot altogether: it is muted.
type registration struct {
	fd    int
	tag   uint64
	mode  Mode
	want  Events
	armed Events // directions to report: always want in Level mode
	muted bool   // has told of a hang-up or an error; Rearm and Modify clear it
	gone  bool   // the descriptor was found closed: never watched again
	index int    // in pollTable.all; -1 when removed
}

// NewPoll makes a poller on poll(2): for a system, or a sandbox, without epoll, and as a second opinion in tests. Its
// cost grows with the number of descriptors.
func NewPoll() (Poller, error) {
	wakeFD, err := newEventfd()
	if err != nil {
		return nil, err
	}
	return &pollTable{byFD: make(map[int]*registration), wakeFD: wakeFD}, nil
}

func (p *pollTable) Add(fd int, tag uint64, want Events, mode Mode) error {
	if tag == ReservedTag {
		return syscall.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wakeFD < 0 {
		return syscall.EBADF
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
		return err
	}
	if old := p.byFD[fd]; old != nil {
		if !old.gone {
			return syscall.EEXIST
		}
		p.forget(old)
	}
	r := &registration{fd: fd, tag: tag, mode: mode, want: want, armed: want, index: len(p.all)}
	p.byFD[fd] = r
	p.all = append(p.all, r)
	return p.changed()
}

func (p *pollTable) Modify(fd int, tag uint64, want Events, mode Mode) error {
	if tag == ReservedTag {
		return syscall.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.find(fd)
	if err != nil {
		return err
	}
	r.tag, r.mode, r.want, r.armed, r.muted = tag, mode, want, want, false
	return p.changed()
}

func (p *pollTable) Remove(fd int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.find(fd)
	if err != nil {
		return err
	}
	p.forget(r)
	return p.changed()
}

// find returns fd's registration; the caller holds mu.
func (p *pollTable) find(fd int) (*registration, error) {
	if p.wakeFD < 0 {
		return nil, syscall.EBADF
	}
	r := p.byFD[fd]
	if r == nil {
		return nil, syscall.ENOENT
	}
	return r, nil
}

// forget takes r out of the table; the caller holds mu.
func (p *pollTable) forget(r *registration) {
	last := len(p.all) - 1
	p.all[r.index] = p.all[last]
	p.all[r.index].index = r.index
	p.all[last] = nil
	p.all = p.all[:last]
	r.index = -1
	delete(p.byFD, r.fd)
}

// changed tells a Wait under way, once, that its snapshot is old; the caller holds mu.
func (p *pollTable) changed() error {
	if !p.waiting {
		return nil
	}
	p.waiting, p.signalled = false, true
	return signal(p.wakeFD)
}

func (p *pollTable) Rearm(fd int, want Events) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.byFD[fd]
	if r == nil || r.mode != Edge {
		return
	}
	armed := r.armed | want&r.want
	if armed == r.armed && !r.muted {
		return
	}
	r.armed, r.muted = armed, false
	// The eventfd is open as long as the table is, and a write to it has no other way to fail.
	_ = p.changed()
}

func (p *pollTable) NeedsRearm() bool    { return true }
func (p *pollTable) ForgetsClosed() bool { return false }

func (p *pollTable) Wait(into []Event, timeout time.Duration) (int, error) {
	if len(into) == 0 {
		return 0, syscall.EINVAL
	}
	var deadline time.Time
	if timeout > 0 {
		deadline = time.Now().Add(timeout)
	}
	for {
		n, done, err := p.round(into, timeout)
		if done || err != nil {
			return n, err
		}
		if timeout > 0 {
			timeout = max(time.Until(deadline), 0)
		}
	}
}

// round takes a snapshot, waits, and reports. It is not done when a change of the table was all that happened.
func (p *pollTable) round(into []Event, timeout time.Duration) (n int, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wakeFD < 0 {
		return 0, true, syscall.EBADF
	}
	p.snapshot()
	if p.woken {
		timeout = 0
	}
	p.waiting = true
	p.mu.Unlock()
	// An ordinary call even for a timeout of 0, unlike epoll's: its length is not bounded, it grows with the table.
	ready, err := unix.Poll(p.fds, milliseconds(timeout))
	p.mu.Lock()
	p.waiting = false
	changed := p.signalled
	if p.signalled {
		p.signalled = false
		drain(p.wakeFD)
	}
	woken := p.woken
	p.woken = false
	if err == unix.EINTR {
		return 0, true, nil
	}
	if err != nil {
		return 0, true, err
	}
	if ready > 0 {
		n = p.collect(into)
	}
	return n, n > 0 || woken || timeout == 0 || !changed, nil
}

// snapshot writes down what to wait for; the caller holds mu.
func (p *pollTable) snapshot() {
	clear(p.snap)
	p.fds, p.snap = p.fds[:0], p.snap[:0]
	p.fds = append(p.fds, unix.PollFd{Fd: int32(p.wakeFD), Events: unix.POLLIN})
	for _, r := range p.all {
		if r.gone || r.muted {
			continue
		}
		// With nothing armed the kernel still tells of a hang-up and an error.
		p.fds = append(p.fds, unix.PollFd{Fd: int32(r.fd), Events: int16(request(r.armed))})
		p.snap = append(p.snap, r)
	}
}

// collect reports the snapshot's results, starting where the last report ended; the caller holds mu.
func (p *pollTable) collect(into []Event) (n int) {
	count := len(p.snap)
	start := p.first
	for i := range count {
		at := (start + i) % count
		bits := p.fds[at+1].Revents
		if bits == 0 {
			continue
		}
		if n == len(into) {
			p.first = at
			return n
		}
		if ev := p.snap[at].take(uint32(uint16(bits))); ev != 0 {
			into[n] = Event{Tag: p.snap[at].tag, Events: ev}
			n++
		}
	}
	return n
}

// take returns what is to be reported of r, by its present state, and disarms it if it is an edge registration.
func (r *registration) take(bits uint32) Events {
	if r.index < 0 || r.muted {
		return 0
	}
	watched := r.armed | Hangup | Error
	if watched&Readable != 0 {
		watched |= ReadHangup
	}
	ev := report(bits) & watched
	r.gone = bits&unix.POLLNVAL != 0
	if r.mode == Edge {
		r.armed &^= ev
		r.muted = ev&(Hangup|Error) != 0
	}
	return ev
}

func (p *pollTable) Wake() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wakeFD < 0 {
		return syscall.EBADF
	}
	p.woken = true
	return p.changed()
}

func (p *pollTable) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wakeFD < 0 {
		return syscall.EBADF
	}
	err := unix.Close(p.wakeFD)
	p.wakeFD = -1
	p.byFD, p.all, p.snap = nil, nil, nil
	return err
}
