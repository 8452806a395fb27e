package task

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

var (
	ErrShutdown = errors.New("task: queue is shut down") // Put after Shutdown, and Get when nothing is left
	ErrFull     = errors.New("task: queue is full")      // TryPut
	ErrEmpty    = errors.New("task: queue is empty")     // TryGet
)

// Queue passes items from those that put to those that get, first in, first out. Tasks of several loops and goroutines may use one at
// once: who waits suspends, when it is a task, and blocks when it is a plain goroutine. The zero Queue is unbounded. It must not be copied.
//
// Whoever waits is served in order of arrival. A Put hands its item to the first Get that waits, and nobody can come in between; if the context
// of that one ends after that, Get returns the item with no error. So a cancellation never loses an item, and never doubles one.
type Queue[T any] struct {
	mu      sync.Mutex
	items   items[T]
	max     int   // 0: unbounded
	end     error // why nothing can be put any more, nil while it can
	getters waitlist[parcel[T]]
	putters waitlist[parcel[T]]

	unfinished int // items that were put and not told done
	joiners    waitlist[struct{}]
}

// parcel is the item that somebody waits with, or was given; or why there is none.
type parcel[T any] struct {
	v   T
	err error
}

// NewQueue returns a Queue that holds at most max items; if max is 0 or less, any number.
func NewQueue[T any](max int) *Queue[T] { return &Queue[T]{max: bound(max)} }

func bound(n int) int { return max(n, 0) }

// PriorityQueue is a Queue that gives out the least item first; of those that are equal, the one that came first. NewPriorityQueue makes one: the
// zero value knows no order but a Queue's.
type PriorityQueue[T any] struct{ Queue[T] }

// NewPriorityQueue returns a PriorityQueue that holds at most max items, as NewQueue does. less is an order as that of sort.Slice. It is called with
// the queue locked, so it must not use the queue, and must not panic.
func NewPriorityQueue[T any](max int, less func(a, b T) bool) *PriorityQueue[T] {
	if less == nil {
		panic("task: NewPriorityQueue without an order; give it a less function")
	}
	return &PriorityQueue[T]{Queue[T]{max: bound(max), items: items[T]{less: less}}}
}

// LIFOQueue is a Queue that gives out the latest item first. NewLIFOQueue makes one: the zero value is in a Queue's order.
type LIFOQueue[T any] struct{ Queue[T] }

// NewLIFOQueue returns a LIFOQueue that holds at most max items, as NewQueue does.
func NewLIFOQueue[T any](max int) *LIFOQueue[T] {
	return &LIFOQueue[T]{Queue[T]{max: bound(max), items: items[T]{lifo: true}}}
}

// Put puts v into the queue, for which it waits while that is full. It fails with ErrShutdown after Shutdown, also if it waits then. If ctx is
// done, already or before there was room, it returns the cause. After an error v is not in the queue.
//
// In a callback of a loop it panics if it would have to wait; see TryPut.
func (q *Queue[T]) Put(ctx context.Context, v T) error {
	if _, err := begin(ctx); err != nil {
		return err
	}
	if err := q.TryPut(v); err != ErrFull {
		return err
	}
	w, err := coro.Here(ctx, "task: Queue.Put")
	if err != nil {
		return err
	}
	q.mu.Lock()
	getter, err := q.put(v)
	if err == ErrFull {
		p := q.putters.add(w, parcel[T]{v: v})
		q.mu.Unlock()
		_, err = q.await(ctx, &q.putters, w, p)
		return err
	}
	q.mu.Unlock()
	w.Release()
	if getter != nil {
		getter.Wake()
	}
	return err
}

// TryPut puts v into the queue, unless that fails with ErrFull or, after Shutdown, with ErrShutdown. It never waits, and may be called from anywhere.
func (q *Queue[T]) TryPut(v T) error {
	q.mu.Lock()
	getter, err := q.put(v)
	q.mu.Unlock()
	if getter != nil {
		getter.Wake()
	}
	return err
}

// put puts v, or gives it to the getter that it returns. It is called under the mutex.
func (q *Queue[T]) put(v T) (getter *coro.Waiter, err error) {
	if q.end != nil {
		return nil, q.end
	}
	if p := q.getters.claimFirst(); p != nil {
		p.val.v = v
		q.unfinished++
		return p.w, nil
	}
	if q.max > 0 && q.items.len() >= q.max {
		return nil, ErrFull
	}
	q.items.push(v)
	q.unfinished++
	return nil, nil
}

// Get takes the next item out of the queue, for which it waits while there is none. When none is left after Shutdown it fails with
// ErrShutdown. If ctx is done, already or before it was given an item, it returns the cause, and has taken none.
//
// In a callback of a loop it panics if it would have to wait; see TryGet.
func (q *Queue[T]) Get(ctx context.Context) (T, error) {
	var none T
	if _, err := begin(ctx); err != nil {
		return none, err
	}
	v, err := q.TryGet()
	if err != ErrEmpty {
		return v, err
	}
	w, err := coro.Here(ctx, "task: Queue.Get")
	if err != nil {
		return none, err
	}
	q.mu.Lock()
	v, putter, err := q.get()
	if err == ErrEmpty {
		p := q.getters.add(w, parcel[T]{})
		q.mu.Unlock()
		return q.await(ctx, &q.getters, w, p)
	}
	q.mu.Unlock()
	w.Release()
	if putter != nil {
		putter.Wake()
	}
	return v, err
}

// TryGet takes the next item out of the queue, unless there is none: it fails with ErrEmpty or, after Shutdown, with ErrShutdown. It never waits, and may
// be called from anywhere.
func (q *Queue[T]) TryGet() (T, error) {
	q.mu.Lock()
	v, putter, err := q.get()
	q.mu.Unlock()
	if putter != nil {
		putter.Wake()
	}
	return v, err
}

// get takes an item out, and puts that of the putter that it returns. It is called under the mutex.
func (q *Queue[T]) get() (v T, putter *coro.Waiter, err error) {
	if q.items.len() == 0 {
		if err = q.end; err == nil {
			err = ErrEmpty
		}
		return v, nil, err
	}
	v = q.items.pop()
	if p := q.putters.claimFirst(); p != nil {
		q.items.push(p.val.v)
		q.unfinished++
		putter = p.w
	}
	return v, putter, nil
}

// await waits at the place p of l, and returns what was given there.
func (q *Queue[T]) await(ctx context.Context, l *waitlist[parcel[T]], w *coro.Waiter, p *place[parcel[T]]) (T, error) {
	err := w.Wait(ctx, q)
	q.mu.Lock()
	given := p.val
	l.leave(p)
	q.mu.Unlock()
	w.Release() // not before it has left
	if err != nil {
		var none T
		return none, err
	}
	return given.v, given.err
}

// All returns an iterator over the items as Get takes them. It ends when the queue is shut down and empty. An error that Get otherwise
// returns, as when ctx is done, is yielded once, with no item, and ends it. A loop that breaks leaves the other items in the queue.
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

// Len returns how many items are in the queue.
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
