package task

import (
	"context"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// Once runs a function that succeeds once, such as the set-up of a connection that tasks share. Who comes while it runs suspends, when it is a
// task, and blocks when it is a plain goroutine. The zero Once is ready. It must not be copied.
//
// Unlike with sync.Once, a function that fails, panics or calls runtime.Goexit has not run: the next one's turn comes. A function that awaits can
// fail because its caller's context was cancelled, or a peer was not there for a moment, and everybody would be told of that for ever.
type Once struct {
	done atomic.Bool
	mu   Mutex
}

// Do calls fn, with ctx, unless a call of Do on o has succeeded; meanwhile others wait. It returns the error of fn, to this caller only: who
// waited calls its own function then. When Do returns nil, a function has succeeded.
//
// If ctx is done, already or while Do waits for others and none of them has succeeded, Do returns the cause and has not called fn. What the end
// of ctx does to fn is fn's business. A panic of fn is the caller's. If fn calls Do on the same o, it waits for itself. In a callback of a loop Do panics if it would have to wait.
func (o *Once) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	if o.done.Load() {
		_, err := begin(ctx)
		return err
	}
	if err := o.mu.lock(ctx, "task: Once.Do", o); err != nil {
		return err
	}
	defer o.mu.Unlock()
	if o.done.Load() {
		return nil
	}
	if ctx.Err() != nil { // since its turn came
		return coro.Cause(ctx)
	}
	if err := fn(ctx); err != nil {
		return err
	}
	o.done.Store(true)
	return nil
}

func (o *Once) heldBy() coro.Tenant { return o.mu.heldBy() }

// String tells whether a function has succeeded.
func (o *Once) String() string {
	if o.done.Load() {
		return "once, done"
	}
	return "once"
}
