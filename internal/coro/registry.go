package coro

import (
	"sync"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/gid"
)

// role is what a goroutine is: one of a pool's coroutines, or, with no coroutine, the goroutine
// that runs the pool's loop; or, with no pool either, a plain goroutine, while it makes calls (see
// Inline).
type role struct {
	pool   *Pool
	coro   *Coro
	number uint64 // of the goroutine, as stack traces print it; 0 if the pool does not note numbers
	calls  calls  // of a loop's goroutine, those of the pool are used
}

func (p *Pool) role(c *Coro) *role {
	at := &role{pool: p, coro: c}
	if p.numbered || c == nil && p.loopNumbered.Load() {
		at.number = gid.Number()
	}
	return at
}

// NoteLoop makes the pool note the number of the goroutine that runs the loop, from the next time
// on that one begins to. Any goroutine may call it.
func (p *Pool) NoteLoop() { p.loopNumbered.Store(true) }

// NoteNumbers makes the pool note the numbers of its goroutines, for Numbers. It is called before
// the pool is used.
func (p *Pool) NoteNumbers() { p.numbered = true }

// Numbers returns the numbers of the goroutine that runs the loop and of the coroutine that was
// resumed last, as stack traces print them; zero for one that there is not. Any goroutine may call
// it.
func (p *Pool) Numbers() (loop, current uint64) { return number(&p.loop), number(&p.current) }

func number(id *atomic.Uintptr) uint64 {
	if v, ok := registry.Load(gid.ID(id.Load())); ok {
		return v.(*role).number
	}
	return 0
}

// registry maps a goroutine's ID to its *role, for the whole process. A coroutine enters itself
// when it is made and leaves in a deferred call when it ends; a loop's goroutine is in it while it
// runs the loop, and a plain one while it makes calls. All leave before the runtime can give their
// descriptor to another goroutine.
//
// It is the module's one global: identity belongs to goroutines, and those are the process's.
var registry sync.Map

func register(id gid.ID, p *role) { registry.Store(id, p) }
func unregister(id gid.ID)        { registry.Delete(id) }

// lookup returns the role of the calling goroutine, nil for a plain one.
func lookup() *role {
	if v, ok := registry.Load(gid.Self()); ok {
		if p := v.(*role); p.pool != nil {
			return p
		}
	}
	return nil
}

// Current returns the coroutine that the caller runs in, nil in a callback and in a plain
// goroutine.
func Current() *Coro {
	if p := lookup(); p != nil {
		return p.coro
	}
	return nil
}

// CurrentPool returns the pool whose loop the caller runs on, in a callback or a coroutine; nil in
// a plain goroutine.
func CurrentPool() *Pool {
	if p := lookup(); p != nil {
		return p.pool
	}
	return nil
}
