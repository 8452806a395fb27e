package lock

import (
	"context"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// Once runs a function that succeeds once, such as the set-up of a connection that tasks share.
// Those who come while it runs wait. The zero Once is ready.
//
// Unlike with sync.Once, a function that fails, panics or calls runtime.Goexit has not run: the
// next caller has its turn. A function that awaits can fail because its caller's context was
// cancelled, or because a peer was away for a moment, and everybody would be told of that for
// ever.
type Once struct {
	done atomic.Bool
	mu   Mutex
}

// Do calls fn, with ctx, unless a call of Do on o has succeeded; meanwhile others wait. It returns
// the error of fn to this caller only: those who waited then call their own functions. When Do
// returns nil, a function has succeeded.
//
// If ctx is done, already or while Do waits for others and none of them has succeeded, Do returns
// the cause and has not called fn. What the end of ctx does to fn is up to fn. A panic of fn is
// the caller's. If fn calls Do on the same o, it waits for itself. In a callback of a loop Do
// panics if it would have to wait.
func (o *Once) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	if o.done.Load() {
		_, err := coro.Begin(ctx)
		return err
	}
	if err := o.mu.lock(ctx, "lock: Once.Do", (*heldOnce)(o)); err != nil {
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

// String tells whether a function has succeeded.
func (o *Once) String() string {
	if o.done.Load() {
		return "once, done"
	}
	return "once"
}

// heldOnce is a Once as those who look inside see it. See coro.Held.
type heldOnce Once

func (o *heldOnce) String() string { return (*Once)(o).String() }

func (o *heldOnce) HeldBy() coro.Tenant { return (*heldMutex)(&o.mu).HeldBy() }
