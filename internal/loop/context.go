package loop

import "context"

type coreKey struct{}

// root is a loop's own context: a real cancelable one, so that package context starts no goroutine
// for what is derived from it, that also carries the loop.
type root struct {
	context.Context
	core *Core
}

func (r *root) Value(key any) any {
	if key == (coreKey{}) {
		return r.core
	}
	return r.Context.Value(key)
}

// NewContext returns a context that carries the loop, and ends by cancel only.
func (c *Core) NewContext() (ctx context.Context, cancel context.CancelCauseFunc) {
	ctx, cancel = context.WithCancelCause(context.Background())
	return &root{ctx, c}, cancel
}

// With returns ctx carrying the loop instead of the one that it carried, if any.
func (c *Core) With(ctx context.Context) context.Context {
	return context.WithValue(ctx, coreKey{}, c)
}

// From returns the Core of the loop that ctx carries, nil if it carries none. It is the one door for
// the packages of this module. It takes a look at every context above ctx, so its callers keep the
// result.
func From(ctx context.Context) *Core {
	c, _ := ctx.Value(coreKey{}).(*Core)
	return c
}
