package future

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// PanicError carries a recovered panic and the stack it had.
type PanicError = coro.PanicError

var (
	ErrPending   = errors.New("future: result is not there yet") // TryResult, too early
	ErrCancelled = errors.New("future: cancelled")               // Cancel without a cause
	ErrNone      = errors.New("future: nothing to choose from")  // Any or Race of nothing
	ErrGoexit    = coro.ErrGoexit                                // the producer called it
)

// Future is the reading side of a result that will be there later. Its methods may be called from
// any goroutine. The zero Future is pending for ever: New makes one together with its Promise.
type Future[T any] struct {
	done atomic.Bool // val and err may be read
	seen uint32      // whether err was given to somebody; atomic once f is in use

	mu   sync.Mutex
	val  T
	err  error
	line coro.Line // of those in Await
	more *crowd    // made on need; of a completed future, nil or what has its loss
}

// The values of seen. It goes to given once, from either of the others, and stays there.
const (
	unseen  uint32 = iota // reported by somebody else, if at all: a task reports its own error
	watched               // unseen, and reported by this package
	given                 // somebody has it
)

// crowd is what few futures have: callbacks, a channel, a producer that can be told to stop.
type crowd struct {
	callbacks list[coro.Runnable]
	inline    bool // there is one for Inline among them
	done      chan struct{}
	cancel    func(cause error) // OnCancel
	cause     error             // of a Cancel that has been passed on
	home      *coro.Pool        // in debug mode, where a producer on a plain goroutine belongs
	loss      *coro.Loss        // in debug mode, of a future that has failed
	origin    origin            // of its error, if that was another future's
}

// String tells whether f is pending, failed or has its value.
func (f *Future[T]) String() string {
	switch {
	case !f.done.Load():
		return "pending future"
	case f.err != nil:
		return "failed future"
	}
	return "completed future"
}

// AsFuture returns f.
func (f *Future[T]) AsFuture() *Future[T] { return f }

// Await returns the result, for which it suspends the calling task or blocks the calling
// goroutine; ctx only bounds the wait. If ctx ends first the error is its cause, and matches
// ctx.Err() too; f is not cancelled by that, and loses nothing. A result that is there is returned
// even if ctx is done.
//
// In a callback of a loop it returns a result that is there, and otherwise panics, since to wait
// would stop the loop.
func (f *Future[T]) Await(ctx context.Context) (T, error) {
	if f.done.Load() {
		coro.Spend(ctx)
		return f.outcome()
	}
	w, err := f.queueUp(ctx)
	if w != nil {
		w.Begin(ctx, f).Suspend() // here, with no frame in between: see Waiter.Wait
		err = f.line.Exit(ctx, &f.mu, w)
	}
	if err != nil {
		var none T
		return none, err
	}
	return f.outcome()
}

// queueUp puts the caller in line, unless ctx is done, which is the error, or the result is there.
func (f *Future[T]) queueUp(ctx context.Context) (*coro.Waiter, error) {
	const op = "future: Await"
	if ctx.Err() != nil && !f.done.Load() { // in this order: the result may have come first
		coro.Who(ctx, op)
		return nil, coro.Cause(ctx)
	}
	f.mu.Lock()
	if f.done.Load() {
		f.mu.Unlock()
		return nil, nil
	}
	w := f.line.Enter(ctx, &f.mu, op)
	f.mu.Unlock()
	return w, nil
}

// outcome returns the result, which is there.
func (f *Future[T]) outcome() (T, error) {
	if f.err != nil {
		f.retrieved()
	}
	return f.val, f.err
}

// retrieved notes that somebody is given the error.
func (f *Future[T]) retrieved() {
	atomic.StoreUint32(&f.seen, given)
	if f.more != nil {
		f.more.retrieved()
	}
}

// crowd returns f.more, made if need be. It is called under the mutex.
func (f *Future[T]) crowd() *crowd {
	if f.more == nil {
		f.more = &crowd{}
	}
	return f.more
}

// complete sets the outcome, once, and lets everybody know.
func (f *Future[T]) complete(v T, err error) bool { return f.completeFrom(v, err, nil, nil) }

// completeFrom is complete with an error that source has had, if that is not nil; or with one that
// loss stands for, if that is not nil.
func (f *Future[T]) completeFrom(v T, err error, source origin, loss *coro.Loss) bool {
	f.mu.Lock()
	if f.done.Load() {
		f.mu.Unlock()
		return false
	}
	if source != nil && err != nil {
		f.crowd().origin = source.handOn()
	}
	more := f.more
	f.more = nil
	var claimed coro.Claimed
	f.line.ClaimAll(&claimed)
	if err != nil {
		if !claimed.Empty() {
			atomic.StoreUint32(&f.seen, given) // a claimed waiter takes it
			if more != nil {
				more.retrieved()
			}
		} else if loss != nil {
			f.more = f.enter(loss)
		} else if f.seen == watched {
			f.more = f.lose(err, more)
		}
	}
	f.val, f.err = v, err
	f.done.Store(true)
	f.mu.Unlock()

	claimed.Wake()
	if more != nil {
		more.tell()
	}
	return true
}

func (c *crowd) tell() {
	if c.done != nil {
		close(c.done)
	}
	c.call()
}

// Done returns a channel that is closed at completion, for select in plain goroutines.
func (f *Future[T]) Done() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.done.Load() {
		return closed
	}
	c := f.crowd()
	if c.done == nil {
		c.done = make(chan struct{})
	}
	return c.done
}

var closed = func() chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// TryResult returns the outcome, or ErrPending if there is none yet. It never waits.
func (f *Future[T]) TryResult() (T, error) {
	if f.done.Load() {
		return f.outcome()
	}
	var none T
	return none, ErrPending
}

// Completed reports whether there is an outcome.
func (f *Future[T]) Completed() bool { return f.done.Load() }

// Cancel asks the producer to stop, for the reason cause (nil: ErrCancelled), and reports whether
// f was pending. If the producer has said by Promise.OnCancel how it stops, f completes when it
// does, perhaps with a result after all; only the first Cancel is passed on. Otherwise f completes
// with cause at once.
func (f *Future[T]) Cancel(cause error) bool {
	if cause == nil {
		cause = ErrCancelled
	}
	f.mu.Lock()
	if f.done.Load() {
		f.mu.Unlock()
		return false
	}
	if f.more == nil || f.more.cancel == nil {
		if f.seen == watched {
			atomic.StoreUint32(&f.seen, unseen) // who cancels knows
		}
		f.mu.Unlock()
		var none T
		return f.complete(none, cause)
	}
	stop := f.more.cancel
	if f.more.cause != nil {
		stop = nil
	} else {
		f.more.cause = cause
	}
	f.mu.Unlock()
	if stop != nil {
		stop(cause)
	}
	return true
}
