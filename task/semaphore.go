package task

import (
	"context"
	"fmt"
)

// Semaphore is a number of permits, of which each takes as many as it needs. It is golang.org/x/sync/semaphore's Weighted for tasks of several
// loops and goroutines at once. The zero Semaphore has no permits; NewSemaphore makes one that has. It must not be copied.
//
// Whoever waits is served in order of arrival. One that needs many permits is not overtaken by others that need few, so it does not
// starve.
type Semaphore struct {
	permits permits
	size    int64
}

// NewSemaphore returns a Semaphore with n permits, all of them free. It panics if n is negative.
func NewSemaphore(n int64) *Semaphore {
	if n < 0 {
		panic(fmt.Sprintf("task: a Semaphore of %d permits; give it none or more", n))
	}
	return &Semaphore{size: n}
}

// Acquire takes n permits, for which it waits until it is the caller's turn and so many are free. If ctx is done, already or before that, it
// returns the cause and has taken none; permits that were handed over before are the caller's, with no error.
//
// If n is more than the semaphore has, nothing can come but the end of ctx: Acquire waits for that, and nobody waits behind it. It panics if n is
// negative, and in a callback of a loop if it would have to wait; see TryAcquire.
func (s *Semaphore) Acquire(ctx context.Context, n int64) error {
	mustBeWeight(n)
	return s.permits.acquire(ctx, n, s.size, "task: Semaphore.Acquire", s)
}

// TryAcquire takes n permits if so many are free and nobody waits, and reports whether it did. It never waits, and may be called from anywhere. It
// panics if n is negative.
func (s *Semaphore) TryAcquire(n int64) bool {
	mustBeWeight(n)
	return s.permits.try(n, s.size)
}

// Release gives n permits back, and so to those whose turn it is. It never waits, and may be called from anywhere. It panics if n is negative, or
// more than was taken.
func (s *Semaphore) Release(n int64) {
	mustBeWeight(n)
	if !s.permits.release(n, s.size, s.size) {
		panic(fmt.Sprintf("task: Release of %d permits, more than are taken; release what Acquire has taken, once", n))
	}
}

func mustBeWeight(n int64) {
	if n < 0 {
		panic(fmt.Sprintf("task: %d permits of a Semaphore; ask for none or more", n))
	}
}

// String tells how many permits are free.
func (s *Semaphore) String() string {
	s.permits.mu.Lock()
	defer s.permits.mu.Unlock()
	return fmt.Sprintf("semaphore with %d of %d permits free", s.size-s.permits.taken, s.size)
}
