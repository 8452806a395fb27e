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

// ErrNotStarted is the error of Start when the function has returned without one, and without
// having called started.
var ErrNotStarted = errors.New("task: the function returned without calling started")

// Start starts fn as a task, and waits until that calls started: a server, for instance, when it
// listens. It returns what started was given. The task goes on then, as a member of the Group that
// ctx carries, or else of the loop's root group. It is Trio's start.
//
// If fn ends before it has called started, its error, or ErrNotStarted, is Start's, and no concern
// of the group. If ctx ends before, the task is cancelled and awaited, and Start returns the cause,
// or the error that the task has ended with instead. ctx bounds only the start: the task's context
// has the values of ctx, but derives from the group's, or the loop's, so that a timeout for the
// start does not end what was started.
//
// started may be called from any goroutine, and reports whether Start was still waiting: if not, it
// has given up, the task is cancelled, and what it would serve is nobody's. It panics when it is
// called twice. Start is called in a task or a plain goroutine, with a context that carries a loop;
// otherwise, and in a callback, it panics.
func Start[T any](ctx context.Context, fn func(ctx context.Context, started func(T) bool) error, opts ...Option) (T, error) {
	var none T
	h := homeOf(ctx)
	if h == nil {
		panic("task: the context given to Start carries no loop; use a task's context, loop.Context() or reactor.WithLoop")
	}
	w, err := coro.Here(ctx, "task: Start")
	if err != nil {
		return none, err
	}
	w.Release()
	f, p := future.New[T]()
	var called atomic.Bool
	t := &Task[struct{}]{}
	b := &t.body
	b.fn = func(ctx context.Context) (struct{}, error) {
		return struct{}{}, fn(ctx, func(v T) bool {
			if called.Swap(true) {
				panic("task: started was called twice; it tells once that the task is ready")
			}
			return p.Resolve(v)
		})
	}
	b.initStarted(h, ctx, b)
	for _, o := range opts {
		o(&b.job)
	}
	b.more().beforeStarted = func(err error) bool {
		p.Fail(cmp.Or(err, ErrNotStarted))
		_, err = f.TryResult()
		if err != nil {
			t.TryResult() // so it is not lost
		}
		return err != nil
	}
	b.start(h.core.InLoop())
	v, err := f.Await(ctx)
	if err == nil || f.Completed() || !p.Fail(err) { // in the last case just now
		return f.TryResult()
	}
	t.Cancel(err)
	if _, own := t.Await(context.Background()); own != nil && !b.scope.explains(own) {
		err = own
	}
	return v, err
}

// initStarted is init for a task of Start: it is below the group, or the root, and has the values
// of ctx.
func (j *job) initStarted(h *home, ctx context.Context, w work) {
	above := h.core.Context()
	from, ok := ctx.Value(scopeKey{}).(*scope)
	var group *Group
	if ok {
		group = from.setting.group
	}
	if group != nil && group.scope.setting != nil {
		above = &group.scope
	}
	j.init(h, above, w)
	if ok {
		j.scope.inherit(from)
	}
	values := startedValues(ctx, j.scope.setting.values)
	j.scope.setting = &setting{home: h, pool: h.pool, values: values, group: group}
}

// startedContext is the values of the context that a task was started with, and the bounds of
// another. It keeps nothing of the bounds that the former has. Otherwise a chain of tasks that each
// start the next one would keep all of them.
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
		return valuesOf(c.setting.values)
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
