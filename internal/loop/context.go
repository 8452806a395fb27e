package loop

import "context"

type coreKey struct{}

// root is a loop's own context: a real cancelable one, so that package context starts no goroutine
// for what is derived from it, that also carries the loop.
type root struct {
	context.Context
	core   *Core
	cancel context.CancelCauseFunc
}

func (r *root) Value(key any) any {
	if key == (coreKey{}) {
		return r.core
	}
	return r.Context.Value(key)
}

func newRoot(c *Core) *root {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &root{ctx, c, cancel}
}

// Context returns the loop's own context. It carries the loop, and ends by Cancel only.
func (c *Core) Context() context.Context { return c.root }

// Cancel ends the loop's own context.
func (c *Core) Cancel(cause error) { c.root.cancel(cause) }

// With returns ctx carrying the loop instead of the one that it carried, if any.
func (c *Core) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, coreKey{}, c)
}

// From returns the Core of the loop that ctx carries, nil if it carries none. It is the one door
// for the packages of this module. It takes a look at every context above ctx, so its callers keep
// the result.
func From(ctx context.Context) *Core {
	c, _ := ctx.Value(coreKey{}).(*Core)
	return c
}
