package task

import (
	"context"
	"math"
)

// RWMutex is a Mutex that many readers, or one writer, hold at a time. Tasks of several loops and goroutines may use one at once. The zero
// RWMutex is unlocked. It must not be copied.
//
// Whoever waits is served in order of arrival: a reader that comes after a waiting writer waits for that one, so writers don't starve,
// and readers that wait beside each other go on together. So who reads must not RLock again: with a writer waiting in between, it waits for itself.
type RWMutex struct{ permits permits } // a reader takes one, a writer all

const allPermits = math.MaxInt64

// Lock locks m for writing, for which it waits until it is the caller's turn and nobody else has m. If ctx is done, already or before that,
// it returns the cause and leaves m to the others; a lock that was handed over before is the caller's, with no error.
//
// In a callback of a loop it panics if it would have to wait; see TryLock.
func (m *RWMutex) Lock(ctx context.Context) error {
	return m.permits.acquire(ctx, allPermits, allPermits, "task: RWMutex.Lock", m)
}

// RLock locks m for reading, beside others that do. It waits, and fails, as Lock does.
func (m *RWMutex) RLock(ctx context.Context) error {
	return m.permits.acquire(ctx, 1, allPermits, "task: RWMutex.RLock", m)
}

// TryLock locks m for writing if nobody has it, and reports whether it did. It never waits, and may be called from anywhere.
func (m *RWMutex) TryLock() bool { return m.permits.try(allPermits, allPermits) }

// TryRLock locks m for reading if no writer has it and nobody waits for it, and reports whether it did. It never waits, and may be called from
// anywhere.
func (m *RWMutex) TryRLock() bool { return m.permits.try(1, allPermits) }

// Unlock ends a Lock, and hands m to those whose turn it is. It never waits, and may be called from anywhere. It panics if m is not locked for
// writing.
func (m *RWMutex) Unlock() {
	if !m.permits.release(allPermits, allPermits, allPermits) {
		panic("task: Unlock of an RWMutex that is not locked for writing; call it once for each Lock that succeeded")
	}
}

// RUnlock ends an RLock, as Unlock ends a Lock. It panics if m is not locked for reading.
func (m *RWMutex) RUnlock() {
	if !m.permits.release(1, allPermits-1, allPermits) {
		panic("task: RUnlock of an RWMutex that is not locked for reading; call it once for each RLock that succeeded")
	}
}

// String names what is awaited.
func (m *RWMutex) String() string { return "read-write mutex" }
