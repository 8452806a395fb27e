package task

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// realContext is a context of package context itself, without values, that can end as any other context has ended:
// with its Err and its Cause. A cancelable context can only be cancelled, with a cause, and one with a deadline
// expires on the clock of the runtime and not on the loop's. But a context derived from a parent ends with what that
// parent says of itself. So this one has a parent whose end is the scope's to tell: see source.
type realContext struct {
	context.Context
	once    sync.Once
	as      atomic.Pointer[realContext] // what it has ended as
	from    *Group                      // of one that was made finished to cancel a task, and not a group or more: the task's group
	fire    func()                      // passes the end of the source on; nil in one that was made finished
	release context.CancelFunc
}

func newRealContext() *realContext {
	r := &realContext{}
	r.Context, r.release = context.WithCancel((*source)(r))
	return r
}

// finished returns a real context that has ended with err and cause.
func finished(err, cause error) *realContext {
	if err == context.DeadlineExceeded {
		ctx, cancel := context.WithDeadlineCause(context.Background(), time.Time{}, cause)
		cancel()
		return &realContext{Context: ctx}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	return &realContext{Context: ctx}
}

var (
	cancelled = finished(context.Canceled, nil)
	expired   = finished(context.DeadlineExceeded, nil)
	ended     = finished(context.Canceled, ErrEnded)
)

// ended returns what r, which has ended, has ended as.
func (r *realContext) ended() *realContext {
	if as := r.as.Load(); as != nil {
		return as
	}
	return r
}

// end makes r, unless it has ended, end as f has. When it returns, r has ended.
func (r *realContext) end(f *realContext) {
	if r.fire == nil {
		return
	}
	r.once.Do(func() {
		r.as.Store(f)
		r.fire()
		r.release()
	})
}

// source is the parent of a live realContext. Package context takes a parent that has an AfterFunc method by its word, and
// when told asks it for Err and, through Value, for the cause.
type source realContext

// never is the Done channel of sources: their end is told by AfterFunc.
var never = make(chan struct{})

func (*source) Deadline() (deadline time.Time, ok bool) { return }
func (*source) Done() <-chan struct{}                   { return never }

func (s *source) AfterFunc(f func()) (stop func() bool) {
	s.fire = f
	return func() bool { return false }
}

func (s *source) Err() error {
	if f := s.as.Load(); f != nil {
		return f.Err()
	}
	return nil
}

func (s *source) Value(key any) any {
	if f := s.as.Load(); f != nil {
		return f.Value(key)
	}
	return nil
}
