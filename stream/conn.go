package stream

import (
	"context"
	"net"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// Conn is a buffered connection, over TCP, a Unix socket, or memory. Its methods may be called from tasks and plain goroutines; those
// whose name begins with Try, and those that never wait, from callbacks too.
//
// One operation of each direction is under way at a time; others wait their turn. Only what is named Peek lends bytes, until
// the next call that reads; every other call gives them away, and no call keeps its argument.
type Conn struct {
	e     atomic.Pointer[endpoint] // nil once the connection has been handed over
	epoch uint32
}

func newConn(e *endpoint) *Conn {
	c := &Conn{epoch: e.epoch}
	c.e.Store(e)
	return c
}

// endpoint returns the connection, locked, or the reason why it can't be used.
func (c *Conn) lock() (*endpoint, error) {
	e := c.e.Load()
	if e == nil {
		return nil, ErrDetached
	}
	e.mu.Lock()
	if err := e.usable(c.epoch); err != nil {
		e.mu.Unlock()
		return nil, err
	}
	return e, nil
}

// usable tells why a handle of epoch can't be used.
func (e *endpoint) usable(epoch uint32) error {
	switch {
	case e.epoch != epoch:
		return ErrDetached
	case e.closing:
		return ErrClosed
	}
	return nil
}

// take waits for a turn of the locked endpoint. It fails when ctx is done, or the handle can't be used any more.
func (c *Conn) take(ctx context.Context, e *endpoint, t *turn, op string) error {
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	if !t.held {
		t.held = true
		return nil
	}
	w, err := coro.Here(ctx, op)
	if err != nil {
		return err
	}
	t.queue = append(t.queue, w)
	e.mu.Unlock()
	err = w.Wait(ctx)
	e.mu.Lock()
	w.Release()
	if unusable := e.usable(c.epoch); unusable != nil {
		return unusable // and the turn is no longer this handle's to pass on
	}
	if err != nil {
		t.leave(w)
	}
	return err
}

// give ends an operation that take began, and unlocks.
func (c *Conn) give(e *endpoint, t *turn) {
	if e.epoch == c.epoch {
		t.pass()
	}
	e.mu.Unlock()
}

// park waits, in the middle of an operation, until slot is woken. It is called locked, and returns locked.
func (c *Conn) park(ctx context.Context, e *endpoint, slot **coro.Waiter, op string) error {
	w, err := coro.Here(ctx, op)
	if err != nil {
		return err
	}
	*slot = w
	e.mu.Unlock()
	err = w.Wait(ctx)
	e.mu.Lock()
	if *slot == w {
		*slot = nil
	}
	w.Release()
	if unusable := e.usable(c.epoch); unusable != nil {
		return unusable
	}
	return err
}

// OnReady makes fn be called on the loop whenever the connection may have become readable, writable or broken, until it is
// replaced, or nil removes it: the callback that a classic handler is driven by. TryPeek, TryRead, TryWrite and Room then
// tell what is the matter. A call too many is possible. OnReady itself calls nothing. It is called on the loop.
func (c *Conn) OnReady(fn func()) error {
	e, err := c.lock()
	if err != nil {
		return err
	}
	defer e.mu.Unlock()
	e.rare().notify = fn
	return nil
}

// Detach moves the connection, with its buffers and all it knows, into a new Conn. The old one is inert from then on: its calls
// answer ErrDetached, also those that are waiting now, and its Close does nothing. So a deferred Close of whoever had the connection
// can't hit it any more.
func (c *Conn) Detach() (*Conn, error) {
	e, err := c.lock()
	if err != nil {
		return nil, err
	}
	defer e.mu.Unlock()
	e.epoch++
	if e.more != nil {
		e.more.notify = nil
	}
	wake(&e.reader)
	wake(&e.writer)
	wakeAll(&e.reading.queue)
	wakeAll(&e.writing.queue)
	e.reading, e.writing = turn{}, turn{}
	c.e.Store(nil)
	e.streams.count(&e.streams.stats.HandOvers)
	return newConn(e), nil
}

// Loop returns the loop that the connection belongs to, nil after Detach.
func (c *Conn) Loop() *reactor.Loop {
	if e := c.e.Load(); e != nil {
		return e.loop
	}
	return nil
}

// RemoteAddr returns the peer's address, also after Close; nil after Detach.
func (c *Conn) RemoteAddr() net.Addr {
	if e := c.e.Load(); e != nil {
		return e.remote()
	}
	return nil
}

// LocalAddr returns the connection's own address. After Close it is the one that an earlier call has returned, if there was
// one; nil after Detach.
func (c *Conn) LocalAddr() net.Addr {
	e := c.e.Load()
	if e == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed && e.own == (addr{}) {
		e.own = e.transport.localAddr()
	}
	return netAddr(e.own)
}

// SetValue keeps a value with the connection, through Detach too; Value returns it.
func (c *Conn) SetValue(v any) {
	if e, err := c.lock(); err == nil {
		e.rare().value = v
		e.mu.Unlock()
	}
}

// Value returns what SetValue has kept.
func (c *Conn) Value() any {
	e, err := c.lock()
	if err != nil {
		return nil
	}
	defer e.mu.Unlock()
	if e.more == nil {
		return nil
	}
	return e.more.value
}
