package coro

import (
	"sync"

	"github.com/corobridge/corobridge/internal/gid"
)

// place is what a goroutine is: one of a pool's coroutines, or, with no coroutine, the goroutine that runs the pool's loop.
type place struct {
	pool *Pool
	coro *Coro
}

// registry maps a goroutine's ID to its *place, for the whole process. A coroutine enters itself when it is made
// and leaves in a deferred call when it ends; a loop's goroutine is in it while it runs the loop. Both leave
// before the runtime can give their descriptor to another goroutine.
//
// It is the module's one global: identity belongs to goroutines, and those are the process's.
var registry sync.Map

func register(id gid.ID, p *place) { registry.Store(id, p) }
func unregister(id gid.ID)         { registry.Delete(id) }

// lookup returns the place of the calling goroutine, nil for a plain one.
func lookup() *place {
	if v, ok := registry.Load(gid.Self()); ok {
		return v.(*place)
	}
	return nil
}

// Current returns the coroutine that the caller runs in, nil in a callback and in a plain goroutine.
func Current() *Coro {
	if p := lookup(); p != nil {
		return p.coro
	}
	return nil
}

// CurrentPool returns the pool whose loop the caller runs on, in a callback or a coroutine; nil in a plain goroutine.
func CurrentPool() *Pool {
	if p := lookup(); p != nil {
		return p.pool
	}
	return nil
}
