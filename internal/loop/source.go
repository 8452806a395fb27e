package loop

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/prefetch"
)

// Events is a set of conditions of a descriptor, a bit mask of the constants below.
type Events = poll.Events

const (
	Readable   = poll.Readable   // a read would not block
	Writable   = poll.Writable   // a write would not block
	Priority   = poll.Priority   // out-of-band data
	ReadHangup = poll.ReadHangup // the peer has shut down its writing side
	Hangup     = poll.Hangup     // both sides are down
	Error      = poll.Error      // an error is pending
)

// ReadyHandler is told of a descriptor's readiness, on the loop.
type ReadyHandler interface{ Ready(e Events) }

// Source is the registration of a descriptor, for its whole life. It is best a field of what owns
// the descriptor: the two are then one piece of memory. The zero Source is ready for Attach or
// Watch, one of them and once.
type Source struct {
	core    *Core
	fd      int
	tag     uint64
	handler ReadyHandler
	want    Events
	due     Events // found and not delivered; touched on the loop only
	mode    poll.Mode
	gone    atomic.Bool // it has been detached, or was never registered
}

// Attach registers fd, which must be non-blocking, for reading and writing, edge-triggered: h is
// told of each change once, on the loop. After a report, read or write until a call would block.
// Then call Blocked.
//
// It may be called from any goroutine, and the first report may come before it returns. A second
// call panics. The error is ErrClosed once Close has begun, or wraps the system call's: EBADF for a
// closed descriptor, EPERM for one that can't be watched, EEXIST for one that is watched.
func (s *Source) Attach(c *Core, fd int, h ReadyHandler) error {
	return s.register(c, fd, h, Readable|Writable|Priority, poll.Edge)
}

// Watch registers fd level-triggered: h is told each time the loop has looked and found fd ready
// for something in want. Otherwise it is as Attach.
func (s *Source) Watch(c *Core, fd int, h ReadyHandler, want Events) error {
	return s.register(c, fd, h, want, poll.Level)
}

// Change sets what a Watch is for. If fd was closed meanwhile, and its number is another file's,
// the error matches ENOENT, or is nil.
func (s *Source) Change(want Events) error {
	err := s.core.polling.poller.Modify(s.fd, s.tag, want, poll.Level)
	if err == nil {
		s.want = want
	}
	return err
}

// Core returns the loop that the descriptor was registered with, nil before that.
func (s *Source) Core() *Core { return s.core }

// FD returns the descriptor.
func (s *Source) FD() int { return s.fd }

func (s *Source) register(c *Core, fd int, h ReadyHandler, want Events, mode poll.Mode) error {
	if s.core != nil {
		panic("reactor: a Source is attached once; use a new one")
	}
	s.core, s.fd, s.handler, s.want, s.mode = c, fd, h, want, mode
	if c.closing.Load() {
		s.gone.Store(true) // nothing to detach
		return ErrClosed
	}
	c.sources.insert(s)
	if err := c.polling.poller.Add(fd, s.tag, want, mode); err != nil {
		s.Forget()
		if c.closing.Load() { // it closed the poller in the meantime
			return ErrClosed
		}
		return fmt.Errorf("reactor: watch descriptor %d: %w", fd, err)
	}
	return nil
}

// Blocked tells that the descriptor has been seen to block in the directions of want.
func (s *Source) Blocked(want Events) {
	if p := s.core.polling.poller; p.NeedsRearm() {
		p.Rearm(s.fd, want)
	}
}

// Detach ends the registration; the descriptor stays open. On the loop, the handler is not called
// any more; outside, a call may be under way. A second Detach does nothing, nor does one without a
// registration.
func (s *Source) Detach() error {
	if !s.Forget() {
		return nil
	}
	// The end of the loop ends the registration too.
	if err := s.core.polling.poller.Remove(s.fd); err != nil && !s.core.closing.Load() {
		return fmt.Errorf("reactor: stop watching descriptor %d: %w", s.fd, err)
	}
	return nil
}

// Closing is Detach for an owner that closes the descriptor next, and knows that no other
// descriptor refers to the same open file: the close itself then ends the registration where the
// poller allows that, and saves the system call.
func (s *Source) Closing() {
	if s.Forget() && !s.core.polling.poller.ForgetsClosed() {
		s.core.polling.poller.Remove(s.fd) // nothing to do about an error: the descriptor goes away
	}
}

// Forget drops all events for the descriptor from now on, without telling the poller. It reports
// whether it was registered.
func (s *Source) Forget() bool {
	if s.core == nil || !s.gone.CompareAndSwap(false, true) {
		return false
	}
	s.core.sources.drop(s)
	return true
}

// sourceTable gives each source a tag: the index of a slot, and in the upper half how often that
// slot has been used. An event whose tag is not the slot's present one is for a descriptor that has
// been closed.
type sourceTable struct {
	mu    sync.Mutex
	slots []slot
	free  []uint32
}

type slot struct {
	source *Source
	uses   uint32
}

func (t *sourceTable) insert(s *Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var i uint32
	if n := len(t.free); n > 0 {
		i = t.free[n-1]
		t.free = t.free[:n-1]
	} else {
		i = uint32(len(t.slots))
		t.slots = append(t.slots, slot{})
	}
	t.slots[i].source = s
	t.slots[i].uses++
	s.tag = uint64(t.slots[i].uses)<<32 | uint64(i)
}

func (t *sourceTable) drop(s *Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := uint32(s.tag)
	t.slots[i].source = nil
	t.free = append(t.free, i)
}

func (t *sourceTable) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.slots) - len(t.free)
}

// sourceLines is what is fetched of a source that there is an event for, and of what follows it in
// memory: its owner.
const sourceLines = 4

// find appends to out the sources that events are for, except for those that are in it already.
func (t *sourceTable) find(out []*Source, events []poll.Event) []*Source {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		if i := uint32(e.Tag); int(i) < len(t.slots) {
			if at := &t.slots[i]; at.source != nil && at.uses == uint32(e.Tag>>32) {
				prefetch.Lines(uintptr(unsafe.Pointer(at.source)), sourceLines)
				if at.source.due == 0 {
					out = append(out, at.source)
				}
				at.source.due |= e.Events
			}
		}
	}
	return out
}

// moveTo registers every source with p too.
func (t *sourceTable) moveTo(p poll.Poller) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, slot := range t.slots {
		if s := slot.source; s != nil {
			if err := p.Add(s.fd, s.tag, s.want, s.mode); err != nil {
				return fmt.Errorf("descriptor %d: %w", s.fd, err)
			}
		}
	}
	return nil
}
