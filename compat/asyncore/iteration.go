package asyncore

import (
	"errors"
	"io"
	"slices"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
)

// An iteration of a Map is one call of asyncore's poll, inside one turn of the loop:
//
//	before the loop looks for events   handlers with predicates are asked, in order
//	the loop delivers events           the handlers that they are for are queued
//	at the turn's end                  queued handlers are called, in order: first those that
//	                                   want input and have some, then those that want to write
//	                                   and have room
//
// A handler that has something left to do is queued again. So the loop's edges become the levels
// that classic handlers expect.

// keepScratch is how many bytes of memory a map keeps for the slices of Recv.
const keepScratch = 2 * maxRecv

// wake queues a handler for the coming iteration.
func (m *Map) wake(d *Dispatcher) {
	if d.member && d.in == m && !d.queued {
		d.queued = true
		m.pending = append(m.pending, d)
	}
}

// arm makes the present turn of the loop end with an iteration. It is called on the loop.
func (m *Map) arm() {
	if !m.armed && len(m.pending) > 0 {
		m.armed = true
		m.core.At(loop.TurnEnd, (*iteration)(m))
	}
}

// asking is a map before the loop looks for events.
type asking Map

func (a *asking) Run() { (*Map)(a).ask() }

// ask begins an iteration, before the loop looks for events. It asks the handlers with predicates.
// A queued handler that has nothing to do leaves the queue.
func (m *Map) ask() {
	if len(m.asked) == 0 && len(m.pending) == 0 && len(m.batch) == 0 {
		return
	}
	if !m.within {
		m.round++
	}
	m.asking = append(m.asking[:0], m.asked...) // a predicate may change the map
	for _, d := range m.asking {
		if d.member {
			d.ask()
			m.wake(d)
		}
	}
	m.asking = cleared(m.asking)
	for _, d := range m.take() {
		if d.due() {
			m.wake(d)
		}
	}
	m.batch = cleared(m.batch)
	m.arm()
}

// take makes a batch of the queued handlers.
func (m *Map) take() []*Dispatcher {
	for _, d := range m.batch { // not empty only if a runtime.Goexit broke off the last iteration
		m.wake(d)
	}
	m.batch, m.pending = m.pending, m.batch[:0]
	m.batch = slices.DeleteFunc(m.batch, func(d *Dispatcher) bool {
		gone := !d.member || d.in != m
		if !gone {
			d.queued = false
		}
		return gone
	})
	return m.batch
}

func cleared(list []*Dispatcher) []*Dispatcher {
	clear(list)
	return list[:0]
}

// iteration is a map as an entry of the list that the loop runs at the end of a turn.
type iteration Map

func (t *iteration) Run() {
	m := (*Map)(t)
	m.armed = false
	m.scratch = m.scratch[:0] // a task may have been lent some
	batch := m.take()
	if !slices.IsSortedFunc(batch, inTurn) {
		slices.SortFunc(batch, inTurn)
	}
	for _, d := range batch {
		d.ask()
	}
	called := m.callbacks.Load()
	for _, d := range batch {
		// hasInput is asked just before each call, since input that is there takes memory.
		if d.wantRead && d.hasInput() && m.failure == nil {
			d.readEdge = false
			d.step((*Dispatcher).readEvent)
		}
	}
	for _, d := range batch {
		if d.wantWrite && d.hasRoom() && m.failure == nil {
			d.writeEdge = false
			d.step((*Dispatcher).writeEvent)
		}
	}
	for _, d := range batch {
		if m.failure == nil {
			d.lateEvents()
		}
	}
	for _, d := range batch {
		m.wake(d) // the next iteration finds out whether something is left to do
	}
	m.batch = cleared(m.batch)
	if m.callbacks.Load() != called {
		m.round++
	}
	if cap(m.scratch) > keepScratch {
		m.scratch = nil
	}
}

// OwnSteps tells the loop's observers that each call of a handler is a step, and not the iteration.
func (t *iteration) OwnSteps() {}

// step makes one call of a handler, and tells the loop's observers of it.
func (d *Dispatcher) step(call func(*Dispatcher) error) {
	if d.member {
		d.in.core.RunStep("classic handler", d.handler, func() { d.event(call) })
	}
}

// lateEvents are the calls that come last.
func (d *Dispatcher) lateEvents() {
	if !d.member {
		return
	}
	if d.wantsExpt() {
		d.step((*Dispatcher).exptEvent)
	}
	if d.hasLost() {
		d.step(func(d *Dispatcher) error { return d.handleClose(d.lostOutput()) })
	}
	if d.settles() {
		d.settle()
	}
}

// hasLost reports whether output was lost, and the handler has not been told. A handler that sends,
// or waits for room, finds out there.
func (d *Dispatcher) hasLost() bool {
	if !d.unsure || !d.member || !d.connected || !d.wantRead && !d.wantWrite {
		return false
	}
	d.unsure = d.conn.TryFlush() != nil
	return d.unsure && d.lostOutput() != nil
}

