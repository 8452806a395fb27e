package reactor

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"
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

// Source is the edge-triggered registration of a descriptor, for both directions and for its whole life. Each change is
// told once: who has been told that it may read or write does so until that would block, or falls short, and says so with Blocked.
//
// The zero Source is ready for its one Attach. It is best a field of what owns the descriptor: the two are then one piece of memory.
type Source struct {
	loop    *Loop
	fd      int
	tag     uint64
	handler ReadyHandler
	want    Events
	mode    poll.Mode
	gone    atomic.Bool
}

// Attach registers fd, which must be non-blocking, with a Source of its own; see Source.Attach.
func (l *Loop) Attach(fd int, h ReadyHandler) (*Source, error) {
	s := &Source{}
	if err := s.Attach(l, fd, h); err != nil {
		return nil, err
	}
	return s, nil
}

// Attach registers fd, which must be non-blocking, with the loop. h is called on the loop with what fd has become ready for; that may
// be before Attach returns, if it is called in another goroutine. It may be called from any goroutine, once: a second call panics. The
// error is ErrClosed once Close has begun, or wraps the system call's: EBADF for a closed descriptor, EPERM for one that can't be watched,
// EEXIST for one that is.
func (s *Source) Attach(l *Loop, fd int, h ReadyHandler) error {
	if s.loop != nil {
		panic("reactor: a Source is attached once; use a new one")
	}
	s.loop, s.fd, s.handler = l, fd, h
	return s.register(Readable|Writable|Priority, poll.Edge)
}

// Loop returns the loop that the descriptor was attached to, nil before that.
func (s *Source) Loop() *Loop { return s.loop }

// FD returns the descriptor that was attached.
func (s *Source) FD() int { return s.fd }

func (s *Source) register(want Events, mode poll.Mode) error {
	if s.loop.closing.Load() {
		s.gone.Store(true) // nothing to detach
		return ErrClosed
	}
	s.want, s.mode = want, mode
	s.loop.fds.insert(s)
	if err := s.loop.poller.Add(s.fd, s.tag, want, mode); err != nil {
		s.leave()
		if s.loop.closing.Load() { // it closed the poller in the meantime
			return ErrClosed
		}
		return fmt.Errorf("reactor: watch descriptor %d: %w", s.fd, err)
	}
	return nil
}

// Blocked tells that the descriptor has been seen to block in the directions of want.
func (s *Source) Blocked(want Events) {
	if s.loop.poller.NeedsRearm() {
		s.loop.poller.Rearm(s.fd, want)
	}
}

// Detach ends the registration; the descriptor stays open. The handler is not called any more, except that a call
// may be under way when Detach is called outside the loop. A second Detach does nothing, nor does one without an Attach that succeeded.
func (s *Source) Detach() error {
	if !s.leave() {
		return nil
	}
	if err := s.loop.poller.Remove(s.fd); err != nil && !s.loop.closing.Load() { // the loop's end ends it too
		return fmt.Errorf("reactor: stop watching descriptor %d: %w", s.fd, err)
	}
	return nil
}

// Closing is Detach for an owner that closes the descriptor next, and knows that no other descriptor refers to the same open
// file: the close itself then ends the registration where the poller allows that, and saves the system call.
func (s *Source) Closing() {
	if s.leave() && !s.loop.poller.ForgetsClosed() {
		s.loop.poller.Remove(s.fd) // nothing to do about an error: the descriptor goes away
	}
}

func (s *Source) leave() bool {
	if s.loop == nil || !s.gone.CompareAndSwap(false, true) {
		return false
	}
	s.loop.fds.drop(s)
	return true
}

// sourceTable gives each source a tag: the index of a slot, and in the upper half how often that slot has been used.
// An event whose tag is not the slot's present one is for a descriptor that has been closed.
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

// sourceLines is what is fetched of a source that there is an event for, and of what follows it in memory: its owner.
const sourceLines = 4

// find appends to out the sources that events are for.
func (t *sourceTable) find(out []report, events []poll.Event) []report {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range events {
		if i := uint32(e.Tag); int(i) < len(t.slots) {
			if at := &t.slots[i]; at.source != nil && at.uses == uint32(e.Tag>>32) {
				prefetch.Lines(uintptr(unsafe.Pointer(at.source)), sourceLines)
				out = append(out, report{at.source, e.Events})
			}
		}
	}
	return out
}

// report is an event on its way to its source.
type report struct {
	source *Source
	events Events
}

// eventsAtOnce is how many events one poll brings at most: enough that the poll's own cost does not count, and few enough that
// what the kernel has touched for the first is not gone when the last is handled.
const eventsAtOnce = 32

// collect asks the poller, keeps what it found for deliver, and returns how much that is.
func (l *Loop) collect(wait time.Duration) int {
	n, err := l.poller.Wait(l.events, wait)
	if err != nil {
		l.pollFailed(err, wait)
		return 0
	}
	l.trouble.failing = false
	if n == 0 {
		return 0
	}
	l.found = l.fds.find(l.found[:0], l.events[:n])
	l.foundAt = 0
	if len(l.found) == 0 {
		l.stranger(wait)
	} else {
		l.trouble.strangers = 0
	}
	return len(l.found)
}

// deliver calls the handlers of what was found. It goes on where a callback that called runtime.Goexit broke it off.
func (l *Loop) deliver() {
	for l.foundAt < len(l.found) {
		l.deliverSome()
	}
	clear(l.found)
	l.found, l.foundAt = l.found[:0], 0
}

// deliverSome calls handlers up to the first that panics.
func (l *Loop) deliverSome() {
	defer l.caught("ready")
	for l.foundAt < len(l.found) {
		r := l.found[l.foundAt]
		l.foundAt++
		if !r.source.gone.Load() { // an earlier one of this turn may have closed it
			l.stats.Events++
			h := r.source.handler
			if l.watchdog != nil {
				h = l.watchdog.watchReady("ready", h)
			}
			h.Ready(r.events)
		}
	}
}
