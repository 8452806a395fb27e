package stream

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// Conn is a buffered connection, over TCP, a Unix socket, or memory. Its methods may be called from
// tasks and plain goroutines. Those whose name begins with Try, and those that never wait, may be
// called from callbacks too.
//
// One operation of each direction is under way at a time; others wait their turn. Only what is
// named Peek lends bytes, until the next call that reads. Every other call gives them away, and no
// call keeps its argument.
type Conn struct {
	e     atomic.Pointer[endpoint] // nil once the connection has been handed over
	epoch uint32
}

// newConn returns a handle to e.
func newConn(e *endpoint) *Conn {
	c := &e.first // in the endpoint's own memory
	watched := e.core().Debug()
	if e.epoch > 0 || watched {
		c = &Conn{epoch: e.epoch}
	}
	c.e.Store(e)
	if watched {
		watchHandle(c, e)
	}
	return c
}

// lock returns the connection, locked, or the reason why it can't be used.
func (c *Conn) lock() (*endpoint, error) {
	e := c.e.Load()
	if e == nil {
		return nil, ErrDetached
	}
	e.lock()
	if err := e.usable(c.epoch); err != nil {
		e.unlock()
		return nil, err
	}
	return e, nil
}

// own is lock for a connection that may be closed.
func (c *Conn) own() (*endpoint, error) {
	e := c.e.Load()
	if e == nil {
		return nil, ErrDetached
	}
	e.lock()
	if e.epoch != c.epoch {
		e.unlock()
		return nil, ErrDetached
	}
	return e, nil
}

// usable tells why a handle of epoch can't be used any more.
func (e *endpoint) usable(epoch uint32) error {
	switch {
	case e.epoch != epoch:
		return ErrDetached
	case e.closing:
		return ErrClosed
	}
	return nil
}

