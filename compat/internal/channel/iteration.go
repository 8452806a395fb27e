package channel

import (
	"errors"
	"slices"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/stream"
)

// wake queues a channel for the coming iteration.
func (s *Set) wake(c *Channel) {
	if c.member && c.set == s && !c.queued {
		c.queued = true
		s.pending = append(s.pending, c)
	}
}

// arm makes the turn of the loop that is running end with an iteration. It is called on the loop.
func (s *Set) arm() {
	if !s.armed && len(s.pending) > 0 {
		s.armed = true
		s.core.At(loop.TurnEnd, (*iteration)(s))
	}
}

// asking is a set before the loop looks for events.
type asking Set

func (a *asking) Run() { (*Set)(a).ask() }

// ask begins an iteration, before the loop looks for events. Handlers with predicates are asked now, and of the queued
// channels those stay that have something to do.
func (s *Set) ask() {
	if len(s.asked) == 0 && len(s.pending) == 0 && len(s.batch) == 0 {
		return
	}
	s.round++
	s.asking = append(s.asking[:0], s.asked...) // a predicate may change the map
	for _, c := range s.asking {
		if c.member {
			c.ask()
			s.wake(c)
		}
	}
	s.asking = cleared(s.asking)
	for _, c := range s.take() {
		if c.due() {
			s.wake(c)
		}
	}
	s.batch = cleared(s.batch)
	s.arm()
}

// take makes what is queued the batch.
func (s *Set) take() []*Channel {
	for _, c := range s.batch { // a runtime.Goexit has broken off the last one
		s.wake(c)
	}
	s.batch, s.pending = s.pending, s.batch[:0]
	s.batch = slices.DeleteFunc(s.batch, func(c *Channel) bool {
		gone := !c.member || c.set != s
		if !gone {
			c.queued = false
		}
		return gone
	})
	return s.batch
}

func cleared(list []*Channel) []*Channel {
	clear(list)
	return list[:0]
}

// iteration is a set as an entry of the list that the loop runs when a turn ends.
type iteration Set

func (t *iteration) Run() {
	s := (*Set)(t)
	s.armed = false
	s.scratch = s.scratch[:0] // a task may have been lent some
	batch := s.take()
	if !slices.IsSortedFunc(batch, inOrder) {
		slices.SortFunc(batch, inOrder)
	}
	for _, c := range batch {
		c.ask()
	}
	for _, c := range batch {
		if c.wantRead && c.hasInput() && s.failure == nil { // found out one by one: input takes memory
			c.readEdge = false
			c.event((*Channel).readEvent)
		}
	}
	for _, c := range batch {
		if c.wantWrite && c.hasRoom() && s.failure == nil {
			c.writeEdge = false
			c.event((*Channel).writeEvent)
		}
	}
	for _, c := range batch {
		s.wake(c) // the next iteration finds out whether something is left to do
	}
	s.batch = cleared(s.batch)
	s.round++
	if cap(s.scratch) > keepScratch {
		s.scratch = nil
	}
}

// due reports whether there is anything to call the channel for.
func (c *Channel) due() bool {
	c.ask()
	return c.wantRead && c.hasInput() || c.wantWrite && c.hasRoom()
}

// ask finds out what the handler wants, once in an iteration.
func (c *Channel) ask() {
	if c.round == c.set.round {
		return
	}
	c.round = c.set.round
	c.wantRead, c.wantWrite = false, false
	if c.accepting || c.conn != nil { // not while it is connecting
		c.wantRead = c.wantsToRead()
		c.wantWrite = c.wantsToWrite()
	}
}

func (c *Channel) wantsToRead() bool {
	if c.methods.readable {
		return c.predicate(c.handler.(readabler).Readable)
	}
	return c.accepting || c.methods.read || c.class.Read != nil || c.connecting || c.readEdge
}

// wantsToWrite reports whether the handler wants to write. One without predicate is told of room once.
func (c *Channel) wantsToWrite() bool {
	switch {
	case c.methods.writable:
		return c.predicate(c.handler.(writabler).Writable)
	case c.connecting:
		return true
	case c.class.Writable != nil:
		return c.class.Writable()
	default:
		return c.methods.write && c.writeEdge
	}
}

// predicate asks one. A panic in it is the handler's error, and means no.
func (c *Channel) predicate(fn func() bool) (yes bool) {
	if !c.member {
		return false
	}
	defer func() {
		if v := recover(); v != nil {
			c.fail(coro.Recovered(v))
			yes = false
		}
	}()
	return fn()
}

// hasInput reports whether there is input, its end, or an error; for a listener, a connection.
func (c *Channel) hasInput() bool {
	switch {
	case !c.member:
		return false
	case c.accepting:
		return c.acceptAhead()
	case c.conn == nil:
		return false
	}
	_, err := c.conn.TryPeek()
	return err != stream.ErrWouldBlock
}

// hasRoom reports whether HandleWrite can do anything: there is room for output, or an error that Send will tell.
func (c *Channel) hasRoom() bool {
	if !c.member || c.accepting || c.conn == nil {
		return false
	}
	if !c.methods.write && c.class.Write == nil && !c.connecting {
		return false
	}
	if c.conn.Room() > 0 {
		return true
	}
	_, err := c.conn.TryWrite(nil)
	return err != nil
}

// event makes one call, and deals with how it fails. Who has left the set is not called any more.
func (c *Channel) event(call func(*Channel) error) {
	if !c.member {
		return
	}
	lent := len(c.set.scratch)
	if err := c.protect(call); err != nil {
		c.fail(err)
	}
	c.set.scratch = c.set.scratch[:lent]
}

// protect makes a call of the handler's code; a panic is an error.
func (c *Channel) protect(call func(*Channel) error) (err error) {
	c.set.stats.Callbacks++
	defer func() {
		if v := recover(); v != nil {
			err = coro.Recovered(v)
		}
	}()
	return call(c)
}

// fail hands an error to the handler. One that is meant to leave the loop, or that the handler passes on, does. A handler
// that has closed is not called: its error is logged.
func (c *Channel) fail(err error) {
	switch {
	case errors.Is(err, ErrExitNow):
	case !c.alive():
		c.logError("error after close", err)
		return
	default:
		err = c.protect(func(c *Channel) error { return c.HandleError(err) })
	}
	if err != nil {
		c.set.escape(c, err)
	}
}
