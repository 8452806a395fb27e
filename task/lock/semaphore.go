package lock

import (
	"context"
	"fmt"
)

// Semaphore is a number of permits, of which everybody takes as many as they need: the Weighted of
// golang.org/x/sync/semaphore, for tasks and goroutines at once. NewSemaphore makes one; the zero
// Semaphore has no permits.
//
// A caller that needs many permits is not overtaken by others that need few, so it does not starve.
type Semaphore struct {
	permits permits
	size    int64
}

// NewSemaphore returns a Semaphore with n permits, all of them free. It panics if n is negative.
func NewSemaphore(n int64) *Semaphore {
	if n < 0 {
		panic(fmt.Sprintf("lock: a Semaphore of %d permits; give it none or more", n))
	}
	return &Semaphore{size: n}
}

// Acquire takes n permits, and waits for them until it is the caller's turn and so many are free.
// If ctx is done, already or before that, it returns the cause and has taken none.
//
// If n is more than the semaphore has, only the end of ctx can come: Acquire waits for that, and
// nobody waits behind it. It panics if n is negative, and in a callback of a loop if it would have
// to wait; see TryAcquire.
func (s *Semaphore) Acquire(ctx context.Context, n int64) error {
	mustBeWeight(n)
	return s.permits.acquire(ctx, n, s.size, "lock: Semaphore.Acquire", s)
}

// TryAcquire takes n permits if so many are free and nobody waits, and reports whether it did. It
// may be called from anywhere. It panics if n is negative.
func (s *Semaphore) TryAcquire(n int64) bool {
	mustBeWeight(n)
	return s.permits.try(n, s.size)
}

// Release gives n permits back, and hands them to those whose turn it is. It may be called from
// anywhere. It panics if n is negative, or more than was taken.
func (s *Semaphore) Release(n int64) {
	mustBeWeight(n)
	if !s.permits.release(n, s.size, s.size) {
		panic(fmt.Sprintf("lock: Release of %d permits, more than are taken; release what Acquire has taken, once", n))
	}
}

func mustBeWeight(n int64) {
	if n < 0 {
		panic(fmt.Sprintf("lock: %d permits of a Semaphore; ask for none or more", n))
	}
}

// String tells how many permits are free.
func (s *Semaphore) String() string {
	s.permits.mu.Lock()
	defer s.permits.mu.Unlock()
	return fmt.Sprintf("semaphore with %d of %d permits free", s.size-s.permits.taken, s.size)
}
