package task

import (
	"context"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
)

// ErrEnded is the cause of a task's or group's context after it has ended by itself.
var ErrEnded error = endedError{}

type endedError struct{}

func (endedError) Error() string        { return "task: the task or group of this context has ended" }
func (endedError) Is(target error) bool { return target == context.Canceled }

// scope is a cancel scope: the context of a task, of a group, or of WithTimeout. It is a node in
// the tree of its loop, by which a cancellation finds what is below: no goroutine and no callback
// of package context is in between.
//
// Whether a scope is done, and why, is known to a context of package context inside. So Err, Done
// and Cause always agree. Value shows that one to package context, which therefore starts no
// goroutine for a context derived from a scope, and finds the cause. A scope is, for good from the
// second state on:
//
//	open       real is nil, or live: somebody has asked for Done
//	cancelled  real has ended as something else than ended: by mark, from any goroutine
//	over       real has ended as ended: the task, the group or the time is over; by settle
//
// The scope of a timeout is never over: it is cancelled or it expires, and then it leaves.
type scope struct {
	// The context. Any goroutine may look at it.
	real    atomic.Pointer[realContext]
	setting *setting // set by init, for good; nil only in a zero Group

	node

	// Whom it belongs to.
	coro *coro.Coro // whose waits may be with this context: see recheck. On the loop
	job  work       // the task that it is the context of; nil for a group or a timeout. Constant
}

// setting is what a scope hands on to those that are started with its context. It does not change,
// so whoever changes nothing shares it with the scope above. Only a task that is shown, and has a
// setting of its own for that, changes values, before anybody has its context.
type setting struct {
	home *home
	pool *coro.Pool // of home: each wait asks for it
	// for Value and Deadline: the nearest context above that is not a scope, or a deadline
	values context.Context
	// which tasks started with this context join; nil for the loop's root group
	group *Group
}

type kind uint8

const (
	ofTask kind = iota
	ofGroup
	ofTimeout
	ofLoop // the root of a loop's tree
)

var kinds = [...]string{"task", "group", "timeout", "loop"}

type scopeKey struct{}

// init places the scope below ctx, on the loop h. It may run in any goroutine, before anybody else
// has the scope; link puts it into the tree.
func (s *scope) init(h *home, ctx context.Context, kind kind) {
	s.kind = kind
	above, ok := ctx.(*scope)
	switch {
	case ok && above.setting.home == h:
		s.up, s.setting = above, above.setting
		s.inherit(above)
	case ctx == h.core.Context():
		s.up, s.setting = &h.root, &h.setting
	default:
		s.setting = &setting{home: h, pool: h.pool, values: ctx}
		s.initBelow(ctx)
	}
	if s.fence.Load() == nil && s.up.Err() != nil {
		s.mark(s.up.real.Load())
	}
}

// initBelow is init for a context that is not itself a scope of this loop, but may have one above.
func (s *scope) initBelow(ctx context.Context) {
	h := s.setting.home
	s.up = &h.root
	if above, ok := ctx.Value(scopeKey{}).(*scope); ok {
		s.inherit(above) // also from another loop's
		s.setting.group = above.setting.group
		if above.setting.home == h {
			s.up = above
			if ctx.Done() == above.Done() && alike(ctx, above) {
				return // only values lie between
			}
		}
	}
	s.bind(ctx)
}

// alike reports whether ctx, whose Done channel is that of the scope above, ends with it. If both
// are done that has to be looked at: contexts of package context that ended before anybody asked
// for Done all have the same channel.
func alike(ctx context.Context, above *scope) bool {
	if ctx.Err() == nil {
		return true
	}
	cause, known := context.Cause(ctx), context.Cause(above)
	return ctx.Err() == above.Err() && reflect.ValueOf(cause).Comparable() && cause == known
}

// inherit takes over from the scope above what a task has in common with those that it starts.
func (s *scope) inherit(above *scope) { s.class, s.traits = above.class, above.traits&daemon }

// enter is link for a scope that may be made outside the loop.
func (s *scope) enter() {
	if s.setting.home.onLoop(s.link) != nil {
		s.mark(closed)
	}
}

// leave is end for a scope that may end outside the loop.
func (s *scope) leave() {
	s.settle()
	s.setting.home.onLoop(s.unlink)
}

