package queue

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

// ErrLagged is the error of Get for a subscriber of a Broadcast that has missed an item, since its
// buffer was full.
var ErrLagged = errors.New("queue: the subscriber was too slow, and has missed items")

// Broadcast gives each subscriber every item that is sent after its subscription, in the same
// order to all. Its methods may be called from anywhere. The zero Broadcast has no subscribers. It
// must not be copied after the first use.
//
// Send can't wait for the slowest: that would stop the others, and could be for ever. Nor does it
// drop items without a word. A subscriber whose bounded buffer is full when an item comes is cut
// off: it reads what it has, without a gap, and then has ErrLagged. It may subscribe again.
type Broadcast[T any] struct {
	mu          sync.Mutex
	subscribers []*Queue[T]
	closed      bool
}

// Subscribe returns a queue of the items that are sent from now on. If buffer is positive, the
// subscriber must not have more than so many unread. The queue ends, with ErrShutdown when it has
// been read, by Shutdown or Unsubscribe.
//
// A subscriber whose Get is cancelled has missed nothing: the items stay in the queue. It goes on
// collecting until Unsubscribe.
func (b *Broadcast[T]) Subscribe(buffer int) *Queue[T] {
	q := New[T](buffer)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		q.Shutdown()
	} else {
		b.subscribers = append(b.subscribers, q)
	}
	return q
}

// Unsubscribe shuts q down, which Subscribe returned: nothing more comes. What is in it can be
// read. (To shut q down does the same, but b keeps it until the next Send.)
func (b *Broadcast[T]) Unsubscribe(q *Queue[T]) {
	b.mu.Lock()
	b.subscribers = slices.DeleteFunc(b.subscribers, func(s *Queue[T]) bool { return s == q })
	b.mu.Unlock()
	q.Shutdown()
}

// Send gives v to each subscriber. With none it does nothing.
func (b *Broadcast[T]) Send(v T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.subscribers = slices.DeleteFunc(b.subscribers, func(q *Queue[T]) bool {
		err := q.TryPut(v)
		if err == ErrFull {
			q.shutdown(ErrLagged, false)
		}
		return err != nil
	})
}

// Shutdown ends the queue of each subscriber, and of those to come: they read what they have, and
// then have ErrShutdown. Later items go to nobody.
func (b *Broadcast[T]) Shutdown() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.subscribers {
		q.Shutdown()
	}
	b.subscribers, b.closed = nil, true
}

// String tells how many subscribers there are.
func (b *Broadcast[T]) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("broadcast to %d subscribers", len(b.subscribers))
}
