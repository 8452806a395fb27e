package task

// Waiting returns how many are listed as waiting for a lock, a permit, an item.
func Waiting(x interface{ waiting() int }) int { return x.waiting() }

func (l *waitlist[T]) len() (n int) {
	for p := l.first; p != nil; p = p.next {
		n++
	}
	return n
}

func (m *Mutex) waiting() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.waiters.len()
}

func (p *permits) waiting() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiters.len()
}

func (m *RWMutex) waiting() int   { return m.permits.waiting() }
func (s *Semaphore) waiting() int { return s.permits.waiting() }

func (e *Event) waiting() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.waiters.len()
}

func (c *Cond) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.waiters.len()
}

func (b *Barrier) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiters.len()
}

func (q *Queue[T]) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.getters.len() + q.putters.len() + q.joiners.len()
}

// AwaitsOf says what a task of the calling loop waits for.
func AwaitsOf(t *Task[struct{}]) string { return t.scope.coro.Awaits().String() }
