package task

import (
	"context"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// Event is a flag that can be waited for, by tasks of several loops and by goroutines at once. The zero Event is not set. It must not be
// copied. For what happens once and has a result, a future is simpler.
type Event struct {
	mu      sync.Mutex
	set     bool
	waiters waitlist[struct{}]
}

// Set sets the event and lets everybody go on who waits for it. It may be called from anywhere, and again.
func (e *Event) Set() {
	var woken batch
	e.mu.Lock()
	e.set = true
	e.waiters.all(&woken)
	e.mu.Unlock()
	woken.wake()
}

// Clear makes later calls of Wait wait. Those that Set has let go on return, even if they have not run since.
func (e *Event) Clear() {
	e.mu.Lock()
	e.set = false
	e.mu.Unlock()
}

// IsSet reports whether the event is set.
func (e *Event) IsSet() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.set
}

// Wait waits until the event is set. If ctx is done, already or before that, it returns the cause, and the event is as it was. In a callback of a
// loop it panics if it would have to wait.
func (e *Event) Wait(ctx context.Context) error {
	if _, err := begin(ctx); err != nil || e.IsSet() {
		return err
	}
	w, err := coro.Here(ctx, "task: Event.Wait")
	if err != nil {
		return err
	}
	e.mu.Lock()
	if e.set {
		e.mu.Unlock()
		w.Release()
		return nil
	}
	p := e.waiters.add(w, struct{}{})
	e.mu.Unlock()
	return e.waiters.wait(ctx, &e.mu, w, p, e)
}

// String tells whether the event is set.
func (e *Event) String() string {
	if e.IsSet() {
		return "event, set"
	}
	return "event"
}
