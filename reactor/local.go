package reactor

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// locals are the values that packages keep for a loop.
type locals struct {
	mu     sync.Mutex
	values map[any]*local
	open   []io.Closer
	err    error // of closing them; written before Done is closed
}

// local is one of them.
type local struct {
	once  sync.Once
	value any // nil until it is made; for others than those who have been through once, guarded by locals.mu
}

// Local returns the loop's value for key, which init makes at the first call. A value that is an io.Closer is closed, on
// the loop, by Close, after all tasks have ended and before the loop refuses everything; the latest made first. A value made on a
// closed loop is not closed. init must not ask for the value that it makes, and must not panic.
func (l *Loop) Local(key any, init func() any) any {
	v := l.loc.of(key)
	v.once.Do(func() { l.loc.made(v, init()) }) // unlocked, since init may call the loop, and Stats looks at the values
	return v.value
}

func (s *locals) of(key any) *local {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.values[key]
	if v == nil {
		if s.values == nil {
			s.values = map[any]*local{}
		}
		v = &local{}
		s.values[key] = v
	}
	return v
}

func (s *locals) made(v *local, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v.value = value
	if c, ok := value.(io.Closer); ok {
		s.open = append(s.open, c)
	}
}

func (s *locals) closeAll(l *Loop) {
	for c := s.take(); c != nil; c = s.take() {
		l.guarded("close", func() {
			if err := c.Close(); err != nil {
				s.err = errors.Join(s.err, err)
			}
		})
	}
}

// take removes the latest that is open, nil if there is none.
func (s *locals) take() io.Closer {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.open)
	if n == 0 {
		return nil
	}
	c := s.open[n-1]
	s.open = slices.Delete(s.open, n-1, n)
	return c
}
