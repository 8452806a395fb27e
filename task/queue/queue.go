package queue

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

var (
	ErrShutdown = errors.New("queue: shut down") // Put after Shutdown, and Get when nothing is left
	ErrFull     = errors.New("queue: full")      // TryPut
	ErrEmpty    = errors.New("queue: empty")     // TryGet
)

// Queue passes items from those that put to those that get. The zero Queue is unbounded, and first
// in, first out; New, NewLIFO and NewPriority make others. It must not be copied after the first
// use.
//
// A Put hands its item to the first Get in line, and nobody can come in between; if the context of
// that Get ends afterwards, it returns the item with no error.
type Queue[T any] struct {
	// Guarded by mu.
	mu      sync.Mutex
	items   items[T]
	max     int       // 0: unbounded
	end     error     // why nothing can be put any more; nil while it can
	getters coro.Line // each with a parcel for the item to come; nobody while there is an item
	putters coro.Line // each with its item in a parcel; nobody while there is room
	parcels parcels[T]

	unfinished int // items that were put and not told done
	joiners    coro.Line
}

// New returns a Queue, first in, first out, that holds at most max items; if max is 0 or less, any
// number.
func New[T any](max int) *Queue[T] { return &Queue[T]{max: bound(max)} }

// NewLIFO is New for a Queue that gives out the latest item first.
func NewLIFO[T any](max int) *Queue[T] {
	return &Queue[T]{max: bound(max), items: items[T]{lifo: true}}
}

// NewPriority is New for a Queue that gives out the least item first; of those that are equal, the
// one that came first. less is an order such as sort.Slice takes. It is called with the queue
// locked, so it must not use the queue, and must not panic.
func NewPriority[T any](max int, less func(a, b T) bool) *Queue[T] {
	if less == nil {
		panic("queue: NewPriority without an order; give it a less function")
	}
	return &Queue[T]{max: bound(max), items: items[T]{less: less}}
}

func bound(n int) int { return max(n, 0) }

// Put puts v into the queue, and waits for room while that is full. It fails with ErrShutdown after
// Shutdown, also if it waits then. If ctx is done, already or before there was room, it returns the
// cause. After an error v is not in the queue.
//
// In a callback of a loop it panics if it would have to wait; see TryPut.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if _, err := coro.Begin(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	getter, err := q.put(v)
	if err == ErrFull {
		_, err = q.wait(ctx, &q.putters, "queue: Put", v)
		return err
	}
	q.mu.Unlock()
	wake(getter)
	return err
}

// TryPut puts v into the queue, unless that fails with ErrFull or, after Shutdown, with
// ErrShutdown. It may be called from anywhere.
func (q *Queue[T]) TryPut(v T) error {
	q.mu.Lock()
	getter, err := q.put(v)
	q.mu.Unlock()
	wake(getter)
	return err
}

// put puts v, or gives it to the getter that it returns. It is called with q.mu held.
func (q *Queue[T]) put(v T) (getter *coro.Waiter, err error) {
	if q.end != nil {
		return nil, q.end
	}
	if getter, p := claim[T](&q.getters); getter != nil {
		p.v = v
		q.unfinished++
		return getter, nil
	}
	if q.max > 0 && q.items.len() >= q.max {
		return nil, ErrFull
	}
	q.items.push(v)
	q.unfinished++
	return nil, nil
}

// Get takes the next item out of the queue, and waits while there is none. When none is left after
// Shutdown it fails with ErrShutdown. If ctx is done, already or before it was given an item, it
// returns the cause, and has taken none.
//
// In a callback of a loop it panics if it would have to wait; see TryGet.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	var none T
	if _, err := coro.Begin(ctx); err != nil {
		return none, err
	}
	q.mu.Lock()
	v, putter, err := q.get()
	if err == ErrEmpty {
		return q.wait(ctx, &q.getters, "queue: Get", none)
	}
	q.mu.Unlock()
	wake(putter)
	return v, err
}

// TryGet takes the next item out of the queue, unless there is none: it fails with ErrEmpty or,
// after Shutdown, with ErrShutdown. It may be called from anywhere.
func (q *Queue[T]) TryGet() (T, error) {
	q.mu.Lock()
	v, putter, err := q.get()
	q.mu.Unlock()
	wake(putter)
	return v, err
}

// get takes an item out, and puts in that of the putter that it returns. It is called with q.mu
// held.
func (q *Queue[T]) get() (v T, putter *coro.Waiter, err error) {
	if q.items.len() == 0 {
		if err = q.end; err == nil {
			err = ErrEmpty
		}
		return v, nil, err
	}
	v = q.items.pop()
	putter, p := claim[T](&q.putters)
	if putter != nil {
		q.items.push(p.v)
		q.unfinished++
	}
	return v, putter, nil
}

// All returns an iterator over the items as Get takes them. It ends when the queue is shut down
// and empty. An error that Get otherwise returns, as when ctx is done, is yielded once, with no
// item, and ends it. A loop that breaks leaves the other items in the queue.
func (q *Queue[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := q.Get(ctx)
			if err == ErrShutdown || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// Len returns how many items are in the queue. It may be called from anywhere.
func (q *Queue[T]) Len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items.len()
}

// String tells how many items are in the queue.
func (q *Queue[T]) String() string {
	if n := q.Len(); n != 1 {
		return fmt.Sprintf("queue of %d items", n)
	}
	return "queue of 1 item"
}
