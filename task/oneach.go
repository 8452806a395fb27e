package task

import (
	"context"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// OnEach runs fn as a task on each loop of g, at the same time, and returns the results in the
// order of g.Loops when all have ended. fn's context derives from ctx and carries the loop.
//
// The first error, which OnEach returns, cancels the other tasks, and so does the end of ctx; they
// are awaited all the same. On a loop that is closed the task fails with reactor.ErrClosed; on one
// that does not run it waits until that runs. OnEach is called in a task or a plain goroutine, and
// ctx need not carry a loop. In a callback it panics, and so it does if g has no loops.
func OnEach[T any](ctx context.Context, g *reactor.LoopGroup, fn func(ctx context.Context, l *reactor.Loop) (T, error)) ([]T, error) {
	w, err := coro.Here(ctx, "task: OnEach") // before there is anything to undo
	if err != nil {
		return nil, err
	}
	w.Release()
	if g == nil || len(g.Loops()) == 0 {
		panic("task: the group given to OnEach has no loops; make it with reactor.NewGroup")
	}
	loops := g.Loops()
	if len(loops) == 0 {
		panic("task: OnEach on the zero LoopGroup; make the group with reactor.NewGroup")
	}
	results := make([]T, len(loops))
	if homeOf(ctx) == nil {
		ctx = reactor.WithLoop(ctx, loops[0])
	}
	group, gctx := NewGroup(ctx)
	for i, l := range loops {
		Spawn(reactor.WithLoop(gctx, l), func(ctx context.Context) (err error) {
			results[i], err = fn(ctx, l)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return results, nil
}
