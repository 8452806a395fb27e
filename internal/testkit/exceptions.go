package testkit

import (
	"slices"
	"sync"

	"github.com/corobridge/corobridge/reactor"
)

// Exceptions collects what loops report. The zero value is ready.
type Exceptions struct {
	mu  sync.Mutex
	all []reactor.Exception
}

// Option makes a loop report to x.
func (x *Exceptions) Option() reactor.Option {
	return reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.all = append(x.all, e)
	})
}

// All returns what has been reported, oldest first.
func (x *Exceptions) All() []reactor.Exception {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.all)
}

// Take is All, and forgets them.
func (x *Exceptions) Take() []reactor.Exception {
	x.mu.Lock()
	defer x.mu.Unlock()
	all := x.all
	x.all = nil
	return all
}

// Ops returns the Op of each.
func (x *Exceptions) Ops() (ops []string) {
	for _, e := range x.All() {
		ops = append(ops, e.Op)
	}
	return ops
}
