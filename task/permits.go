package task

import (
	"context"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// permits is what a Semaphore and an RWMutex have in common: a number of permits, given out in order of arrival. How many there are, size, its
// owner knows. The zero value has given out none.
type permits struct {
	mu      sync.Mutex
	taken   int64
	waiters waitlist[int64] // how many each wants
}

// acquire takes n of size permits, or waits for them.
func (s *permits) acquire(ctx context.Context, n, size int64, op string, on fmt.Stringer) error {
	if _, err := begin(ctx); err != nil || s.try(n, size) {
		return err
	}
	w, err := coro.Here(ctx, op)
	if err != nil {
		return err
	}
	defer w.Release()
	if n > size {
		return w.Wait(ctx, on) // for the end of ctx
	}
	s.mu.Lock()
	if s.available(n, size) {
		s.taken += n
		s.mu.Unlock()
		return nil
	}
	p := s.waiters.add(w, n)
	s.mu.Unlock()
	if err = w.Wait(ctx, on); err == nil {
		return nil
	}
	s.mu.Lock()
	s.waiters.leave(p)
	s.grant(size) // those behind may want less
	return err
}

func (s *permits) try(n, size int64) bool {
	s.mu.Lock()
	ok := s.available(n, size)
	if ok {
		s.taken += n
	}
	s.mu.Unlock()
	return ok
}

// release gives n permits back. It reports whether it did: only if between n and most are taken.
func (s *permits) release(n, most, size int64) bool {
	s.mu.Lock()
	if s.taken < n || s.taken > most {
		s.mu.Unlock()
		return false
	}
	s.taken -= n
	s.grant(size)
	return true
}

// available reports whether n permits can be taken, with nobody before. It is called under the mutex.
func (s *permits) available(n, size int64) bool {
	return s.waiters.first == nil && n <= size-s.taken
}

// grant hands permits to those who wait, in their order, as far as they last. It is called under the mutex, which it unlocks.
func (s *permits) grant(size int64) {
	var woken batch
	for p := s.waiters.first; p != nil && p.val <= size-s.taken; p = s.waiters.first {
		if s.waiters.claim(p) {
			s.taken += p.val
			woken.add(p.w)
			s.waiters.keep(p)
		}
	}
	s.mu.Unlock()
	woken.wake()
}
