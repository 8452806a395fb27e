package task

import (
	"context"
	"sync"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// WithTimeout is context.WithTimeout on the timers of the loop that ctx carries; without a loop it
// is context.WithTimeout itself. cancel must be called; it cancels the context and what derives
// from it at once, and frees the timer. WithTimeout may be called in any goroutine. On a closed
// loop the context is done, with reactor.ErrClosed.
//
// The time counts from the call, however long the task has computed before. It is the loop that
// ends it: a task that computes past the deadline sees that once the loop has run again. Reschedule
// moves the deadline.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if h := homeOf(ctx); h != nil {
		return h.withTimeout(ctx, h.core.World().Wall().Add(d), d)
	}
	return context.WithTimeout(ctx, d)
}

// WithDeadline is WithTimeout for a point in time.
func WithDeadline(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	if h := homeOf(ctx); h != nil {
		return h.withTimeout(ctx, t, t.Sub(h.core.World().Wall()))
	}
	return context.WithDeadline(ctx, t)
}

// Reschedule moves the deadline of a context of WithTimeout or WithDeadline to t, earlier or later,
// and reports whether it did; the zero time means never. A time that has passed ends the context at
// once. ctx is that context, or derives from it: the innermost one that ctx derives from is meant.
// What ends a context further out ends this one as before.
//
// It is false, and nothing happens, if the context is over, if there is none with a loop's timer,
// or if ctx is one that never ends, as context.WithoutCancel makes it. Reschedule may be called
// from any goroutine. Deadline tells the new time from then on; but a context of package context
// that has been derived with a deadline of its own keeps that.
func Reschedule(ctx context.Context, t time.Time) bool {
	d, ok := ctx.Value(deadlineKey{}).(*deadlineContext)
	return ok && ctx.Done() != nil && d.move(t)
}

// withTimeout makes a scope with the deadline t, which comes after d.
func (h *home) withTimeout(ctx context.Context, t time.Time, d time.Duration) (context.Context, context.CancelFunc) {
	s := &scope{}
	s.init(h, ctx, ofTimeout)
	limit := &deadlineContext{Context: withoutOver(s.setting.values), scope: s, at: t, setting: *s.setting}
	limit.setting.values = limit
	s.setting = &limit.setting
	s.madeBy(ctx)
	if d <= 0 {
		s.mark(expired)
	} else if s.Err() == nil {
		limit.set(d)
	}
	s.enter()
	return s, func() {
		s.cancel(cancelled)
		limit.stop()
		s.leave()
	}
}

// limit is the deadline of a timeout's scope.
func (s *scope) limit() *deadlineContext { return s.setting.values.(*deadlineContext) }

// deadlineContext says of a scope, and of what is below it, that there is a deadline, and keeps it.
//
//	       scope  timer
//	set    set    pending, for at; stopped if at is zero, which means never
//	over   nil    stopped, or it has fired: the scope is done
//
// Each move counts; a timer that fires while it is moved finds another count, and does nothing.
type deadlineContext struct {
	context.Context         // the values above
	setting         setting // of the scope

	mu    sync.Mutex // guards the rest
	at    time.Time
	timer reactor.Timer
	moves int
	scope *scope
}

type deadlineKey struct{}

func (d *deadlineContext) Deadline() (deadline time.Time, ok bool) {
	d.mu.Lock()
	at := d.at
	d.mu.Unlock()
	if earlier, ok := d.Context.Deadline(); ok && (at.IsZero() || earlier.Before(at)) {
		return earlier, true
	}
	return at, !at.IsZero()
}

func (d *deadlineContext) Value(key any) any {
	if key == (deadlineKey{}) {
		return d
	}
	return d.Context.Value(key)
}

// withoutOver leaves out deadlines that are over: what is below them is done, and needs none.
// Otherwise a chain of tasks that each start the next one would keep all of them.
func withoutOver(ctx context.Context) context.Context {
	for {
		d, ok := ctx.(*deadlineContext)
		if !ok {
			return ctx
		}
		d.mu.Lock()
		over := d.scope == nil
		d.mu.Unlock()
		if !over {
			return ctx
		}
		ctx = d.Context
	}
}

// set has the scope expire after left.
func (d *deadlineContext) set(left time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.setLocked(left)
}

func (d *deadlineContext) setLocked(left time.Duration) {
	moves := d.moves
	d.timer = d.scope.setting.home.core.PostLater(left, loop.Callback(func() { d.expire(moves) }))
}

// expire ends the scope, unless it is over, or its deadline has been moved since.
func (d *deadlineContext) expire(moves int) {
	d.mu.Lock()
	s := d.scope
	if s == nil || d.moves != moves {
		d.mu.Unlock()
		return
	}
	d.scope = nil
	d.mu.Unlock()
	s.cancel(expired)
	s.leave()
}

// stop makes the deadline one of the past, which is not moved any more.
func (d *deadlineContext) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.scope = nil
	d.timer.Stop()
}

func (d *deadlineContext) move(t time.Time) bool {
	d.mu.Lock()
	s := d.scope
	if s == nil || s.Err() != nil {
		d.mu.Unlock()
		return false
	}
	d.at = t
	d.moves++
	moves := d.moves
	d.timer.Stop()
	left := t.Sub(s.setting.home.core.World().Wall())
	past := !t.IsZero() && left <= 0
	if !past && !t.IsZero() {
		d.setLocked(left)
	}
	d.mu.Unlock()
	if past {
		d.expire(moves)
	}
	return true
}
