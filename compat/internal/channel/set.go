package channel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// ErrExitNow, returned by a handler's method, ends the classic loop.
var ErrExitNow = errors.New("asyncore: exit now")

// keepScratch is how much memory for Recv's slices a set keeps.
const keepScratch = 2 * maxRecv

// Set is the channels of one loop: asyncore's socket_map.
//
// An iteration of it is one of asyncore's poll, inside one turn of the loop:
//
//	before the loop looks for events   handlers with predicates are asked, in order
//	the loop delivers events           the channels they are for are queued
//	at the turn's end                  of the queued channels, those are called, in order, that want input
//	                                   and have some; and then those that want to write and have room
//
// A channel with something left to do is queued again: that makes edges into the levels that classic handlers expect.
type Set struct {
	owner  any // the Map
	loop   *reactor.Loop
	core   *loop.Core // of that loop
	shared bool       // somebody else's loop: it is neither stopped nor closed here
	leave  bool       // who runs the loop frees it
	log    func(kind, msg string)

	channels []*Channel // in the order they were added
	asked    []*Channel // those with predicates, in that order too
	asking   []*Channel // a copy while they are asked
	added    uint64
	loose    int // channels that have been removed, and not closed
	guests   int // tasks that go on with a connection of a set that has a loop of its own

	pending []*Channel // queued for the coming iteration
	batch   []*Channel // of the one that runs
	round   uint64
	armed   bool
	hooked  bool // it is asked before the loop looks for events

	scratch []byte // what Recv lends
	failure error  // what ended the classic loop
	stats   Stats
}

// Stats are counts of what the handlers of a Set have been through.
type Stats struct {
	Callbacks uint64 // calls of handlers' methods, predicates not included
	HandOvers uint64 // connections that were taken from a handler
}

// Init sets s up for its owner. A nil loop is opened on need.
func (s *Set) Init(owner any, loop *reactor.Loop, log func(kind, msg string)) {
	*s = Set{owner: owner, shared: loop != nil, log: log, round: 1}
	s.use(loop)
}

// Owner returns what Init was given.
func (s *Set) Owner() any { return s.owner }

// Loop returns the set's loop, which it opens if need be.
func (s *Set) Loop() (*reactor.Loop, error) {
	if s.loop == nil {
		l, err := reactor.New()
		if err != nil {
			return nil, fmt.Errorf("asyncore: %w", err)
		}
		s.use(l)
	}
	return s.loop, nil
}

// use makes l the set's loop, unless it is nil.
func (s *Set) use(l *reactor.Loop) {
	if l != nil {
		s.loop, s.core = l, loop.From(l.Context())
	}
}

// Opened returns the set's loop, nil if it has none yet.
func (s *Set) Opened() *reactor.Loop { return s.loop }

// adopt checks that the set is one of l's. One without a loop becomes that.
func (s *Set) adopt(l *reactor.Loop) {
	if s.loop == nil {
		s.use(l)
		s.shared = true
	}
	if s.loop != l {
		panic("asyncore: the connection belongs to another loop than the Map")
	}
}

// Shared reports whether the loop is somebody else's.
func (s *Set) Shared() bool { return s.shared }

// Stats returns the counts.
func (s *Set) Stats() Stats { return s.stats }

// Channels returns the channels, in the order they were added.
func (s *Set) Channels() []*Channel { return slices.Clone(s.channels) }

// Len returns how many channels there are.
func (s *Set) Len() int { return len(s.channels) }

// Idle reports whether there is nobody to run a loop for.
func (s *Set) Idle() bool { return len(s.channels) == 0 && s.guests == 0 }

// Guest counts a task that goes on with one of the set's connections. The classic loop runs until it has left.
func (s *Set) Guest() (leave func()) {
	s.guests++
	return func() {
		s.guests--
		s.stopIfIdle()
	}
}

// Failed reports whether something has ended the classic loop.
func (s *Set) Failed() bool { return s.failure != nil }

// TakeFailure returns what has ended the classic loop, once.
func (s *Set) TakeFailure() error {
	err := s.failure
	s.failure = nil
	return err
}

// Leave leaves Release to who runs the set's loop, and reports whether somebody does: it is called on the loop then.
func (s *Set) Leave() bool {
	s.leave = !s.shared && s.loop != nil && s.loop.InLoop()
	return s.leave
}

// Leaving reports whether Leave has left Release to who runs the loop.
func (s *Set) Leaving() bool { return s.leave }

// Release closes the loop if it is the set's own and nobody needs it any more.
func (s *Set) Release() error {
	s.leave = false
	if s.shared || s.loop == nil || !s.Idle() || s.loose > 0 {
		return nil
	}
	l := s.loop
	s.loop, s.core, s.hooked, s.armed = nil, nil, false, false
	return l.Close()
}

// escape ends the classic loop with an error that c's handler has not dealt with. A shared loop goes on: it is told, and ends the
// handler instead, whose peer would wait for ever.
func (s *Set) escape(c *Channel, err error) {
	if s.shared {
		s.core.Report(reactor.Exception{Op: "classic handler", Err: err})
		if c.alive() {
			if err := c.protect((*Channel).CloseHandler); err != nil {
				c.logError("error in Close", err)
			}
		}
		return
	}
	if s.failure == nil {
		s.failure = err
	}
	s.loop.Stop()
}

func (s *Set) add(c *Channel) {
	if c.member {
		return
	}
	s.added++
	c.member, c.order, c.round = true, s.added, 0
	c.wantRead, c.wantWrite = false, false // it takes no part in the iteration that may be running
	s.channels = append(s.channels, c)
	if c.methods.readable || c.methods.writable {
		s.asked = append(s.asked, c)
	}
	if !s.hooked {
		s.hooked = true
		s.core.Each(loop.BeforePoll, (*asking)(s))
	}
}

func (s *Set) remove(c *Channel) {
	if !c.member {
		return
	}
	c.member, c.queued = false, false
	s.channels = without(s.channels, c)
	s.asked = without(s.asked, c)
	if len(s.channels) == 0 && s.hooked {
		s.core.Not(loop.BeforePoll, (*asking)(s))
		s.hooked = false
	}
	s.stopIfIdle()
}

func (s *Set) stopIfIdle() {
	if s.Idle() && !s.shared && s.loop != nil {
		s.loop.Stop()
	}
}

// without takes c out of a list that is in order, if it is in it.
func without(list []*Channel, c *Channel) []*Channel {
	if i, found := slices.BinarySearchFunc(list, c, inOrder); found {
		return slices.Delete(list, i, i+1)
	}
	return list
}

func inOrder(a, b *Channel) int { return cmp.Compare(a.order, b.order) }
