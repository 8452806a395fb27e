package future

import (
	"context"
	"fmt"
	"iter"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// Mode says what Wait waits for.
type Mode int

const (
	AllCompleted   Mode = iota // all have completed
	FirstCompleted             // one has completed
	FirstError                 // one has failed, or all have completed
)

// Wait waits for what mode says and returns which of fs have completed then and which have not,
// both in the order of the arguments. It cancels nobody, and no error of fs counts as retrieved.
// If ctx ends first, it returns the same with the cause. Of none it returns at once. It panics if
// there is no such mode.
func Wait[T any, A Awaitable[T]](ctx context.Context, mode Mode, fs ...A) (done, pending []A, err error) {
	if mode < AllCompleted || mode > FirstError {
		panic(fmt.Sprintf("future: Wait with Mode(%d); give AllCompleted, FirstCompleted or FirstError", mode))
	}
	ms := members(fs)
	var left atomic.Int64
	left.Store(int64(len(fs)))
	if len(fs) == 0 {
		coro.Spend(ctx)
	} else {
		err = observe(ctx, ms, mode != FirstCompleted, func(i int) (bool, error) {
			last := left.Add(-1) == 0
			return last || mode == FirstCompleted || mode == FirstError && ms[i].failure() != nil, nil
		})
	}
	for i, m := range ms {
		if m.Completed() {
			done = append(done, fs[i])
		} else {
			pending = append(pending, fs[i])
		}
	}
	return done, pending, err
}

// AsCompleted yields each of fs, as its index and its outcome, in the order in which they
// complete; those that have before, in the order of the arguments.
//
// A loop that is left early, also by a panic, cancels those that are pending and awaits them. The
// error of one that had failed already, and was not yielded, does not count as retrieved. When
// ctx ends, they are cancelled with its cause, and the loop goes on as they end: each index is
// yielded, once, unless the loop is left.
func AsCompleted[T any, A Awaitable[T]](ctx context.Context, fs ...A) iter.Seq2[int, Outcome[T]] {
	return func(yield func(int, Outcome[T]) bool) {
		ms := members(fs)
		arrivals := make([]Promise[int], len(ms)) // the first one to complete, the second one, …
		var arrived atomic.Int64
		notices := make([]notice, len(ms))
		defer end(ctx, ms, nil)
		defer withdraw(ms, notices)
		notify(ms, notices, func(i int) { arrivals[arrived.Add(1)-1].Resolve(i) })
		wait, next := ctx, &choice{ms, false}
		for k := range arrivals {
			i, err := arrivals[k].Future().awaitAs(wait, next)
			if err != nil {
				wait = context.WithoutCancel(ctx)
				cancel(ms, make([]bool, len(ms)), err)
				i, _ = arrivals[k].Future().awaitAs(wait, next)
			}
			v, err := fs[i].AsFuture().TryResult()
			if !yield(i, Outcome[T]{v, err}) {
				return
			}
		}
	}
}
