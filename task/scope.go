package task

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// ErrEnded is the cause of a task's or group's context after it has ended by itself.
var ErrEnded error = endedError{}

type endedError struct{}

func (endedError) Error() string        { return "task: the task or group of this context has ended" }
func (endedError) Is(target error) bool { return target == context.Canceled }

// scope is a cancel scope: the context of a task, of a group, or of WithTimeout. The scopes of a loop form a tree, which
// is touched on the loop only. To cancel a scope marks the ones below it and then looks, in the order of the tree, at
// the waits of the tasks there: no goroutine and no callback of package context is in between.
//
// For everybody else's contexts derived from it, a scope has a real context.WithCancelCause context inside, made when somebody
// asks for Done, or at the cancellation. Value shows it to package context, which so starts no goroutine for such a context, and
// finds the cause.
type scope struct {
	values context.Context // for Value and Deadline: the nearest context above that is not a scope
	sched  *scheduler      // nil only in a zero Group
	group  *Group          // which tasks started with this context join; nil: the loop's root group
	coro   *coro.Coro      // a task's, while it runs
	extra  *extra          // what few scopes have

	// The tree.
	up         *scope
	kids       *scope // the first of a ring
	next, prev *scope // in the ring of up's kids

	real  atomic.Pointer[realContext]
	state atomic.Uint32
	kind  kind
	// foreign: some other context lies between up and this one, so that a cancellation of up comes, if at all, through
	// that context.
	foreign bool
}

// extra is the part of a scope that is made on need.
type extra struct {
	name     string
	unwatch  func() bool // of the foreign context above
	deadline time.Time
	timer    reactor.Timer
	groups   []*Group // made by this task
}

type kind uint8

const (
	ofTask kind = iota
	ofGroup
	ofTimeout
	ofLoop // the root of a loop's tree
)

// The states of a scope. It leaves live once.
const (
	live uint32 = iota
	cancelled
	expired // cancelled by its own deadline
	over    // its task or group has ended
)

type realContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

type scopeKey struct{}

// init places the scope below ctx, in the loop of sched. It may run in any goroutine; link puts it into the tree.
func (s *scope) init(sched *scheduler, ctx context.Context, kind kind) {
	s.sched, s.kind = sched, kind
	above, ok := ctx.(*scope)
	switch {
	case ok && above.sched == sched:
		s.up, s.values, s.group = above, above.values, above.group
	case ctx == sched.loop.Context():
		s.up, s.values = &sched.root, ctx
	default:
		s.values = ctx
		s.initBelow(ctx)
	}
	if !s.foreign && s.up.state.Load() != live {
		s.mark(cancelled, context.Cause(s.up))
	}
}

// initBelow is init for a context that is not itself a scope of this loop, but may have one above it.
func (s *scope) initBelow(ctx context.Context) {
	above, _ := ctx.Value(scopeKey{}).(*scope)
	if above != nil && above.sched == s.sched {
		s.up, s.group = above, above.group
		if ctx.Done() == above.Done() {
			return // only values lie between
		}
	} else {
		s.up = &s.sched.root
	}
	s.foreign = true
	if ctx.Done() == nil {
		return
	}
	if ctx.Err() != nil {
		s.mark(cancelled, coro.Cause(ctx))
		return
	}
	s.more().unwatch = context.AfterFunc(ctx, func() { s.cancel(cancelled, coro.Cause(ctx)) })
}

func (s *scope) more() *extra {
	if s.extra == nil {
		s.extra = &extra{}
	}
	return s.extra
}

// link enters the scope into the tree, on the loop. What has happened above since init is made up for.
func (s *scope) link() {
	for s.up.state.Load() == over && s.up.kind != ofLoop {
		s.up = s.up.up
	}
	u := s.up
	if u.kids == nil {
		u.kids, s.next, s.prev = s, s, s
	} else {
		last := u.kids.prev
		s.prev, s.next = last, u.kids
		last.next, u.kids.prev = s, s
	}
	if st := u.state.Load(); !s.foreign && (st == cancelled || st == expired) {
		s.mark(cancelled, context.Cause(u))
	}
}

// unlink takes the scope out of the tree. What is below it moves up: it goes on.
func (s *scope) unlink() {
	u := s.up
	if s.next == nil {
		return
	}
	if s.next == s {
		u.kids = nil
	} else {
		s.prev.next, s.next.prev = s.next, s.prev
		if u.kids == s {
			u.kids = s.next
		}
	}
	s.next, s.prev = nil, nil
	for s.kids != nil {
		k := s.kids
		k.detachFrom(s)
		k.up = u
		k.next, k.prev = nil, nil
		k.link()
	}
}

func (s *scope) detachFrom(u *scope) {
	if s.next == s {
		u.kids = nil
		return
	}
	s.prev.next, s.next.prev = s.next, s.prev
	if u.kids == s {
		u.kids = s.next
	}
}

// end makes the context done because its task or group is over, and leaves the tree. It is called on the loop.
func (s *scope) end() {
	if s.extra != nil {
		if s.extra.unwatch != nil {
			s.extra.unwatch()
		}
		s.extra.timer.Stop()
	}
	if s.state.CompareAndSwap(live, over) {
		if r := s.real.Load(); r != nil {
			r.cancel(ErrEnded)
		}
	}
	s.unlink()
}

