package lock

import (
	"context"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// Mutex is a lock that may be held across an await. Unlock hands it to the first in line. The zero
// Mutex is unlocked.
//
// Like a sync.Mutex it belongs to no one: another task may unlock it, and a task that locks it
// twice waits for itself.
type Mutex struct {
	// Guarded by mu, as is the line of a Cond.
	mu     sync.Mutex
	locked bool
	holder coro.Tenant // whoever has locked it, if that is known
	line   coro.Line
}

// Lock locks m, and waits for that until it is the caller's turn. If ctx is done, already or before
// that turn, it returns the cause and leaves m to the others.
//
// In a callback of a loop it panics if it would have to wait; see TryLock.
func (m *Mutex) Lock(ctx context.Context) error {
	return m.lock(ctx, "lock: Mutex.Lock", (*heldMutex)(m))
}

func (m *Mutex) lock(ctx context.Context, op string, on fmt.Stringer) error {
	c, err := coro.Begin(ctx)
	if err != nil || m.take(c) {
		return err
	}
	return m.line.Wait(ctx, &m.mu, op, on)
}

// take locks m for c and reports whether it did. If not, it returns with m.mu held, which is what
// Line.Wait wants.
func (m *Mutex) take(c *coro.Coro) bool {
	m.mu.Lock()
	if m.locked {
		return false
	}
	m.locked, m.holder = true, c.Tenant()
	m.mu.Unlock()
	return true
}

// TryLock locks m if it is unlocked, and reports whether it did. It may be called from anywhere.
func (m *Mutex) TryLock() bool {
	ok := m.take(nil)
	if !ok {
		m.mu.Unlock()
	}
	return ok
}

// Unlock unlocks m, or hands it to the first in line. It may be called from anywhere. It panics if
// m is not locked.
func (m *Mutex) Unlock() {
	m.mu.Lock()
	if !m.locked {
		m.mu.Unlock()
		panic("lock: Unlock of a Mutex that is not locked; call it once for each Lock that succeeded")
	}
	m.pass()
}

// pass hands m to the first in line, or unlocks it if there is nobody. It is called with m.mu held,
// and returns without it.
func (m *Mutex) pass() {
	w := m.line.Claim()
	if w == nil {
		m.locked, m.holder = false, coro.Tenant{}
		m.mu.Unlock()
		return
	}
	m.holder = w.Coro().Tenant()
	m.mu.Unlock()
	w.Wake()
}

// String names what is awaited.
func (m *Mutex) String() string { return "mutex" }

// heldMutex is a Mutex as those who look inside see it. See coro.Held.
type heldMutex Mutex

func (m *heldMutex) String() string { return (*Mutex)(m).String() }

func (m *heldMutex) HeldBy() coro.Tenant {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.holder
}
