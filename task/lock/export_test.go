package lock

import (
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// Waiting returns how many are in line at a lock.
func Waiting(x interface{ waiting() int }) int { return x.waiting() }

func length(mu *sync.Mutex, l *coro.Line) int {
	mu.Lock()
	defer mu.Unlock()
	return l.Len()
}

func (m *Mutex) waiting() int     { return length(&m.mu, &m.line) }
func (s *permits) waiting() int   { return length(&s.mu, &s.line) }
func (m *RWMutex) waiting() int   { return m.permits.waiting() }
func (s *Semaphore) waiting() int { return s.permits.waiting() }
func (e *Event) waiting() int     { return length(&e.mu, &e.line) }
func (c *Cond) waiting() int      { return length(&c.L.mu, &c.line) }
func (b *Barrier) waiting() int   { return length(&b.mu, &b.line) }
