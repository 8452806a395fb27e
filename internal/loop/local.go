package loop

import (
	"io"
	"slices"
	"sync"
)

// locals are the values that packages keep for a loop.
type locals struct {
	mu     sync.Mutex
	values map[any]*local
	open   []io.Closer // in the order they were made in
}

// local is one of them. value is nil until it is made; goroutines that have not been through once
// look at it under locals.mu.
type local struct {
	once  sync.Once
	value any
}

// Local returns the loop's value for key, which init makes at the first call. CloseLocals closes a
// value that is an io.Closer. Values made after that are not closed. init must not ask for the
// value that it makes, and must not panic.
func (c *Core) Local(key any, init func() any) any {
	v := c.locals.of(key)
	v.once.Do(func() { c.locals.made(v, init()) }) // unlocked, since init may call the loop
	return v.value
}

// EachLocal calls fn with each value that has been made. fn must not call Local.
func (c *Core) EachLocal(fn func(value any)) {
	c.locals.mu.Lock()
	defer c.locals.mu.Unlock()
	for _, v := range c.locals.values {
		if v.value != nil {
			fn(v.value)
		}
	}
}

// CloseLocals closes the values that are open, the latest made first, and calls failed with each
// error. It is called on the loop, and again after a runtime.Goexit in one of them.
func (c *Core) CloseLocals(failed func(error)) {
	for v := c.locals.take(); v != nil; v = c.locals.take() {
		c.guarded("close", Callback(func() {
			if err := v.Close(); err != nil {
				failed(err)
			}
		}))
	}
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

// take takes out the latest that is open, nil if there is none.
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
