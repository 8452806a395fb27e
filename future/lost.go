package future

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// An error that nobody asks for is reported in debug mode, to the exception handler of the loop on
// which the future failed. Outside of that, a future that fails with nobody waiting looks once who
// runs, and nothing else.
//
// An error that a future has from another one, as by Map, is reported once. If the other one's
// owner reports it, as that of a task always does, it goes on doing so, unless the error is
// retrieved from the later future.

// origin is a future whose error another one has.
type origin interface {
	retrieved()
	handOn() origin
}

// inherit completes p with v and the error of f.
func inherit[T, U any](p *Promise[U], v U, f *Future[T]) { p.future.completeFrom(v, f.err, f, nil) }

// handOn hands the error of f on to a later future. It returns what is to be marked retrieved when
// the later one is; nil if there is nothing.
func (f *Future[T]) handOn() origin {
	switch {
	case f.more != nil && f.more.origin != nil:
		return f.more.origin
	case atomic.LoadUint32(&f.seen) == unseen:
		return f
	}
	f.retrieved()
	return nil
}

// retrieved tells whom it concerns that the error was.
func (c *crowd) retrieved() {
	if c.loss != nil {
		c.loss.Settle()
	}
	if c.origin != nil {
		c.origin.retrieved()
	}
}

// lose notes that f fails with err, which nobody waits for. It returns what f keeps of that, nil if
// nobody wants to know. It is called under the mutex; more is what f had.
func (f *Future[T]) lose(err error, more *crowd) *crowd {
	var home *coro.Pool
	if more != nil {
		if more.origin != nil {
			return &crowd{origin: more.origin}
		}
		if home = more.home; more.cause != nil && errors.Is(err, more.cause) {
			return nil // whoever cancelled it knows
		}
	}
	if home == nil {
		home = coro.CurrentPool()
	}
	if !home.TracksFutures() || errors.Is(err, context.Canceled) || errors.Is(err, ErrCancelled) {
		return nil
	}
	return f.enter(home.NewLoss("future", "", "", err))
}

// enter opens loss in its ledger. It returns what f keeps of that.
func (f *Future[T]) enter(loss *coro.Loss) *crowd {
	coro.Enter(f, loss)
	return &crowd{loss: loss}
}

// belong says which loop is told of an error of f, whose producer runs on a plain goroutine: the
// one of the task that ctx is of, or else the one that the caller runs on.
func (f *Future[T]) belong(ctx context.Context) {
	var home *coro.Pool
	if k, ok := ctx.(coro.Carrier); ok {
		home = k.CoroPool()
	} else {
		home = coro.CurrentPool()
	}
	if home.TracksFutures() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.crowd().home = home
	}
}
