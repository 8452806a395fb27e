package seam

import (
	"slices"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
)

// Poller returns a poller that make has made, with the faults.
func (l *FaultLayer) Poller(make func() (poll.Poller, error)) (poll.Poller, error) {
	p, err := make()
	if l == nil || err != nil {
		return p, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f := &faultyPoller{Poller: p, faults: l, edges: map[int]edge{}, owed: map[int]poll.Events{}}
	l.pollers = append(l.pollers, f)
	return f, nil
}

// faultyPoller is a Poller whose waits end early, and which reports again what a faultyKernel has pretended to block. A poller that is
// rearmed, or a level-triggered registration, does the latter by itself.
type faultyPoller struct {
	poll.Poller
	faults *FaultLayer

	// Guarded by the layer's mutex.
	edges   map[int]edge
	owed    map[int]poll.Events
	waiting bool // a Wait is under way that knows nothing of what is owed since
}

type edge struct {
	tag  uint64
	want poll.Events
}

// note writes down a registration, before it is made: what is owed may come at once. undo takes it back.
func (p *faultyPoller) note(fd int, tag uint64, want poll.Events, mode poll.Mode) (undo func()) {
	if p.NeedsRearm() {
		return func() {}
	}
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	before, was := p.edges[fd]
	owed := p.owed[fd]
	p.forget(fd)
	if mode == poll.Edge {
		p.edges[fd] = edge{tag, want}
	}
	return func() {
		p.faults.mu.Lock()
		defer p.faults.mu.Unlock()
		p.forget(fd)
		if was {
			p.edges[fd] = before
		}
		if owed != 0 {
			p.owed[fd] = owed
		}
	}
}

func (p *faultyPoller) Add(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	undo := p.note(fd, tag, want, mode)
	err := p.Poller.Add(fd, tag, want, mode)
	if err != nil {
		undo()
	}
	return err
}

func (p *faultyPoller) Modify(fd int, tag uint64, want poll.Events, mode poll.Mode) error {
	undo := p.note(fd, tag, want, mode)
	err := p.Poller.Modify(fd, tag, want, mode)
	if err != nil {
		undo()
	}
	return err
}

func (p *faultyPoller) Remove(fd int) error {
	p.faults.mu.Lock()
	p.forget(fd)
	p.faults.mu.Unlock()
	return p.Poller.Remove(fd)
}

// forget drops a registration, and owe notes that a direction of fd is to be reported; both are called with the mutex.
func (p *faultyPoller) forget(fd int) {
	delete(p.edges, fd)
	delete(p.owed, fd)
}

func (p *faultyPoller) owe(fd int, dir poll.Events) {
	if e, ok := p.edges[fd]; !ok || e.want&dir == 0 {
		return
	}
	p.owed[fd] |= dir
	if p.waiting {
		p.waiting = false
		p.Poller.Wake() // of an eventfd: it has no way to fail as long as the poller is open
	}
}

// Wait does not wait for the kernel while something is owed.
func (p *faultyPoller) Wait(into []poll.Event, timeout time.Duration) (int, error) {
	if p.faults.happens(waits, p.faults.EINTR) {
		return 0, nil
	}
	p.faults.mu.Lock()
	if len(p.owed) > 0 {
		timeout = 0
	}
	p.waiting = true
	p.faults.mu.Unlock()
	n, err := p.Poller.Wait(into, timeout)
	p.faults.mu.Lock()
	defer p.faults.mu.Unlock()
	p.waiting = false
	if err != nil {
		return n, err
	}
	for fd, dir := range p.owed {
		if n == len(into) {
			break
		}
		into[n] = poll.Event{Tag: p.edges[fd].tag, Events: dir}
		delete(p.owed, fd)
		n++
	}
	return n, nil
}

func (p *faultyPoller) Close() error {
	p.faults.mu.Lock()
	p.faults.pollers = slices.DeleteFunc(p.faults.pollers, func(q *faultyPoller) bool { return q == p })
	p.faults.mu.Unlock()
	return p.Poller.Close()
}
