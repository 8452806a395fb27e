package stream

import (
	"io"
	"net"
	"sync"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// endpoint is a connection: its bytes, and those who wait for them. A Conn is a handle to it, which
// Detach replaces. When there is a point in moving bytes, its transport knows.
//
// Its mutex guards everything, so that it can be used from tasks, callbacks and other goroutines.
// It is never held across a wait. Each direction has a turn, which an operation holds from its
// first byte to its last: operations of one direction do not mix, and come in order.
//
// In: in holds what was read and not consumed. What comes after it is ended, or the readErr of
// rarities. mayRead is set when the transport calls ready, and cleared by a read after which the
// transport does not want to be asked again. Only while it is clear does a reader wait.
//
// Out: out holds what was written and not sent. mayWrite works as mayRead does. The end of the
// batch flushes, or in other goroutines the writer itself. An error of the transport stays in
// writeErr, and drops what is unsent.
//
// The end: closing is set first, and refuses new operations. closed says that the transport is
// gone. Between the two what is unsent is flushed, for a bounded time. Neither is ever cleared.
//
//	finished  only after finish, when everything has been sent
//	pending   only while out is empty
//	dirty     only on the loop, until the end of the batch
//	held[d]   while an operation has the turn; also while queue[d] is not empty
//
// There may be very many idle endpoints, so what few of them have is in rarities.
type endpoint struct {
	// What each transfer needs comes first, together.
	mu      sync.Mutex
	epoch   uint32  // of handles: Detach begins the next one
	held    [2]bool // the turn of each direction
	onLoop  bool    // who has locked it runs on the loop
	closing bool
	closed  bool

	// Read state.
	mayRead bool  // the transport said more, or called ready, since it last had nothing
	ended   bool  // the end of the input has been read
	reads   uint8 // in a row without waiting

	// Write state.
	mayWrite bool // as mayRead
	pending  bool // out is empty, but the transport still holds some of what it has taken
	dirty    bool // queued for the end of the batch
	finish   bool // the stream ends after what is unsent
	finished bool
	sends    uint8 // in a row without waiting

	bulk bool // the last read brought a page or more: the next one may bring much

	streams   *streams
	in        buffer
	out       buffer
	reader    coro.Line // the one that has the turn and waits for input
	transport transport
	notify    func() // OnReady
	more      *rarities
	writer    coro.Line // the one that has the turn and waits for room

	next, prev *endpoint // in the list of the loop's open endpoints
	first      Conn      // the handle of the first epoch
}

// direction is one of an endpoint's two.
type direction int

const (
	inward direction = iota
	outward
)

// rarities is what few connections have, or only for a moment.
type rarities struct {
	queue     [2]coro.Line // wait for the turn of a direction
	flushed   coro.Line    // wait for out to be empty
	closed    coro.Line    // wait for the end of the connection
	readErr   error
	writeErr  error
	lost      bool // for want of memory, and of that neither the peer nor a read learns
	closeErr  error
	lineLimit int
	low, high int
	own       net.Addr // once asked for
	value     any
	urgent    func(byte)    // OnUrgent
	closing   *slowClose    // a Close under way
	patience  time.Duration // of SetCloseTimeout
}

// lock also notes whether the caller runs on the loop, since much depends on that.
func (e *endpoint) lock() {
	e.mu.Lock()
	e.onLoop = e.streams.core.InLoop()
}

func (e *endpoint) unlock() { e.mu.Unlock() }

// lender returns what lends memory to the goroutine that has the lock.
func (e *endpoint) lender() *lender {
	if !e.onLoop {
		return &e.streams.elsewhere
	}
	return &e.streams.lender
}

func (e *endpoint) loop() *reactor.Loop { return e.streams.loop }
func (e *endpoint) core() *loop.Core    { return e.streams.core }
func (e *endpoint) remote() net.Addr    { return e.transport.remoteAddr() }

// peer names the peer for texts.
func (e *endpoint) peer() string {
	if name := e.remote().String(); name != "" && name != "@" {
		return name
	}
	return "an unnamed peer"
}

func (e *endpoint) rare() *rarities {
	if e.more == nil {
		e.more = &rarities{patience: closeTimeout}
	}
	return e.more
}

// readErr returns what comes after the input; nil while that is not known.
func (e *endpoint) readErr() error {
	switch {
	case e.ended:
		return io.EOF
	case e.more != nil:
		return e.more.readErr
	}
	return nil
}

// writeErr returns why nothing more can be sent.
func (e *endpoint) writeErr() error {
	if e.more == nil {
		return nil
	}
	return e.more.writeErr
}

// ready is how the transport tells that a direction can move bytes again, or has ended. It is
// called on the loop, locked, and unlocks.
func (e *endpoint) ready(in, out bool) {
	if e.closed {
		e.unlock()
		return
	}
	if in {
		e.mayRead = true
		if e.readAhead() {
			wake(&e.reader)
		}
	}
	if out {
		e.mayWrite = true
		e.sendOut()
	}
	notify := e.notify
	e.unlock()
	if notify != nil {
		notify()
	}
}

// readAhead reads for a task that waits for input, and reports whether the task has something to go
// on with. So the system calls for all the events of a poll come in a row, and then the tasks. Each
// finds its code in the caches, where a call into the kernel in between would have replaced it. A
// bulk transfer is left to the task, which may have room for it.
func (e *endpoint) readAhead() bool {
	w := e.reader.First()
	return w == nil || w.Coro() == nil || e.bulk || e.fill() != ErrWouldBlock
}

// wake ends the wait of the first in a line, if there is one. It is called with the line's mutex
// held.
func wake(l *coro.Line) {
	if w := l.Claim(); w != nil {
		w.Wake()
	}
}

// wakeAll ends the waits of all in a line.
func wakeAll(l *coro.Line) {
	var all coro.Claimed
	l.ClaimAll(&all)
	all.Wake()
}

// pass gives the turn of a direction to the next in its line.
func (e *endpoint) pass(d direction) {
	e.held[d] = false
	if e.more == nil {
		return
	}
	if w := e.more.queue[d].Claim(); w != nil {
		e.held[d] = true
		w.Wake()
	}
}

// dismiss ends every wait, except for those for the end of something: they find out why.
func (e *endpoint) dismiss() {
	wake(&e.reader)
	wake(&e.writer)
	if e.more != nil {
		wakeAll(&e.more.queue[inward])
		wakeAll(&e.more.queue[outward])
	}
}