// mark makes the context done, and reports whether it was not before. It may run in any goroutine.
func (s *scope) mark(state uint32, cause error) bool {
	if s.state.Load() != live {
		return false
	}
	s.made().cancel(cause)
	return s.state.CompareAndSwap(live, state)
}

// cancel cancels the scope and everything below it, from any goroutine. Outside the loop, what is below follows when the loop comes to it.
func (s *scope) cancel(state uint32, cause error) {
	if !s.mark(state, cause) {
		return
	}
	if s.sched.loop.InLoop() {
		s.spread(cause)
	} else {
		s.sched.loop.Post(spread(func() { s.spread(cause) }))
	}
}

type spread func()

func (f spread) Run() { f() }

// spread marks everything below a cancelled scope, and then ends the waits that this ends.
func (s *scope) spread(cause error) {
	s.eachBelow(func(k *scope) { k.mark(cancelled, cause) })
	for u := s; u != nil; u = u.up { // the task that s belongs to may wait with s
		if u.kind == ofTask {
			u.recheck()
			break
		}
	}
	s.eachBelow((*scope).recheck)
}

// eachBelow calls f for every scope below s that a cancellation of s reaches, in the order they were made. The loop's end
// reaches those below foreign contexts too.
func (s *scope) eachBelow(f func(*scope)) {
	if s.kids == nil {
		return
	}
	for k := s.kids; ; k = k.next {
		if !k.foreign || s.sched.closing {
			f(k)
			k.eachBelow(f)
		}
		if k.next == s.kids {
			return
		}
	}
}

func (s *scope) recheck() {
	if s.coro != nil {
		s.coro.Recheck()
	}
}

// covers reports whether a cancellation of s makes the task of t look at its wait: s is above t, or was made inside it.
func (s *scope) covers(t *scope) bool {
	for u := s; u != nil && !u.foreign; u = u.up {
		if u == t {
			return true
		}
		if u.kind == ofTask {
			break
		}
	}
	for u := t; u != nil && !u.foreign; u = u.up {
		if u.up == s {
			return true
		}
	}
	return false
}

// made returns the real context, which it makes if need be.
func (s *scope) made() *realContext {
	if r := s.real.Load(); r != nil {
		return r
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &realContext{ctx, cancel}
	if !s.real.CompareAndSwap(nil, r) {
		cancel(nil)
		return s.real.Load()
	}
	if s.state.Load() == over { // end did not see it
		cancel(ErrEnded)
	}
	return r
}

// Deadline is part of context.Context.
func (s *scope) Deadline() (deadline time.Time, ok bool) {
	for u := s; u != nil; u = u.up {
		if u.extra != nil && !u.extra.deadline.IsZero() && (!ok || u.extra.deadline.Before(deadline)) {
			deadline, ok = u.extra.deadline, true
		}
		if u.foreign {
			break
		}
	}
	if d, has := s.values.Deadline(); has && (!ok || d.Before(deadline)) {
		return d, true
	}
	return deadline, ok
}

// Done is part of context.Context.
func (s *scope) Done() <-chan struct{} { return s.made().Done() }

// Err is part of context.Context.
func (s *scope) Err() error {
	switch s.state.Load() {
	case live:
		return nil
	case expired:
		return context.DeadlineExceeded
	default:
		return context.Canceled
	}
}

// Value is part of context.Context. The real context answers first: package context asks for it this way.
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	if s.state.Load() == over {
		s.made()
	}
	if r := s.real.Load(); r != nil {
		if v := r.Value(key); v != nil {
			return v
		}
	}
	return s.values.Value(key)
}

// CoroPool makes the scope a coro.Carrier.
func (s *scope) CoroPool() *coro.Pool { return s.sched.pool }

// String describes the scope, as contexts do.
func (s *scope) String() string {
	return [...]string{"task", "task group", "task.WithTimeout", "loop"}[s.kind] + " context"
}

// WithTimeout is context.WithTimeout on the timers of the loop that ctx carries; without a loop it is
// context.WithTimeout itself. cancel must be called; it cancels the context and what derives from it at once, and frees the timer.
// It may be called in any goroutine.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	sched := schedulerOf(ctx)
	if sched == nil {
		return context.WithTimeout(ctx, d)
	}
	s := &scope{}
	s.init(sched, ctx, ofTimeout)
	x := s.more()
	x.deadline = sched.loop.Now().Add(d)
	x.timer = sched.loop.CallLater(d, func() { s.cancel(expired, context.DeadlineExceeded) })
	sched.onLoop(s.link)
	return s, func() {
		x.timer.Stop()
		s.cancel(cancelled, context.Canceled)
		sched.onLoop(s.end)
	}
}

// WithDeadline is WithTimeout for a point in time.
func WithDeadline(ctx context.Context, t time.Time) (context.Context, context.CancelFunc) {
	if sched := schedulerOf(ctx); sched != nil {
		return WithTimeout(ctx, t.Sub(sched.loop.Now()))
	}
	return context.WithDeadline(ctx, t)
}
