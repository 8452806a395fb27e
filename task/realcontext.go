package task

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

// realContext is a context of package context itself, without values, that can end as any other
// context has ended: with its Err and its Cause. A context of package context can only be
// cancelled, with a cause, or expire on the clock of the runtime, which is not the loop's. But one
// that is derived from a parent ends with what that parent says of itself. So a realContext has a
// parent whose end is for the scope to tell: see source.
//
//	live      made when somebody asks for Done; fire is set, as is nil
//	ended     by end: as is what it has ended as, and release has been called; for good
//	finished  made to have ended: fire is nil, and as stays nil
type realContext struct {
	context.Context
	once    sync.Once
	as      atomic.Pointer[realContext]
	from    *Group // of one that Withdraw has made, to cancel a task and not its group: that group
	fire    func() // passes the end of the source on
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
	closed    = finished(context.Canceled, reactor.ErrClosed)
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

// source is the parent of a live realContext. Package context relies on a parent's AfterFunc
// method, if it has one, to be told of its end; it then asks for Err and, through Value, for the
// cause.
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
