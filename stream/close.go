package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// closeBound is how long Close goes on trying to send what is unsent.
const closeBound = 10 * time.Second

// Close refuses further calls, lets what is unsent be sent, for at most ten seconds, and then closes the connection. It never waits
// itself, so it can be deferred; WaitClosed tells how it ended. Calls that wait fail with ErrClosed. A second Close, and that of a handle whose
// connection was handed over, does nothing. Closing with unread input makes the kernel reset the connection, as ever.
func (c *Conn) Close() error {
	e := c.e.Load()
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.epoch != c.epoch || e.closing {
		return nil
	}
	e.beginClosing()
	if e.out.len() == 0 || e.writeErr != nil {
		e.shut(e.writeErr)
	} else {
		e.shutLater()
	}
	return nil
}

// beginClosing refuses further operations, and ends those that wait.
func (e *endpoint) beginClosing() {
	e.closing = true
	wake(&e.reader)
	wake(&e.writer)
	wakeAll(&e.reading.queue)
	wakeAll(&e.writing.queue)
}

// shutLater keeps the loop until what is unsent has been sent, or the bound is over.
func (e *endpoint) shutLater() {
	x := e.rare()
	release, err := e.loop.Hold(fmt.Sprintf("unsent bytes for %s", e.remote()))
	if err != nil {
		e.shut(err)
		return
	}
	x.release = release
	x.timer = e.loop.CallLater(closeBound, func() { e.abort(errCloseBound) })
	if !e.loop.InLoop() {
		e.flush()
	} else {
		e.flushLater()
	}
}

// Abort closes the connection at once, and drops what is unsent. Calls that wait fail with ErrClosed.
func (c *Conn) Abort() {
	if e := c.e.Load(); e != nil {
		e.mu.Lock()
		mine := e.epoch == c.epoch
		e.mu.Unlock()
		if mine {
			e.abort(errAborted)
		}
	}
}

func (e *endpoint) abort(cause error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return
	}
	if !e.closing {
		e.beginClosing()
	}
	if e.out.len() == 0 && e.writeErr == nil && cause == errAborted {
		cause = nil // nothing was lost
	}
	e.shut(cause)
}

// shut closes the transport and frees everything. It is called locked, once.
func (e *endpoint) shut(cause error) {
	e.closed = true
	if errno := e.transport.close(); errno != 0 && cause == nil {
		cause = sysError("close", errno)
	}
	l := &e.streams.lender
	e.in.drop(l)
	e.out.drop(l)
	e.streams.remove(e)
	x := e.more
	if x == nil {
		if cause != nil {
			e.rare().closeErr = cause
		}
		return
	}
	x.closeErr = cause
	x.timer.Stop()
	wakeAll(&x.flushed)
	wakeAll(&x.ended)
	if x.release != nil {
		x.release()
		x.release = nil
	}
	if x.notify != nil {
		e.loop.Post(callback(x.notify))
	}
}

type callback func()

func (f callback) Run() { f() }

// WaitClosed waits until the connection is closed, and tells how that went: nil if everything written was given to
// the kernel. It does not close. A cancellation changes nothing.
func (c *Conn) WaitClosed(ctx context.Context) error {
	e := c.e.Load()
	if e == nil {
		return c.refused("stream: wait for close", ErrDetached)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for !e.closed {
		w, err := coro.Here(ctx, "stream: WaitClosed")
		if err != nil {
			return e.wrap("stream: wait for close", err)
		}
		x := e.rare()
		x.ended = append(x.ended, w)
		e.mu.Unlock()
		err = w.Wait(ctx)
		e.mu.Lock()
		if err != nil {
			leave(&x.ended, w)
		}
		w.Release()
		if err != nil {
			return e.wrap("stream: wait for close", err)
		}
	}
	if e.more == nil {
		return nil
	}
	return e.wrap("stream: close", e.more.closeErr)
}

var _ reactor.ReadyHandler = (*endpoint)(nil)