// settles reports whether there is something that waits for output to be gone, and that is gone.
func (d *Dispatcher) settles() bool {
	return d.finishing && d.connected && !d.hasOutput() || len(d.sent) > 0 && d.allSent()
}

func (d *Dispatcher) settle() {
	d.endOutput()
	if len(d.sent) > 0 && d.allSent() {
		d.sent.done(d)
	}
}

// due reports whether there is anything to call the handler for.
func (d *Dispatcher) due() bool {
	d.ask()
	return d.wantRead && d.hasInput() || d.wantWrite && d.hasRoom() ||
		d.wantsExpt() || d.hasLost() || d.settles()
}

// ask finds out what the handler wants, once in an iteration.
func (d *Dispatcher) ask() {
	if d.round == d.in.round {
		return
	}
	d.round = d.in.round
	d.wantRead, d.wantWrite = false, false
	if d.accepting || d.conn != nil { // not while it is connecting
		d.wantRead = d.wantsToRead()
		d.wantWrite = d.wantsToWrite()
	}
}

func (d *Dispatcher) wantsToRead() bool {
	if d.methods.readable {
		return d.predicate(d.handler.(Readabler).Readable)
	}
	return d.accepting || d.methods.read || d.class.Read != nil || d.connecting || d.readEdge
}

// wantsToWrite reports whether the handler wants to write. A handler without a predicate is told of
// room once.
func (d *Dispatcher) wantsToWrite() bool {
	switch {
	case d.methods.writable:
		return d.predicate(d.handler.(Writabler).Writable)
	case d.connecting:
		return true
	case d.class.Writable != nil:
		return d.class.Writable()
	default:
		return d.methods.write && d.writeEdge
	}
}

// predicate calls Readable or Writable. A panic there is the handler's error, and means no.
func (d *Dispatcher) predicate(fn func() bool) (yes bool) {
	if !d.member {
		return false
	}
	defer func() {
		if v := recover(); v != nil {
			d.fail(coro.Recovered(v))
			yes = false
		}
	}()
	return fn()
}

// hasInput reports whether there is input, the end of input, or an error. For a listener it reports
// whether there is a connection.
func (d *Dispatcher) hasInput() bool {
	switch {
	case !d.member:
		return false
	case d.accepting:
		return d.acceptAhead()
	case d.conn == nil:
		return false
	}
	switch _, err := d.conn.TryPeekSome(); err {
	case stream.ErrWouldBlock:
		return false
	case io.EOF: // it is told when the base class has nothing left to send
		return !d.outputLeft() && !(d.ending.told && d.ending.eof && d.ending.said)
	}
	return true
}

// hasRoom reports whether HandleWrite can do anything: there is room for output, or an error that
// Send will return.
func (d *Dispatcher) hasRoom() bool {
	if !d.member || d.accepting || d.conn == nil {
		return false
	}
	if !d.methods.write && d.class.Write == nil && !d.connecting {
		return false
	}
	if d.class.Waits != nil && d.class.Waits() {
		return d.conn.TryFlush() != stream.ErrWouldBlock
	}
	if d.conn.Room() > 0 {
		return true
	}
	_, err := d.conn.TryWrite(nil)
	return err != nil
}

// event makes one call, and deals with its failure. A handler that has left the map is not called.
func (d *Dispatcher) event(call func(*Dispatcher) error) {
	if !d.member {
		return
	}
	lent := len(d.in.scratch)
	if err := d.protect(call); err != nil {
		d.fail(err)
	}
	d.in.scratch = d.in.scratch[:lent]
}

// protect calls a method of the handler. It returns a panic as an error.
func (d *Dispatcher) protect(call func(*Dispatcher) error) (err error) {
	if d.in != nil {
		bump(&d.in.callbacks)
	}
	defer func() {
		if v := recover(); v != nil {
			err = coro.Recovered(v)
		}
	}()
	return call(d)
}

// fail gives an error to the handler. ErrExitNow, and what HandleError returns, goes to escape.
// When the handler has closed already, it is not called, and its error is only logged.
func (d *Dispatcher) fail(err error) {
	switch {
	case errors.Is(err, ErrExitNow):
	case errors.As(err, new(*letOut)):
	case !d.alive():
		d.logError("error after close", err)
		return
	default:
		err = d.protect(func(d *Dispatcher) error { return d.handleError(err) })
	}
	if err != nil {
		d.in.escape(d, err)
	}
}

// escape ends the classic loop with an error that d did not deal with. A loop that others run goes
// on: its exception handler is told, and d is closed, since its peer would otherwise wait for ever.
// d is closed even if its own Close fails.
func (m *Map) escape(d *Dispatcher, err error) {
	if !m.shared {
		if m.failure == nil {
			m.failure = err
		}
		m.loop.Stop()
		return
	}
	m.core.Report(reactor.Exception{Op: "classic handler", Err: err})
	if err := d.shut(); err != nil {
		d.logError("error in Close", err)
	}
}