// end makes the context done because its task or group is over, and leaves the tree. It is called
// on the loop.
func (s *scope) end() {
	s.settle()
	s.unlink()
}

// settle is the part of end that any goroutine may do.
func (s *scope) settle() {
	s.mark(ended)
	if s.foreign() { // after mark: see bind
		s.unbind()
	}
}

// over reports whether the scope is done, and was not cancelled: its task or group is over.
func (s *scope) over() bool {
	r := s.real.Load()
	return r != nil && (r == ended || r.as.Load() == ended)
}

// mark makes the context done as f is, unless it is done, and reports whether it was not. It may
// run in any goroutine.
func (s *scope) mark(f *realContext) bool {
	if s.real.CompareAndSwap(nil, f) {
		return true
	}
	r := s.real.Load()
	if r.Err() != nil {
		return false
	}
	r.end(f)
	return true
}

// cancel makes the scope and everything below it done as f is, from any goroutine. Outside the
// loop, what is below follows when the loop comes to it.
func (s *scope) cancel(f *realContext) { s.cancelOn(s.setting.home, f) }

// cancelOn is cancel for a caller who knows the loop. A foreign context may end while the scope is
// still being made, and is given another setting.
func (s *scope) cancelOn(h *home, f *realContext) {
	if !s.mark(f) {
		return
	}
	if h.core.InLoop() {
		s.spread()
	} else {
		h.core.Post(posted(s.spread))
	}
}

// spread marks everything below a scope that is done. It then wakes the tasks whose waits that
// ends: first those above, last those below, in the order of the tree.
func (s *scope) spread() {
	f := s.real.Load()
	s.eachReached(func(k *scope) {
		if k.mark(f) && k.kind == ofTimeout {
			k.limit().stop()
		}
	})
	s.recheckOwner()
	s.eachReached((*scope).recheck)
}

// recheckOwner looks at the waits of the task that has made the scope, and of the task that it is
// in: they may wait with it.
func (s *scope) recheckOwner() {
	for u := s; u != nil; u = u.up {
		if u.recheck(); u.kind == ofTask {
			return
		}
	}
}

func (s *scope) recheck() {
	if s.coro != nil {
		s.coro.Recheck()
	}
}

// madeBy notes which task makes the scope of a group or a timeout, for recheckOwner. That need not
// be a task above it: a member that Group.Go has started uses the context of its group. By the time
// that the coroutine is looked at it may have another task, to which a look does no harm.
func (s *scope) madeBy(ctx context.Context) {
	if c := coro.CurrentBy(ctx); c != nil && c.Pool() == s.setting.pool {
		s.coro = c
	}
}

// covers reports whether a cancellation of s makes the task of t look at its wait: s is above t, or
// was made inside it, or by it.
func (s *scope) covers(t *scope) bool {
	switch {
	case s.setting.home != t.setting.home:
		return false // another loop's tree is not to be looked at from here
	case s.coro != nil && s.coro == t.coro:
		return true
	}
	for u := s; u != nil; u = u.up {
		if u == t {
			return true
		}
		if u.foreign() || u.kind == ofTask {
			break
		}
	}
	for u := t; u != nil && !u.foreign(); u = u.up {
		if u.up == s {
			s.lent = true
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
	s.real.CompareAndSwap(nil, newRealContext())
	return s.real.Load()
}

// Deadline is part of context.Context.
func (s *scope) Deadline() (deadline time.Time, ok bool) { return s.setting.values.Deadline() }

// Done is part of context.Context.
func (s *scope) Done() <-chan struct{} { return s.made().Done() }

// Err is part of context.Context.
func (s *scope) Err() error {
	if r := s.real.Load(); r != nil {
		return r.Err()
	}
	return nil
}

// Value is part of context.Context. The real context answers first: package context asks it this
// way.
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	if r := s.real.Load(); r != nil {
		if v := r.Value(key); v != nil {
			return v
		}
	}
	return s.setting.values.Value(key)
}

// CoroPool makes the scope a coro.Carrier.
func (s *scope) CoroPool() *coro.Pool { return s.setting.pool }

// String describes the scope, as contexts do.
func (s *scope) String() string {
	return [...]string{"task", "task group", "task.WithTimeout", "loop"}[s.kind] + " context"
}
