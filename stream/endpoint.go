package stream

import (
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/seam"
	"github.com/corobridge/corobridge/reactor"
)

// endpoint is a connection. A Conn is a handle to it, which Detach replaces.
//
// Its mutex guards everything, so that it can be used from tasks, callbacks and other goroutines. It is never held across a
// wait. Each direction has a turn, which an operation holds from its first byte to its last: operations of
// one direction do not mix, and come in order.
//
// In: a readiness event sets readable; a read that would block or falls short clears it, and only then does a reader wait. After the
// peer's hang-up a short read proves nothing, so readable stays until the end has been read. in holds what was read
// and not consumed; readErr is what comes after it.
//
// Out: out holds what was written and not sent. writable works as readable does. The batch's end, or in other goroutines the
// writer itself, flushes. An error of the transport stays in writeErr and drops what is unsent.
//
// Closing: closing refuses new operations; closed says that the transport is gone. Between the two what is unsent is
// flushed, for a bounded time.
type endpoint struct {
	loop    *reactor.Loop
	streams *streams
	peer    seam.Addr
	own     seam.Addr // once asked for

	mu        sync.Mutex
	transport transport
	epoch     uint32 // of handles: Detach begins the next one
	closing   bool
	closed    bool

	// Read state.
	readable bool
	hangup   bool
	reads    uint8 // in a row without waiting
	in       buffer
	readErr  error
	reading  turn
	reader   *coro.Waiter // the one that has the turn and waits for input

	// Write state.
	writable bool
	dirty    bool // queued for the end of the batch
	finish   bool // the stream ends after what is unsent
	finished bool
	out      buffer
	writeErr error
	writing  turn
	writer   *coro.Waiter // the one that has the turn and waits for room

	more *rarities
	next *endpoint // in the list of the loop's open endpoints
	prev *endpoint
}

// rarities is what few connections have, or only for a moment.
type rarities struct {
	flushed   []*coro.Waiter // wait for out to be empty
	ended     []*coro.Waiter // wait for closed
	notify    func()         // OnReady
	lineLimit int
	low, high int
	value     any
	closeErr  error
	release   func() // lets the loop close, after a bounded Close
	timer     reactor.Timer
}

func newEndpoint(loop *reactor.Loop, t transport, peer seam.Addr) *endpoint {
	e := &endpoint{loop: loop, streams: streamsOf(loop), transport: t, peer: peer, writable: true}
	e.streams.add(e)
	return e
}

func (e *endpoint) rare() *rarities {
	if e.more == nil {
		e.more = &rarities{}
	}
	return e.more
}

// Ready is told by the loop what the transport has become ready for.
func (e *endpoint) Ready(ev reactor.Events) {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	if ev&(reactor.Readable|reactor.ReadHangup|reactor.Hangup|reactor.Error) != 0 {
		e.readable = true
		e.hangup = e.hangup || ev&(reactor.ReadHangup|reactor.Hangup|reactor.Error) != 0
		wake(&e.reader)
	}
	if ev&(reactor.Writable|reactor.Hangup|reactor.Error) != 0 {
		e.writable = true
		e.flush()
	}
	notify := e.notifier()
	e.mu.Unlock()
	if notify != nil {
		notify()
	}
}

func (e *endpoint) notifier() func() {
	if e.more == nil {
		return nil
	}
	return e.more.notify
}

// wake ends the wait of a waiter, if there is one. It is called with the mutex of the list held.
func wake(w **coro.Waiter) {
	if *w != nil && (*w).Claim() {
		(*w).Wake()
	}
	*w = nil
}

func wakeAll(ws *[]*coro.Waiter) {
	for _, w := range *ws {
		wake(&w)
	}
	*ws = nil
}

// turn is a lock that passes from one waiter to the next in the order they came. It is guarded by the endpoint's mutex.
type turn struct {
	held  bool
	queue []*coro.Waiter
}

// pass gives the turn to the next in the queue.
func (t *turn) pass() {
	for len(t.queue) > 0 {
		w := t.queue[0]
		t.queue = t.queue[1:]
		if w.Claim() {
			w.Wake()
			return
		}
	}
	t.held, t.queue = false, nil
}

func (t *turn) leave(w *coro.Waiter) {
	for i, v := range t.queue {
		if v == w {
			t.queue = append(t.queue[:i:i], t.queue[i+1:]...)
			return
		}
	}
}

// streams is what this package keeps for a loop.
type streams struct {
	lender lender

	mu    sync.Mutex
	open  *endpoint // a list
	stats Stats
}

// Stats are counts of a loop's connections.
type Stats struct {
	Open      int    // connections not closed
	Accepted  uint64 // connections from listeners
	Dialed    uint64 // connections made by Dial
	HandOvers uint64 // calls of Detach that moved a connection
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
	return l.Local(streamsKey{}, func() any { return &streams{lender: lender{loop: l}} }).(*streams)
}

func (s *streams) count(which *uint64) {
	s.mu.Lock()
	*which++
	s.mu.Unlock()
}

func (s *streams) add(e *endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Open++
	e.next = s.open
	if s.open != nil {
		s.open.prev = e
	}
	s.open = e
}

func (s *streams) remove(e *endpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
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
}

// Close aborts what is still open when the loop ends. (The loop closes its locals that way.)
func (s *streams) Close() error {
	for {
		s.mu.Lock()
		e := s.open
		s.mu.Unlock()
		if e == nil {
			return nil
		}
		e.abort(reactor.ErrClosed)
	}
}