// refused says why a call was refused.
func (c *Conn) refused(op string, err error) error {
	if e := c.e.Load(); e != nil {
		return e.wrap(op, err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

// begin locks the endpoint and waits for the turn of a direction; end gives both back. It fails,
// with nothing taken, when ctx is done, or the handle can't be used.
func (c *Conn) begin(ctx context.Context, d direction, op string) (*endpoint, error) {
	e, err := c.lock()
	if err != nil {
		return nil, c.refused(op, err)
	}
	if !e.held[d] && ctx.Err() == nil {
		e.held[d] = true
		return e, nil
	}
	if err := c.queueUp(ctx, e, d, op); err != nil {
		return nil, e.wrap(op, err)
	}
	return e, nil
}

// queueUp waits for the turn that another operation has. It is called locked, and unlocks when it
// fails, or panics in a callback. If the handle is of no use any more, a turn that has come is not
// its turn to pass on.
func (c *Conn) queueUp(ctx context.Context, e *endpoint, d direction, op string) (err error) {
	mine := false
	defer func() {
		if !mine {
			e.unlock()
		}
	}()
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	err = c.park(ctx, e, &e.rare().queue[d], e.turn(d), op)
	mine = err == nil
	return err
}

// end ends an operation that begin began.
func (c *Conn) end(e *endpoint, d direction) {
	if e.epoch == c.epoch {
		e.pass(d)
	}
	e.unlock()
}

// park waits in a line of the endpoint, as await does, and fails if the handle is of no use after
// it.
func (c *Conn) park(ctx context.Context, e *endpoint, line *coro.Line, on fmt.Stringer, op string) error {
	err := e.await(ctx, line, on, op)
	if unusable := e.usable(c.epoch); unusable != nil {
		return unusable
	}
	return err
}

// await waits in a line until it is woken, or ctx ends. It is called locked, and returns locked.
func (e *endpoint) await(ctx context.Context, line *coro.Line, on fmt.Stringer, op string) error {
	w, err := e.beginWait(ctx, line, op)
	if err != nil {
		return err
	}
	w.Begin(ctx, on).Suspend()
	return e.endWait(ctx, line, w)
}

// beginWait and endWait are the two halves of await, for a caller that suspends in its own frame.
// beginWait unlocks, unless it fails; in a callback it panics, locked.
func (e *endpoint) beginWait(ctx context.Context, line *coro.Line, op string) (*coro.Waiter, error) {
	c := coro.Who(ctx, op)
	if ctx.Err() != nil {
		return nil, coro.Cause(ctx)
	}
	w := line.EnterAs(c)
	e.unlock()
	return w, nil
}

// endWait locks again.
func (e *endpoint) endWait(ctx context.Context, line *coro.Line, w *coro.Waiter) error {
	err := line.Exit(ctx, &e.mu, w)
	e.lock()
	return err
}

// unlocked calls fn without the lock that its caller has.
func (e *endpoint) unlocked(fn func()) {
	e.unlock()
	defer e.lock()
	fn()
}

// share is how many transfers in a row an operation makes that need not wait, before others have
// their turn.
const share = 16

// weigh returns for how many transfers one of n bytes counts: a large one takes as long as some
// small ones, and the loop is told.
func (e *endpoint) weigh(n int) uint8 {
	const large = 64 << 10
	if n >= large && e.onLoop {
		e.core().TakesLong()
	}
	return uint8(1 + min(n/large, share-1))
}

// beFair lets others have their turn when count transfers of the connection have not waited, and
// then fails if ctx is done. It is called by the operation that has the turn.
func (c *Conn) beFair(ctx context.Context, e *endpoint, count *uint8) error {
	if *count < share {
		return nil
	}
	*count = 0
	if t := coro.Current(); t != nil {
		e.unlocked(t.Yield)
	}
	if err := e.usable(c.epoch); err != nil {
		return err
	}
	if ctx.Err() != nil {
		return coro.Cause(ctx)
	}
	return nil
}

// OnReady has fn called on the loop whenever the connection may have become readable, writable or
// broken. fn stays until it is replaced; nil removes it, and so does Detach. It is called on the
// loop. It needs no task.
//
// It is edge-triggered: fn is called when something has come, or gone wrong, and not again as long
// as that is so. So fn goes on with TryRead, TryPeek, TryPeekSome or TryWrite until one returns
// ErrWouldBlock; TryPeek waits for a whole frame that way. What fn leaves is there at its next
// call, which comes with the next bytes. A call too many is possible: the Try methods tell what has
// happened, and if nothing has, they return ErrWouldBlock.
//
// Input that came before OnReady, or an end or an error, counts as having come just now: fn is
// called once, soon. OnReady itself calls nothing. When the connection is closed, fn is called a
// last time.
func (c *Conn) OnReady(fn func()) error {
	e, err := c.lock()
	if err != nil {
		return c.refused("stream: on ready", err)
	}
	defer e.unlock()
	if e.notify = fn; e.hasNews() && fn != nil {
		e.core().Post((*earlier)(e))
	}
	return nil
}

// hasNews reports whether there may be input, or there is an end.
func (e *endpoint) hasNews() bool {
	return e.in.len() > 0 || e.mayRead || e.readErr() != nil || e.writeErr() != nil
}

// earlier tells OnReady's function of what came before it, as an entry of the loop.
type earlier endpoint

func (n *earlier) Run() {
	e := (*endpoint)(n)
	e.lock()
	news := !e.closed && e.hasNews()
	e.unlock()
	if news {
		(*notification)(e).Run()
	}
}

// notifyLater has OnReady's function called soon, if there is one. It is called locked.
func (e *endpoint) notifyLater() {
	if e.notify != nil {
		e.core().Post((*notification)(e))
	}
}

// notification is a call of OnReady's function as an entry of the loop.
type notification endpoint

func (n *notification) Run() {
	e := (*endpoint)(n)
	e.lock()
	notify := e.notify // another one, if OnReady was called since: a call too many
	e.unlock()
	if notify != nil {
		notify()
	}
}

// Detach moves the connection, with its buffers and all it knows, into a new Conn. From then on the
// old one is inert: its calls return ErrDetached, also those that are waiting now, and its Close
// does nothing. So a deferred Close of the former owner can't hit the connection any more. What the
// old one has lent stays as it is.
func (c *Conn) Detach() (*Conn, error) {
	e, err := c.lock()
	if err != nil {
		return nil, c.refused("stream: detach", err)
	}
	defer e.unlock()
	e.epoch++
	e.notify = nil
	e.held = [2]bool{}
	e.dismiss()
	if e.more != nil {
		e.more.urgent = nil
		wakeAll(&e.more.flushed)
		wakeAll(&e.more.closed)
	}
	e.in.disown()
	c.e.Store(nil)
	e.streams.count(&e.streams.stats.HandOvers)
	return newConn(e), nil
}

// Loop returns the loop that the connection belongs to, nil after Detach.
func (c *Conn) Loop() *reactor.Loop {
	if e := c.e.Load(); e != nil {
		return e.loop()
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

// LocalAddr returns the connection's own address; nil after Detach. After Close it returns what an
// earlier call has returned, or nil.
func (c *Conn) LocalAddr() net.Addr {
	e, err := c.own()
	if err != nil {
		return nil
	}
	defer e.unlock()
	x := e.rare()
	if x.own == nil && !e.closed {
		x.own = e.transport.localAddr()
	}
	return x.own
}

// SetValue keeps a value with the connection, through Detach too; Value returns it.
func (c *Conn) SetValue(v any) {
	if e, err := c.own(); err == nil {
		e.rare().value = v
		e.unlock()
	}
}

// Value returns what SetValue has kept, also after Close; nil after Detach.
func (c *Conn) Value() any {
	e, err := c.own()
	if err != nil {
		return nil
	}
	defer e.unlock()
	if e.more == nil {
		return nil
	}
	return e.more.value
}
