package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
)

// closeBound is how long Close goes on trying to send what is unsent.
const closeBound = 10 * time.Second

// Close refuses further calls, sends what is unsent, for at most ten seconds, and then closes the
// connection. It never waits itself, so it can be deferred, and its error is always nil; WaitClosed
// tells how it ended. Calls that wait fail with ErrClosed. A second Close does nothing, and neither
// does the Close of a handle whose connection was handed over.
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
	if e.flushHeld(); e.allSent() {
		e.shut(e.writeErr())
	} else {
		e.shutLater()
	}
	return nil
}

// shutLater keeps the loop until what is unsent has been sent, or the bound is over.
func (e *endpoint) shutLater() {
	l := e.loop()
	release, err := e.core().Hold(fmt.Sprintf("unsent bytes for %s", e.remote()))
	if err != nil {
		e.shut(err)
		return
	}
	x := e.rare()
	x.release = release
	x.timer = l.CallLater(closeBound, func() {
		e.lock()
		defer e.unlock()
		e.abort(errCloseBound)
	})
	if l.InLoop() {
		e.flushLater()
	} else {
		e.sendOut()
	}
}

// Abort closes the connection at once, and drops what is unsent. Calls that wait fail with
// ErrClosed.
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
	if err := e.closeTransport(); cause == nil {
		cause = err
	}
	e.in.forget(e.lender()) // not given back: somebody may be using what Peek has lent
	e.out.drop(e.lender())
	e.streams.remove(e)
	if cause != nil {
		e.rare().closeErr = cause
	}
	if x := e.more; x != nil {
		x.timer.Stop()
		wakeAll(&x.flushed)
		wakeAll(&x.closed)
		if x.release != nil {
			x.release()
			x.release = nil
		}
	}
	if e.notify != nil {
		e.core().Post(callback(e.notify))
	}
}

// closeTransport makes an error of a panic, and reports it. So the rest is freed all the same, and
// the loop's end closes the other connections too.
func (e *endpoint) closeTransport() (err error) {
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
	return e.transport.close()
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
