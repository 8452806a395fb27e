package lock

import (
	"context"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// permits is what Semaphore and RWMutex have in common: a number of permits, given out in the order
// of arrival. Its owner knows how many there are, and says so as size. The zero value has given out
// none.
type permits struct {
	mu    sync.Mutex
	taken int64
	line  coro.Line // the Count of a waiter is how many it wants
}

// acquire takes n of size permits, and waits for them if need be.
func (s *permits) acquire(ctx context.Context, n, size int64, op string, on fmt.Stringer) error {
	if _, err := coro.Begin(ctx); err != nil || s.try(n, size) {
		return err
	}
	if n > size {
		return never(ctx, op, on)
	}
	s.mu.Lock()
	if s.available(n, size) {
		s.taken += n
		s.mu.Unlock()
		return nil
	}
	w := s.line.Enter(ctx, &s.mu, op)
	w.Terms().Count = n
	s.mu.Unlock()
	w.Begin(ctx, on).Suspend()
	err := s.line.Exit(ctx, &s.mu, w)
	if err != nil {
		s.mu.Lock()
		s.grant(size) // those behind may want less
	}
	return err
}

// never waits for the end of ctx, in no line.
func never(ctx context.Context, op string, on fmt.Stringer) error {
	w, err := coro.Here(ctx, op)
	if err != nil {
		return err
	}
	defer w.Release()
	return w.Wait(ctx, on)
}

func (s *permits) try(n, size int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.available(n, size)
	if ok {
		s.taken += n
	}
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

// available reports whether n permits are free and nobody waits for any. It is called with s.mu
// held.
func (s *permits) available(n, size int64) bool { return s.line.Empty() && n <= size-s.taken }

// grant hands permits to those in line, in order, as far as they last. It is called with s.mu held,
// and returns without it.
func (s *permits) grant(size int64) {
	var claimed coro.Claimed
	for w := s.line.First(); w != nil && w.Terms().Count <= size-s.taken; w = s.line.First() {
		if s.line.Take(w) {
			s.taken += w.Terms().Count
			claimed.Add(w)
		}
	}
	s.mu.Unlock()
	claimed.Wake()
}
