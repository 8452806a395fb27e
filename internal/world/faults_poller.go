package world

import (
	"time"

	"github.com/corobridge/corobridge/internal/poll"
)

// faultyPoller is the poller of a faultyWorld. Its waits end early, and it reports again what the
// world has pretended to block. A poller that is rearmed, or a level-triggered registration, does
// the latter by itself.
type faultyPoller struct {
	poll.Poller
	world *faultyWorld

	// Guarded by the world's mutex.
	edges   map[int]edge
	owed    map[int]poll.Events
	waiting bool // a Wait is under way that does not know what is owed since it began
}

// edge is an edge registration.
type edge struct {
	tag  uint64
	want poll.Events
}

// note writes down a registration. That comes before the registration is made, because what is owed
// may come at once. undo takes the note back.
func (p *faultyPoller) note(fd int, tag uint64, want poll.Events, mode poll.Mode) (undo func()) {
	if p.NeedsRearm() {
		return func() {}
	}
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	before, was := p.edges[fd]
	owed := p.owed[fd]
	p.forget(fd)
	if mode == poll.Edge {
		p.edges[fd] = edge{tag, want}
	}
	return func() {
		p.world.mu.Lock()
		defer p.world.mu.Unlock()
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
	p.world.mu.Lock()
	p.forget(fd)
	p.world.mu.Unlock()
	return p.Poller.Remove(fd)
}

// forget drops a registration. It is called with the mutex.
func (p *faultyPoller) forget(fd int) {
	delete(p.edges, fd)
	delete(p.owed, fd)
}

// owe notes that a direction of fd is to be reported. It is called with the mutex.
func (p *faultyPoller) owe(fd int, dir poll.Events) {
	if e, ok := p.edges[fd]; !ok || e.want&dir == 0 {
		return
	}
	p.owed[fd] |= dir
	if p.waiting {
		p.waiting = false
		p.Poller.Wake() // of an eventfd, which can't fail as long as the poller is open
	}
}

// Wait does not wait for the kernel while something is owed.
func (p *faultyPoller) Wait(into []poll.Event, timeout time.Duration) (int, error) {
	w := p.world
	if w.happens(waits, w.faults.EINTR) {
		return 0, nil
	}
	w.mu.Lock()
	if len(p.owed) > 0 {
		timeout = 0
	}
	p.waiting = true
	w.mu.Unlock()
	n, err := p.Poller.Wait(into, timeout)
	w.mu.Lock()
	defer w.mu.Unlock()
	p.waiting = false
	if err != nil {
		return n, err
	}
	for fd, dir := range p.owed {
		if n == len(into) {
			break
		}
		e := p.edges[fd]
		if dir&poll.Readable != 0 {
			dir |= e.want & poll.Priority // the kernel repeats that too; too many do no harm
		}
		into[n] = poll.Event{Tag: e.tag, Events: dir}
		delete(p.owed, fd)
		n++
	}
	return n, nil
}

func (p *faultyPoller) Close() error {
	p.world.drop(p)
	return p.Poller.Close()
}
