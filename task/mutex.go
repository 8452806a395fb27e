package task

import (
	"context"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// Mutex is a lock that may be held across an await: who waits for it suspends, when it is a task, and blocks when it is a plain
// goroutine. Tasks of several loops and goroutines may use one at once. The zero Mutex is unlocked. It must not be copied.
//
// Whoever waits is served in order of arrival: Unlock hands the lock to the first, and nobody can come in between. Like
// sync.Mutex it belongs to no one: another task may unlock it, and a task that locks it twice waits for itself.
//
// Tasks of one loop that do not await while they change something need no lock at all.
type Mutex struct {
	mu      sync.Mutex
	locked  bool
	holder  coro.Tenant // who has locked it, if that is known
	waiters waitlist[struct{}]
}

// Lock locks m, for which it waits until it is the caller's turn. If ctx is done, already or before that turn, it returns the cause and leaves
// m to the others; a lock that was handed over before is the caller's, with no error.
//
// In a callback of a loop it panics if it would have to wait; see TryLock.
func (m *Mutex) Lock(ctx context.Context) error { return m.lock(ctx, "task: Mutex.Lock", m) }

func (m *Mutex) lock(ctx context.Context, op string, on fmt.Stringer) error {
	c, err := begin(ctx)
	if err != nil {
		return err
	}
	if m.take(c) {
		return nil
	}
	w, err := coro.Here(ctx, op)
	if err != nil {
		return err
	}
	m.mu.Lock()
	if !m.locked {
		m.locked, m.holder = true, w.Coro().Tenant()
		m.mu.Unlock()
		w.Release()
		return nil
	}
	p := m.waiters.add(w, struct{}{})
	m.mu.Unlock()
	return m.waiters.wait(ctx, &m.mu, w, p, on)
}

func (m *Mutex) take(c *coro.Coro) bool {
	m.mu.Lock()
	free := !m.locked
	if free {
		m.locked, m.holder = true, c.Tenant()
	}
	m.mu.Unlock()
	return free
}

// TryLock locks m if it is unlocked, and reports whether it did. It never waits, and may be called from anywhere.
func (m *Mutex) TryLock() bool { return m.take(nil) }

// Unlock unlocks m, or hands it to the first who waits. It never waits, and may be called from anywhere. It panics if m is not locked.
func (m *Mutex) Unlock() {
	m.mu.Lock()
	if !m.locked {
		m.mu.Unlock()
		panic("task: Unlock of a Mutex that is not locked; call it once for each Lock that succeeded")
	}
	w := m.waiters.next()
	if w == nil {
		m.locked, m.holder = false, coro.Tenant{}
	} else {
		m.holder = w.Coro().Tenant()
	}
	m.mu.Unlock()
	if w != nil {
		w.Wake()
	}
}

// String names what is awaited.
func (m *Mutex) String() string { return "mutex" }

// heldBy returns who has locked m, nobody if that is unknown or nobody has. Any goroutine may call it.
func (m *Mutex) heldBy() coro.Tenant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holder
}

// isLocked reports whether anybody has locked m.
func (m *Mutex) isLocked() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.locked
}
