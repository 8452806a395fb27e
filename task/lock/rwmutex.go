package lock

import (
	"context"
	"math"
)

// RWMutex is a Mutex that many readers, or one writer, hold at a time. The zero RWMutex is
// unlocked.
//
// A reader that comes after a waiting writer waits behind it, so writers do not starve; readers
// beside each other in line go on together. So a reader must not call RLock again: if a writer has
// come in between, it waits for itself.
type RWMutex struct{ permits permits } // a reader takes one, a writer all

const allPermits = math.MaxInt64

// Lock locks m for writing, and waits for that until it is the caller's turn and nobody else has m.
// If ctx is done, already or before that, it returns the cause and leaves m to the others.
//
// In a callback of a loop it panics if it would have to wait; see TryLock.
func (m *RWMutex) Lock(ctx context.Context) error {
	return m.permits.acquire(ctx, allPermits, allPermits, "lock: RWMutex.Lock", m)
}

// RLock locks m for reading, beside other readers. It waits, and fails, as Lock does.
func (m *RWMutex) RLock(ctx context.Context) error {
	return m.permits.acquire(ctx, 1, allPermits, "lock: RWMutex.RLock", m)
}

// TryLock locks m for writing if nobody has it, and reports whether it did. It may be called from
// anywhere.
func (m *RWMutex) TryLock() bool { return m.permits.try(allPermits, allPermits) }

// TryRLock locks m for reading if no writer has it and nobody waits for it, and reports whether it
// did. It may be called from anywhere.
func (m *RWMutex) TryRLock() bool { return m.permits.try(1, allPermits) }

// Unlock ends a Lock, and hands m to those whose turn it is. It may be called from anywhere. It
// panics if m is not locked for writing.
func (m *RWMutex) Unlock() {
	if !m.permits.release(allPermits, allPermits, allPermits) {
		panic("lock: Unlock of an RWMutex that is not locked for writing; call it once for each Lock that succeeded")
	}
}

// RUnlock ends an RLock, as Unlock ends a Lock. It panics if m is not locked for reading.
func (m *RWMutex) RUnlock() {
	if !m.permits.release(1, allPermits-1, allPermits) {
		panic("lock: RUnlock of an RWMutex that is not locked for reading; call it once for each RLock that succeeded")
	}
}

// String names what is awaited.
func (m *RWMutex) String() string { return "read-write mutex" }
