//go:build (unix && !aix) || windows

package poll

import (
	"sync"
	"syscall"
	"time"
)

// scanner is a system call that is told of every descriptor in each call, keeps nothing in between,
// and is level-triggered: poll(2) and select(2).
type scanner interface {
	// admit refuses a descriptor that can't be watched.
	admit(fd int) error
	// clear drops what was watched.
	clear()
	// watch adds a descriptor, with the directions to look at.
	watch(fd int, armed Events)
	// scan waits until a descriptor is ready, at most timeout (negative: no bound), and returns how
	// many are ready.
	scan(timeout time.Duration) (ready int, err error)
	// found returns what the last scan has found of the i-th descriptor that was added. closed is
	// for one that is not open any more.
	found(i int) (ev Events, closed bool)
}

// table is the poller on a scanner. The registrations are in a table here. An edge is made by not
// watching what was reported until Rearm.
//
// Each round of Wait takes a snapshot of the table, waits for it without the lock, and then reports
// under the lock. It reports by what the registration says then, so an event of a removed
// registration is never returned. A change that concerns a waiting goroutine is signalled to it by
// the waker. Wait then takes a new snapshot and goes on for the time that is left. So the caller of
// Wait sees no wake-up that is not its own.
//
// While the system call goes on, the kernel holds the open files of the snapshot, and a descriptor
// that is closed meanwhile does not end its file: a listener would go on accepting. So Remove waits
// until the call has ended, which the waker has just been told to bring about.
type table struct {
	scanner // Wait only, and admit

	mu        sync.Mutex
	byFD      map[int]*registration
	all       []*registration // dense, in no order; see registration.index
	scanning  bool            // a Wait is in the kernel, or about to be
	scanned   *sync.Cond      // scanning was cleared
	rounds    uint64          // counts the scans
	waiting   bool            // scanning, and was not signalled yet
	signalled bool            // the waker is readable
	woken     bool            // Wake was called and no Wait has returned since
	closed    bool
	wake      waker

	// Wait only.
	snap  []*registration // snap[i] is the scanner's i+1; its 0 is the waker
	first int             // where the next report begins, so that a short into starves nobody
}

// A registration is watched for the directions that are armed, and always for Hangup and Error,
// which the kernel reports unasked.
//
// An edge registration that has told of those must leave the snapshot altogether, since the kernel
// would tell them again: it is muted. muted is never set in Level mode. gone is never cleared, and
// such a registration is in the table only until Add, Modify or Remove finds it.
type registration struct {
	fd    int
	tag   uint64
	mode  Mode
	want  Events
	armed Events // directions to report: always want in Level mode
	muted bool   // has told of a hang-up or an error; Rearm and Modify clear it
	gone  bool   // the descriptor was found closed: never watched again
	index int    // in table.all; -1 when removed
}

func newTable(s scanner) (*table, error) {
	wake, err := newWaker()
	if err != nil {
		return nil, err
	}
	p := &table{scanner: s, byFD: make(map[int]*registration), wake: wake}
	p.scanned = sync.NewCond(&p.mu)
	return p, nil
}

