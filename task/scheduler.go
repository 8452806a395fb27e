package task

import (
	"context"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// scheduler is what this package keeps for a loop. It is touched on the loop only, but for its constants.
type scheduler struct {
	loop *loop.Core
	pool *coro.Pool
	*inspection
	root    scope
	closing bool
	spare   []*groupMember
	ids     uint64 // given to tasks
}

type schedulerKey struct{}

// schedulerFor returns the scheduler of a loop.
func schedulerFor(l *loop.Core) *scheduler {
	return l.Local(schedulerKey{}, func() any {
		s := &scheduler{loop: l, pool: l.Coroutines(), inspection: newInspection(l)}
		s.root.sched, s.root.values, s.root.kind = s, l.Context(), ofLoop
		s.enter()
		return s
	}).(*scheduler)
}

// enter has the loop tell what concerns the tasks. It is called before anybody else has s.
func (s *scheduler) enter() {
	s.loop.At(loop.Closing, posted(s.close))
	if s.loop.Context().Err() != nil && s.onLoop(s.close) != nil { // too late for that
		s.close()
	}
	if s.loop.Debug() {
		s.onLoop(func() { s.loop.Each(loop.BeforeSleep, posted(s.beforeSleep)) })
	}
}

// schedulerOf returns the scheduler of the loop that ctx carries, nil if it carries none.
func schedulerOf(ctx context.Context) *scheduler {
	if s, ok := ctx.(*scope); ok {
		return s.sched
	}
	if l := loop.From(ctx); l != nil {
		return schedulerFor(l)
	}
	return nil
}

// onLoop runs fn now, when the caller is on the loop, or soon. It returns reactor.ErrClosed on a closed loop.
func (s *scheduler) onLoop(fn func()) error {
	if s.loop.InLoop() {
		fn()
		return nil
	}
	return s.loop.Post(posted(fn))
}

// posted is a function as an entry of the ready queue.
type posted func()

func (f posted) Run() { f() }

// close cancels every task of the loop.
func (s *scheduler) close() {
	s.closing = true
	s.root.cancel(finished(context.Canceled, reactor.ErrClosed))
}
