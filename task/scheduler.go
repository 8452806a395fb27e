package task

import (
	"context"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// scheduler is what this package keeps for a loop. It is touched on the loop only, but for its constants.
type scheduler struct {
	loop    *reactor.Loop
	pool    *coro.Pool
	root    scope
	closing bool
	lost    []func() // report the errors of ended tasks that nobody has asked for yet
}

type schedulerKey struct{}

// schedulerFor returns the scheduler of a loop.
func schedulerFor(l *reactor.Loop) *scheduler {
	return l.Local(schedulerKey{}, func() any {
		s := &scheduler{loop: l, pool: l.Coroutines()}
		s.root = scope{sched: s, values: l.Context(), kind: ofLoop}
		l.AtClose(func() {
			s.closing = true
			s.root.cancel(cancelled, reactor.ErrClosed)
		})
		return s
	}).(*scheduler)
}

// schedulerOf returns the scheduler of the loop that ctx carries, nil if it carries none.
func schedulerOf(ctx context.Context) *scheduler {
	if s, ok := ctx.(*scope); ok {
		return s.sched
	}
	if l, ok := reactor.FromContext(ctx); ok {
		return schedulerFor(l)
	}
	return nil
}

// onLoop runs fn now, when the caller is on the loop, or soon.
func (s *scheduler) onLoop(fn func()) {
	if s.loop.InLoop() {
		fn()
	} else {
		s.loop.Post(spread(fn))
	}
}

// Close reports what is still unreported when the loop ends. (The loop closes its locals that way.)
func (s *scheduler) Close() error {
	lost := s.lost
	s.lost = nil
	for _, report := range lost {
		report()
	}
	return nil
}

// keepLost remembers how to report an error that nobody has asked for yet.
func (s *scheduler) keepLost(report func()) { s.lost = append(s.lost, report) }
