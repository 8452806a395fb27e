package task

import (
	"context"
	"time"
)

// WithTimeout is context.WithTimeout on the timers of the loop that ctx carries; without a loop it is
// context.WithTimeout itself. cancel must be called; it cancels the context and what derives from it at once, and frees the timer.
// It may be called in any goroutine. On a closed loop the context is done, with reactor.ErrClosed.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	sched := schedulerOf(ctx)
	if sched == nil {
		return context.WithTimeout(ctx, d)
	}
	s := &scope{}
	s.init(sched, ctx, ofTimeout)
	s.values = withDeadline(s.values, sched.loop.Now().Add(d))
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

// WithDeadline is WithTimeout for a point in time.
func WithDeadline(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	if sched := schedulerOf(ctx); sched != nil {
		return WithTimeout(ctx, t.Sub(sched.loop.Now()))
	}
	return context.WithDeadline(ctx, t)
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