func (p *table) Add(fd int, tag uint64, want Events, mode Mode) error {
	if tag == ReservedTag {
		return syscall.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return syscall.EBADF
	}
	if err := p.admit(fd); err != nil {
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

func (p *table) Modify(fd int, tag uint64, want Events, mode Mode) error {
	if tag == ReservedTag {
		return syscall.EINVAL
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.find(fd)
	if err != nil {
		return err
	}
	if r.gone { // its number is another file's by now
		p.forget(r)
		return syscall.ENOENT
	}
	r.tag, r.mode, r.want, r.armed, r.muted = tag, mode, want, want, false
	return p.changed()
}

func (p *table) Remove(fd int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, err := p.find(fd)
	if err != nil {
		return err
	}
	p.forget(r)
	if err := p.changed(); err != nil {
		return err
	}
	p.letGo()
	return nil
}

// letGo waits until the system call that is under way has ended. The caller holds mu, and has told
// the waker.
func (p *table) letGo() {
	for round := p.rounds; p.scanning && p.rounds == round; {
		p.scanned.Wait()
	}
}

// find returns fd's registration. The caller holds mu.
func (p *table) find(fd int) (*registration, error) {
	if p.closed {
		return nil, syscall.EBADF
	}
	r := p.byFD[fd]
	if r == nil {
		return nil, syscall.ENOENT
	}
	return r, nil
}

// forget takes r out of the table. The caller holds mu.
func (p *table) forget(r *registration) {
	last := len(p.all) - 1
	p.all[r.index] = p.all[last]
	p.all[r.index].index = r.index
	p.all[last] = nil
	p.all = p.all[:last]
	r.index = -1
	delete(p.byFD, r.fd)
}

// changed tells a Wait that is under way, once, that its snapshot is old. The caller holds mu.
func (p *table) changed() error {
	if !p.waiting {
		return nil
	}
	p.waiting, p.signalled = false, true
	return p.wake.signal()
}

func (p *table) Rearm(fd int, want Events) {
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
	// The waker is open as long as the table is, and a write to it has no other way to fail.
	_ = p.changed()
}

func (p *table) NeedsRearm() bool     { return true }
func (p *table) KeepsProcessor() bool { return false }
func (p *table) ForgetsClosed() bool  { return false }

func (p *table) Wait(into []Event, timeout time.Duration) (int, error) {
	return rounds(p, into, timeout)
}

// round takes a snapshot, waits, and reports. It is not done if a change of the table was all that
// happened.
func (p *table) round(into []Event, timeout time.Duration) (n int, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, true, syscall.EBADF
	}
	p.snapshot()
	if p.woken {
		timeout = 0
	}
	p.waiting, p.scanning = true, true
	p.rounds++
	p.mu.Unlock()
	ready, err := p.scan(timeout)
	p.mu.Lock()
	p.waiting, p.scanning = false, false
	p.scanned.Broadcast()
	changed := p.signalled
	if p.signalled {
		p.signalled = false
		p.wake.drain()
	}
	woken := p.woken
	p.woken = false
	if err == syscall.EINTR {
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

// snapshot writes down what to wait for. The caller holds mu.
func (p *table) snapshot() {
	clear(p.snap)
	p.snap = p.snap[:0]
	p.clear()
	p.watch(p.wake.fd(), Readable)
	for _, r := range p.all {
		if r.gone || r.muted {
			continue
		}
		p.watch(r.fd, r.armed)
		p.snap = append(p.snap, r)
	}
}

// collect reports the results of the snapshot, and starts where the last report ended. The caller
// holds mu.
func (p *table) collect(into []Event) (n int) {
	count := len(p.snap)
	start := p.first
	for i := range count {
		at := (start + i) % count
		found, closed := p.found(at + 1)
		if found == 0 {
			continue
		}
		if n == len(into) {
			p.first = at
			return n
		}
		if ev := p.snap[at].take(found, closed); ev != 0 {
			into[n] = Event{Tag: p.snap[at].tag, Events: ev}
			n++
		}
	}
	return n
}

// take returns what is to be reported of r, by its present state. It disarms an edge registration.
func (r *registration) take(found Events, closed bool) Events {
	if r.index < 0 || r.muted {
		return 0
	}
	watched := r.armed | Hangup | Error
	if watched&Readable != 0 {
		watched |= ReadHangup
	}
	ev := found & watched
	r.gone = closed
	if r.mode == Edge {
		r.armed &^= ev
		r.muted = ev&(Hangup|Error) != 0
	}
	return ev
}

func (p *table) Wake() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return syscall.EBADF
	}
	p.woken = true
	return p.changed()
}

func (p *table) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return syscall.EBADF
	}
	p.closed = true
	p.byFD, p.all, p.snap = nil, nil, nil
	return p.wake.close()
}
