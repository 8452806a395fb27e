package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
)

// ErrNotStarted is the error of Start when the function has returned without one, and without having called started.
var ErrNotStarted = errors.New("task: the function returned without calling started")

// Start starts fn as a task, and waits until that calls started, for a server when it listens, say; it returns what started was given. The task
// goes on then, as a member of the Group that ctx carries, else of the loop's root group. It is Trio's start.
//
// If fn ends before it has called started, its error, or ErrNotStarted, is Start's, and no concern of the group. If ctx
// ends before, the task is cancelled and awaited, and Start returns the cause, or the error that the task has ended with instead. It is only the
// start that ctx bounds: the task's context has the values of ctx, but derives from the group's, or the loop's, so that a timeout for the start does not
// end what was started.
//
// started may be called from any goroutine; it panics when it is called twice, and does nothing when Start has given up. Start is called in a
// task or a plain goroutine, with a context that carries a loop; otherwise, and in a callback, it panics.
func Start[T any](ctx context.Context, fn func(ctx context.Context, started func(T)) error, opts ...Option) (T, error) {
	var none T
	sched := schedulerOf(ctx)
	if sched == nil {
		panic("task: the context given to Start carries no loop; use a task's context, loop.Context() or reactor.WithLoop")
	}
	w, err := coro.Here(ctx, "task: Start")
	if err != nil {
		return none, err
	}
	w.Release()
	f, p := future.New[T]()
	var called atomic.Bool
	t := &Task[struct{}]{fn: func(ctx context.Context) (struct{}, error) {
		return struct{}{}, fn(ctx, func(v T) {
			if called.Swap(true) {
				panic("task: started was called twice; it tells once that the task is ready")
			}
			p.Resolve(v)
		})
	}}
	t.scope.initStarted(sched, ctx)
	for _, o := range opts {
		o(&t.scope)
	}
	t.scope.more().beforeStarted = func(err error) bool {
		p.Fail(cmp.Or(err, ErrNotStarted))
		_, err = f.TryResult()
		if err != nil {
			t.TryResult() // so it is not lost
		}
		return err != nil
	}
	t.start()
	v, err := f.Await(ctx)
	if err == nil || f.Completed() || !p.Fail(err) { // in the last case just now
		return f.TryResult()
	}
	t.Cancel(err)
	if _, own := t.Await(context.Background()); own != nil && !t.scope.explains(own) {
		err = own
	}
	return v, err
}

// initStarted is init for a task of Start: it is below the group, or the root, and has the values of ctx.
func (s *scope) initStarted(sched *scheduler, ctx context.Context) {
	above := sched.loop.Context()
	from, ok := ctx.Value(scopeKey{}).(*scope)
	if ok && from.group != nil && from.group.scope.sched != nil {
		above = &from.group.scope
	}
	s.init(sched, above, ofTask)
	if ok {
		s.inherit(from)
	}
	s.values = startedValues(ctx, s.values)
}

// startedContext is the values of the context that a task was started with, and the bounds of another. It keeps nothing of
// the bounds that the former has, or a chain of tasks that each start the next one would keep all of them.
type startedContext struct{ values, bounds context.Context }

func startedValues(ctx, bounds context.Context) context.Context {
	if b, ok := bounds.(*startedContext); ok {
		bounds = b.bounds
	}
	return &startedContext{valuesOf(ctx), bounds}
}

// valuesOf returns a context with the values of ctx, and nothing else of it.
func valuesOf(ctx context.Context) context.Context {
	switch c := ctx.(type) {
	case *scope:
		return valuesOf(c.values)
	case *deadlineContext:
		return valuesOf(c.Context)
	case *startedContext:
		return c.values
	}
	if _, bounded := ctx.Deadline(); bounded || ctx.Done() != nil {
		return context.WithoutCancel(ctx)
	}
	return ctx
}

func (s *startedContext) Deadline() (deadline time.Time, ok bool) { return s.bounds.Deadline() }
func (s *startedContext) Done() <-chan struct{}                   { return s.bounds.Done() }
func (s *startedContext) Err() error                              { return s.bounds.Err() }

func (s *startedContext) Value(key any) any {
	if key != (deadlineKey{}) {
		if v := s.values.Value(key); v != nil {
			return v
		}
	}
	return s.bounds.Value(key)
}

// String describes the context, as contexts do.
func (s *startedContext) String() string {
	return fmt.Sprintf("%v with the values of %v", s.bounds, s.values)
}
