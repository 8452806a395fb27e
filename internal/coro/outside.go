package coro

import "context"

// Outside starts goroutines and watches foreign contexts for a loop: its World does.
type Outside interface {
	// Go calls fn on a goroutine of its own.
	Go(fn func())

	// AfterFunc calls fn once, after ctx has ended, on a goroutine of its own. stop prevents that,
	// and reports whether it did.
	AfterFunc(ctx context.Context, fn func()) (stop func() bool)
}

// plain serves callers that no loop runs.
type plain struct{}

func (plain) Go(fn func()) { go fn() }

func (plain) AfterFunc(ctx context.Context, fn func()) (stop func() bool) {
	return context.AfterFunc(ctx, fn)
}

// Outside returns what Init was given.
func (p *Pool) Outside() Outside { return p.outside }

// Go calls fn on a goroutine of its own. If the caller runs on a loop, the loop's World starts it.
func Go(fn func()) { outside().Go(fn) }

// AfterFunc calls fn once, after ctx has ended, on a goroutine of its own. If the caller runs on a
// loop, the loop's World watches ctx. stop prevents the call, and reports whether it did.
func AfterFunc(ctx context.Context, fn func()) (stop func() bool) {
	return outside().AfterFunc(ctx, fn)
}

// outside returns that of the loop that runs the caller.
func outside() Outside {
	if p := CurrentPool(); p != nil {
		return p.outside
	}
	return plain{}
}
