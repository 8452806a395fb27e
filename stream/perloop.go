package stream

import (
	"sync"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// streams is what this package keeps for a loop.
type streams struct {
	loop      *reactor.Loop
	core      *loop.Core
	lender    lender // on the loop
	elsewhere lender
	away      atomic.Int64 // what elsewhere has lent

	mu     sync.Mutex
	open   *endpoint // a list
	closed bool
	paused []*Listener // which go on when a connection is closed
	stats  Stats
}

// Stats are counts of a loop's connections.
type Stats struct {
	Open       int    // connections not closed
	Accepted   uint64 // connections from listeners
	Dialed     uint64 // connections made by Dial
	HandOvers  uint64 // calls of Detach that moved a connection
	Backoffs   uint64 // pauses of listeners for want of descriptors or memory
	TurnedAway uint64 // connections that were closed unheard, since that went on
}

// StatsOf returns the counts of a loop's connections. It may be called from any goroutine.
func StatsOf(l *reactor.Loop) Stats {
	s := streamsOf(l)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats
}

type streamsKey struct{}

func streamsOf(l *reactor.Loop) *streams {
	core := coreOf(l)
	return core.Local(streamsKey{}, func() any {
		s := &streams{loop: l, core: core}
		s.elsewhere.away = &s.away
		return s
	}).(*streams)
}

// BuffersLent is asked for by reactor.Loop's Stats, on the loop.
func (s *streams) BuffersLent() int { return s.lender.lent + int(s.away.Load()) }

func (s *streams) count(which *uint64) {
	s.mu.Lock()
	*which++
	s.mu.Unlock()
}

// add enters an endpoint that Close will find. On a loop that is closing it may be too late for
// that, and it refuses.
func (s *streams) add(e *endpoint) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.loop.Context().Err() != nil {
		return reactor.ErrClosed
	}
	s.stats.Open++
	e.next = s.open
	if s.open != nil {
		s.open.prev = e
	}
	s.open = e
	return nil
}

func (s *streams) remove(e *endpoint) {
	s.mu.Lock()
	paused := s.paused
	s.paused = nil
	s.stats.Open--
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		s.open = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	}
	e.next, e.prev = nil, nil
	s.mu.Unlock()
	for _, l := range paused {
		l.resumeSoon() // there is a descriptor now
	}
}

// Close aborts what is still open when the loop ends. (The loop closes its locals that way.)
func (s *streams) Close() error {
	for {
		s.mu.Lock()
		s.closed = true
		e := s.open
		s.mu.Unlock()
		if e == nil {
			return nil
		}
		e.lock()
		e.abort(reactor.ErrClosed)
		e.unlock()
	}
}
