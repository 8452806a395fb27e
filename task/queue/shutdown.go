package queue

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/internal/coro"
)

// Shutdown lets nothing in any more: each Put fails with ErrShutdown, and so do those that wait.
// What is in the queue can be taken out; then each Get fails with ErrShutdown too. It may be
// called from anywhere, and again.
func (q *Queue[T]) Shutdown() { q.shutdown(ErrShutdown, false) }

// ShutdownNow is Shutdown that also takes out what is in the queue, so that each Get fails at
// once. It returns these items in the order in which Get would have, and counts them as done, for
// Join. The items of those that wait in Put were never in the queue: they have their errors. It
// may be called from anywhere.
func (q *Queue[T]) ShutdownNow() []T { return q.shutdown(ErrShutdown, true) }

func (q *Queue[T]) shutdown(end error, now bool) (dropped []T) {
	var claimed coro.Claimed
	q.mu.Lock()
	if q.end == nil {
		q.end = end
	}
	for _, l := range [...]*coro.Line{&q.putters, &q.getters} { // getters found nothing
		for w, p := claim[T](l); w != nil; w, p = claim[T](l) {
			*p = parcel[T]{err: q.end}
			claimed.Add(w)
		}
	}
	if n := q.items.len(); now && n > 0 {
		dropped = make([]T, n)
		for i := range dropped {
			dropped[i] = q.items.pop()
		}
		q.finish(n, &claimed)
	}
	q.mu.Unlock()
	claimed.Wake()
	return dropped
}

// finish counts n items as done. It is called with q.mu held.
func (q *Queue[T]) finish(n int, claimed *coro.Claimed) {
	if q.unfinished = max(q.unfinished-n, 0); q.unfinished == 0 {
		q.joiners.ClaimAll(claimed)
	}
}

// TaskDone says that the work on an item that Get returned is done, for Join. It may be called from
// anywhere. It panics if it is called more often than items were put.
func (q *Queue[T]) TaskDone() {
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		panic("queue: TaskDone without an item that is not done; call it once for each item that Get returned")
	}
	var claimed coro.Claimed
	q.finish(1, &claimed)
	q.mu.Unlock()
	claimed.Wake()
}

// Join waits until TaskDone was called for each item that was put. If ctx is done, already or
// before that, it returns the cause, and changes nothing. In a callback of a loop it panics if it
// would have to wait.
func (q *Queue[T]) Join(ctx context.Context) error {
	if _, err := coro.Begin(ctx); err != nil {
		return err
	}
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		return nil
	}
	return q.joiners.Wait(ctx, &q.mu, "queue: Join", (*joined[T])(q))
}

// joined is a Queue as Join waits for it.
type joined[T any] Queue[T]

func (j *joined[T]) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return fmt.Sprintf("join of a queue, %d not done", j.unfinished)
}
