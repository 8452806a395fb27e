package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// closeTimeout is how long Close waits for a peer that takes nothing.
const closeTimeout = 10 * time.Second

// Close refuses further calls, sends what is unsent, and then closes the connection. It never waits
// itself, so it can be deferred, and its error is always nil; WaitClosed tells how it ended. Calls
// that wait fail with ErrClosed. A second Close does nothing, and neither does the Close of a
// handle whose connection was handed over.
//
// It gives up when the peer has taken nothing for ten seconds, or for the time of SetCloseTimeout.
// Whatever the reason for which bytes that were written can't be sent, the peer then sees a reset
// and not the end, so that nothing looks complete that is not. A Unix socket can't be reset: there
// the peer sees the end, and WaitClosed alone tells.
//
// If the kernel still holds unread input, closing resets the connection. Input that has been read
// ahead does not count: the peer then sees an ordinary end.
func (c *Conn) Close() error {
	e, err := c.own()
	if err != nil {
		return nil
	}
	defer e.unlock()
	if e.closing {
		return nil
	}
	e.closing = true
	e.dismiss()
	if e.sendOut(); !e.closed {
		e.shutLater()
	}
	return nil
}

// SetCloseTimeout sets how long Close goes on while the peer takes nothing of what is unsent. The
// default is ten seconds. With zero Close drops at once what the kernel does not take, and with a
// negative d it never gives up. A Close that is under way begins anew with d. It never waits.
func (c *Conn) SetCloseTimeout(d time.Duration) {
	e, err := c.own()
	if err != nil {
		return
	}
	defer e.unlock()
	x := e.rare()
	x.patience = d
	if x.closing != nil && !e.closed {
		x.closing.begin(e)
	}
}

// slowClose is a Close that waits for the peer.
type slowClose struct {
	release func() // lets the loop close
	timer   reactor.Timer
	left    int // undelivered at the last look
	idle    int // looks since then that have found no less
}

// looks is how many times Close looks, within the time of SetCloseTimeout, whether the peer takes
// anything.
const looks = 4

// shutLater keeps the loop until what is unsent has been sent, or the peer takes nothing more.
func (e *endpoint) shutLater() {
	release, err := e.core().Hold(fmt.Sprintf("unsent bytes for %s", e.peer()))
	if err != nil {
		e.shut(err)
		return
	}
	x := e.rare()
	x.closing = &slowClose{release: release}
	x.closing.begin(e)
}

// begin measures the time of SetCloseTimeout from now.
func (s *slowClose) begin(e *endpoint) {
	s.timer.Stop()
	s.left, s.idle = e.owed(), 0
	switch d := e.more.patience; {
	case d > 0:
		s.timer = e.loop().Every(max(d/looks, 1), func() {
			e.lock()
			defer e.unlock()
			s.look(e)
		})
	case d == 0:
		e.abort(errCloseTimeout)
	}
}

// look gives up when there has been no progress for the whole time.
func (s *slowClose) look(e *endpoint) {
	if left := e.owed(); left < s.left {
		s.left, s.idle = left, 0
	} else if s.idle++; s.idle >= looks {
		e.abort(errCloseTimeout)
	}
}

func (s *slowClose) end() {
	s.timer.Stop()
	s.release()
}

// owed returns how much was written that the peer has not taken, as far as that is known.
func (e *endpoint) owed() int {
	if e.closed {
		return 0
	}
	return e.out.len() + e.transport.undelivered()
}

// Abort closes the connection at once, and drops what is unsent: if there was any, the peer sees a
// reset, as after Close. Calls that wait fail with ErrClosed.
func (c *Conn) Abort() {
	if e, err := c.own(); err == nil {
		e.abort(errAborted)
		e.unlock()
	}
}

// abort is called locked.
func (e *endpoint) abort(cause error) {
	if e.closed {
		return
	}
	e.closing = true
	e.dismiss()
	if e.allSent() && cause == errAborted {
		cause = e.writeErr() // nothing was lost by it
	}
	e.shut(cause)
}

// shut closes the transport and frees everything. It is called locked, once.
func (e *endpoint) shut(cause error) {
	e.closed = true
	missing := !e.allSent() || e.writeErr() != nil
	if err := e.closeTransport(missing); cause == nil {
		cause = err
	}
	e.in.forget(e.lender()) // not given back: somebody may be using what Peek has lent
	e.out.drop(e.lender())
	e.streams.remove(e)
	if cause != nil {
		e.rare().closeErr = cause
	}
	if x := e.more; x != nil {
		wakeAll(&x.flushed)
		wakeAll(&x.closed)
		if x.closing != nil {
			x.closing.end()
		}
	}
	e.notifyLater()
}

// closeTransport makes an error of a panic, and reports it. So the rest is freed all the same, and
// the loop's end closes the other connections too.
func (e *endpoint) closeTransport(reset bool) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = coro.Recovered(v)
			failure := loop.Exception{Op: "close of a connection", Err: err}
			report := callback(func() { e.core().Report(failure) })
			if e.onLoop { // a loop that ends takes no further callbacks
				report()
			} else {
				e.core().Post(report)
			}
		}
	}()
	return e.transport.close(reset)
}

type callback func()

func (f callback) Run() { f() }

// WaitClosed waits until the connection is closed, and tells how that went: nil if everything
// written was given to the kernel. It does not close. A cancellation changes nothing.
func (c *Conn) WaitClosed(ctx context.Context) error {
	const op = "stream: wait for close"
	e, err := c.own()
	if err != nil {
		return c.refused(op, err)
	}
	defer e.unlock()
	for !e.closed {
		if err := c.awaitEnd(ctx, e, &e.rare().closed, (*ending)(e), op); err != nil {
			return e.wrap(op, err)
		}
	}
	if e.more == nil {
		return nil
	}
	return e.wrap("stream: close", e.more.closeErr)
}
