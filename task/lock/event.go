package lock

import (
	"context"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// Event is a flag that can be waited for. The zero Event is not set. For what happens once and has
// a result, a future is simpler.
type Event struct {
	mu   sync.Mutex
	set  bool
	line coro.Line
}

// Set sets the event, and lets go on all that wait for it. It may be called from anywhere, and
// again.
func (e *Event) Set() {
	var claimed coro.Claimed
	e.mu.Lock()
	e.set = true
	e.line.ClaimAll(&claimed)
	e.mu.Unlock()
	claimed.Wake()
}

// Clear makes later calls of Wait wait. Those that Set has let go on return, even if they have not
// run since. It may be called from anywhere.
func (e *Event) Clear() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.set = false
}

// IsSet reports whether the event is set. It may be called from anywhere.
func (e *Event) IsSet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// Wait waits until the event is set. If ctx is done, already or before that, it returns the cause,
// and the event is as it was. In a callback of a loop it panics if it would have to wait.
func (e *Event) Wait(ctx context.Context) error {
	if _, err := coro.Begin(ctx); err != nil {
		return err
	}
	e.mu.Lock()
	if e.set {
		e.mu.Unlock()
		return nil
	}
	return e.line.Wait(ctx, &e.mu, "lock: Event.Wait", e)
}

// String tells whether the event is set.
func (e *Event) String() string {
	if e.IsSet() {
		return "event, set"
	}
	return "event"
}
