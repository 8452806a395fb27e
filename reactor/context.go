package reactor

import "context"

type loopKey struct{}

// rootContext is a loop's own context: a real cancelable one, so that package context starts no goroutine for what is
// derived from it, that also carries the loop.
type rootContext struct {
	context.Context
	cancel context.CancelCauseFunc
	loop   *Loop
}

func newRootContext(l *Loop) *rootContext {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &rootContext{ctx, cancel, l}
}

func (c *rootContext) Value(key any) any {
	if key == (loopKey{}) {
		return c.loop
	}
	return c.Context.Value(key)
}

// WithLoop returns ctx carrying l instead of the loop it carried, if any: for work that has to run elsewhere.
func WithLoop(ctx context.Context, l *Loop) context.Context {
	return context.WithValue(ctx, loopKey{}, l)
}

// FromContext returns the loop that ctx carries.
func FromContext(ctx context.Context) (*Loop, bool) {
	l, ok := ctx.Value(loopKey{}).(*Loop)
	return l, ok
}
