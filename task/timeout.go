package task

import (
	"context"
	"time"
)

// WithTimeout is context.WithTimeout on the timers of the loop that ctx carries; without a loop it is
// context.WithTimeout itself. cancel must be called; it cancels the context and what derives from it at once, and frees the timer.
// It may be called in any goroutine. On a closed loop the context is done, with reactor.ErrClosed.
//
// The time counts from the call, however long the task has computed before. It is the loop that ends it: a task that computes past
// the deadline sees that once the loop has run again.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if sched := schedulerOf(ctx); sched != nil {
		return sched.withTimeout(ctx, sched.loop.Clock().Wall().Add(d), d)
	}
	return context.WithTimeout(ctx, d)
}

// WithDeadline is WithTimeout for a point in time.
func WithDeadline(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	if sched := schedulerOf(ctx); sched != nil {
		return sched.withTimeout(ctx, t, t.Sub(sched.loop.Clock().Wall()))
	}
	return context.WithDeadline(ctx, t)
}

// withTimeout makes a scope with the deadline t, which comes after d.
func (sched *scheduler) withTimeout(ctx context.Context, t time.Time, d time.Duration) (context.Context, context.CancelFunc) {
	s := &scope{}
	s.init(sched, ctx, ofTimeout)
	s.values = withDeadline(s.values, t)
	x := s.more()
	if d <= 0 {
		s.mark(expired)
	} else if s.Err() == nil {
		x.timer = sched.loop.CallLater(d, func() {
			s.cancel(expired)
			s.end()
		})
	}
	s.enter()
	return s, func() {
		s.cancel(cancelled)
		s.leave()
	}
}

// deadlineContext says of itself that it has a deadline. To keep it is the scope's affair.
type deadlineContext struct {
	context.Context
	deadline time.Time
}

func (d *deadlineContext) Deadline() (deadline time.Time, ok bool) { return d.deadline, true }

func withDeadline(ctx context.Context, t time.Time) context.Context {
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(t) {
		return ctx
	}
	return &deadlineContext{ctx, t}
}
