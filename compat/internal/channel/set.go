package channel

import (
	"errors"
	"fmt"
	"slices"

	"github.com/corobridge/corobridge/reactor"
)

// ErrExitNow, returned by a handler's method, ends the classic loop.
var ErrExitNow = errors.New("asyncore: exit now")

// Set is the channels of one loop: asyncore's socket_map.
type Set struct {
	owner  any // the Map
	loop   *reactor.Loop
	shared bool // somebody else's loop: it is neither stopped nor closed here
	log    func(kind, msg string)

	channels []*Channel // in the order they were added
	asked    []*Channel // those with predicates
	unhook   func()     // of the predicates
	scratch  []byte     // what Recv lends
	failure  error      // what ended the classic loop
	stats    Stats
}

// Stats are counts of what the handlers of a Set have been through.
type Stats struct {
	Callbacks uint64 // calls of handlers' methods
	HandOvers uint64 // connections that were taken from a handler, or given back to one
}

// Init sets s up for its owner. A nil loop is opened on need.
func (s *Set) Init(owner any, loop *reactor.Loop, log func(kind, msg string)) {
	*s = Set{owner: owner, loop: loop, shared: loop != nil, log: log}
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
		s.loop = l
	}
	return s.loop, nil
}

// Shared reports whether the loop is somebody else's.
func (s *Set) Shared() bool { return s.shared }

// Stats returns the counts.
func (s *Set) Stats() Stats { return s.stats }

// Channels returns the channels, in the order they were added.
func (s *Set) Channels() []*Channel { return slices.Clone(s.channels) }

// Len returns how many channels there are.
func (s *Set) Len() int { return len(s.channels) }

// Failed reports whether something has ended the classic loop.
func (s *Set) Failed() bool { return s.failure != nil }

// TakeFailure returns what has ended the classic loop, once.
func (s *Set) TakeFailure() error {
	err := s.failure
	s.failure = nil
	return err
}

// Release closes the loop if it is the set's own and nobody needs it any more.
func (s *Set) Release() error {
	if s.shared || s.loop == nil || len(s.channels) > 0 {
		return nil
	}
	loop := s.loop
	s.loop, s.unhook = nil, nil
	return loop.Close()
}

func (s *Set) add(c *Channel) {
	if slices.Contains(s.channels, c) {
		return
	}
	s.channels = append(s.channels, c)
	if !c.predicates() {
		return
	}
	s.asked = append(s.asked, c)
	if s.unhook == nil {
		s.unhook = s.loop.BeforePoll(s.ask)
	}
}

func (s *Set) remove(c *Channel) {
	i := slices.Index(s.channels, c)
	if i < 0 {
		return
	}
	s.channels = slices.Delete(s.channels, i, i+1)
	if i := slices.Index(s.asked, c); i >= 0 {
		s.asked = slices.Delete(s.asked, i, i+1)
	}
	if len(s.asked) == 0 && s.unhook != nil {
		s.unhook()
		s.unhook = nil
	}
	if len(s.channels) == 0 && !s.shared {
		s.loop.Stop()
	}
}

// ask asks the predicates, once a turn, and queues who wants what it can have.
func (s *Set) ask() {
	for _, c := range slices.Clone(s.asked) {
		if !c.queued && c.set == s && c.due() {
			c.enqueue()
		}
	}
}

// escape ends the classic loop with an error that no handler has dealt with. A shared loop goes on, and is told.
func (s *Set) escape(err error) {
	if s.shared {
		s.loop.Report(reactor.Exception{Op: "classic handler", Err: err})
		return
	}
	if s.failure == nil {
		s.failure = err
	}
	s.loop.Stop()
}
