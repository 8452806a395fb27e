package task

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/internal/coro"
)

// Shutdown lets nothing in any more: each Put fails with ErrShutdown, and so do those that wait. What is in the queue can be taken out; then
// each Get fails with ErrShutdown, too. It never waits, and may be called from anywhere, and again.
func (q *Queue[T]) Shutdown() { q.shutdown(ErrShutdown, false) }

// ShutdownNow is Shutdown that also takes out what is in the queue, so that each Get fails at once. It returns these items in the order in which
// Get would have, and counts them as done, for Join. The items of those that wait in Put were never in the queue: they have their errors. It never waits, and may be
// called from anywhere.
func (q *Queue[T]) ShutdownNow() []T { return q.shutdown(ErrShutdown, true) }

func (q *Queue[T]) shutdown(end error, now bool) (dropped []T) {
	var woken batch
	q.mu.Lock()
	if q.end == nil {
		q.end = end
	}
	for _, l := range [...]*waitlist[parcel[T]]{&q.putters, &q.getters} { // who waits in Get has found the queue empty
		for p := l.claimFirst(); p != nil; p = l.claimFirst() {
			p.val = parcel[T]{err: q.end}
			woken.add(p.w)
		}
	}
	if n := q.items.len(); now && n > 0 {
		dropped = make([]T, n)
		for i := range dropped {
			dropped[i] = q.items.pop()
		}
		if q.unfinished = max(q.unfinished-n, 0); q.unfinished == 0 {
			q.joiners.all(&woken)
		}
	}
	q.mu.Unlock()
	woken.wake()
	return dropped
}

// TaskDone says that the work on an item that Get returned is done, for Join. It never waits, and may be called from anywhere. It panics if it is
// called more often than items were put.
func (q *Queue[T]) TaskDone() {
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		panic("task: TaskDone without an item that is not done; call it once for each item that Get returned")
	}
	var woken batch
	if q.unfinished--; q.unfinished == 0 {
		q.joiners.all(&woken)
	}
	q.mu.Unlock()
	woken.wake()
}

// Join waits until TaskDone was called for each item that was put. If ctx is done, already or before that, it returns the cause, and
// changes nothing. In a callback of a loop it panics if it would have to wait.
func (q *Queue[T]) Join(ctx context.Context) error {
	if _, err := begin(ctx); err != nil || q.pending() == 0 {
		return err
	}
	w, err := coro.Here(ctx, "task: Queue.Join")
	if err != nil {
		return err
	}
	q.mu.Lock()
	if q.unfinished == 0 {
		q.mu.Unlock()
		w.Release()
		return nil
	}
	p := q.joiners.add(w, struct{}{})
	q.mu.Unlock()
	return q.joiners.wait(ctx, &q.mu, w, p, (*joined[T])(q))
}

func (q *Queue[T]) pending() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.unfinished
}

// joined is a Queue as Join waits for it.
type joined[T any] Queue[T]

func (j *joined[T]) String() string {
	return fmt.Sprintf("join of a queue, %d not done", (*Queue[T])(j).pending())
}
