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
// Whether a scope is done, and why, is known to a context of package context inside, which is made when somebody asks for
// Done, or at the end; so Err, Done and Cause always agree. Value shows it to package context, which so starts no goroutine for
// a context derived from a scope, and finds the cause.
type scope struct {
	// What each wait looks at comes first, together.
	real  atomic.Pointer[realContext] // nil for one that is not done, and was never asked for Done
	sched *scheduler                  // nil only in a zero Group

	values context.Context // for Value and Deadline: of the nearest context above that is not a scope, or a deadline of our own
	group  *Group          // which tasks started with this context join; nil: the loop's root group
	coro   *coro.Coro      // a task's, while it runs; for a group or a timeout that of the task that has made it
	extra  *extra          // what few scopes have

	// The tree.
	up         *scope
	kids       *scope // the first of a ring
	next, prev *scope // in the ring of up's kids

	kind  kind
	class uint8 // of Priority; a task has that of the scope above
	gone  bool  // it has left the tree, for good
	lent  bool  // a task below it has waited with this very context
	// foreign: some other context lies between up and this one, so that a cancellation of up comes, if at all, through
	// that context.
	foreign bool
	traits  trait
}

// trait is what is special about a task.
type trait uint8

const (
	isolated trait = 1 << iota // what becomes of the task is no concern of its group
	daemon                     // its group does not wait for it; what it starts is a daemon too
	eager                      // its first step is made where it is started
	member                     // it was started by Group.Go: it is a member, not a Task, and has no promise
)

func (s *scope) is(t trait) bool { return s.traits&t != 0 }

// extra is the part of a scope that is made on need.
type extra struct {
	name    string
	unwatch func() bool      // of the foreign context above
	limit   *deadlineContext // of WithTimeout
	groups  []*Group         // made by this task

	beforeStarted func(error) bool // of a task of Start: takes its outcome, unless it has called started

	site string        // where the task was started
	born time.Duration // and when
	id   uint64        // 0 until somebody asks
}

type kind uint8

const (
	ofTask kind = iota
	ofGroup
	ofTimeout
	ofLoop // the root of a loop's tree
)

type scopeKey struct{}

// init places the scope below ctx, in the loop of sched. It may run in any goroutine; link puts it into the tree.
func (s *scope) init(sched *scheduler, ctx context.Context, kind kind) {
	s.sched, s.kind = sched, kind
	above, ok := ctx.(*scope)
	switch {
	case ok && above.sched == sched:
		s.up, s.values = above, above.values
		s.inherit(above)
	case ctx == sched.loop.Context():
		s.up, s.values = &sched.root, ctx
	default:
		s.values = ctx
		s.initBelow(ctx)
	}
	if !s.foreign && s.up.Err() != nil {
		s.mark(s.up.real.Load())
	}
}

// initBelow is init for a context that is not itself a scope of this loop, but may have one above it.
func (s *scope) initBelow(ctx context.Context) {
	s.up = &s.sched.root
	if above, ok := ctx.Value(scopeKey{}).(*scope); ok {
		s.inherit(above) // also when that is another loop's
		if above.sched == s.sched {
			s.up = above
			if ctx.Done() == above.Done() {
				return // only values lie between
			}
		}
	}
	s.foreign = true
	s.watch(ctx)
}

// watch makes the scope end when a foreign context does.
func (s *scope) watch(ctx context.Context) {
	switch {
	case ctx.Done() == nil:
	case ctx.Err() != nil:
		s.mark(finished(ctx.Err(), context.Cause(ctx)))
	default:
		s.more().unwatch = s.sched.loop.World().AfterFunc(ctx, func() { s.cancel(finished(ctx.Err(), context.Cause(ctx))) })
	}
}

// inherit takes over from the scope above what tells how a task belongs to others.
func (s *scope) inherit(above *scope) {
	s.group, s.class, s.traits = above.group, above.class, above.traits&daemon
}

func (s *scope) more() *extra {
	if s.extra == nil {
		s.extra = &extra{}
	}
	return s.extra
}

// link enters the scope into the tree, on the loop. What has happened above since init is made up for.
func (s *scope) link() {
	if s.gone {
		return
	}
	for s.up.gone {
		if !s.foreign && !s.up.over() {
			s.cancel(s.up.real.Load())
		}
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
	switch {
	case !s.foreign && u.Err() != nil:
		s.cancel(u.real.Load())
	case s.sched.closing:
		s.cancel(s.sched.root.real.Load())
	}
}

// unlink takes the scope out of the tree. What is below it moves up: it goes on.
func (s *scope) unlink() {
	if !s.over() {
		s.spread() // it was cancelled outside the loop, and the word of that may come too late
	} else if s.lent {
		s.eachBelow((*scope).recheck) // who waits with the context that has just ended
	}
	s.recheckOwner()
	s.gone = true
	if s.next != nil {
		s.leaveRing()
	}
	for s.kids != nil {
		k := s.kids
		k.leaveRing()
		if s.foreign && !k.foreign && (k.kind == ofTask || k.values.Done() == nil) {
			k.foreign = true // what lies between is now right above k
			k.link()
			k.watch(k.values)
			if k.Err() != nil {
				k.spread()
			}
			continue
		}
		k.link()
	}
}

// over reports whether the scope, which is done, was not cancelled: its task, group or time is over.
func (s *scope) over() bool {
	r := s.real.Load()
	return r == ended || r.as.Load() == ended
}

func (s *scope) leaveRing() {
	if u := s.up; s.next == s {
		u.kids = nil
	} else {
		s.prev.next, s.next.prev = s.next, s.prev
		if u.kids == s {
			u.kids = s.next
		}
	}
	s.next, s.prev = nil, nil
}

// enter is link for a scope that may be made outside the loop.
func (s *scope) enter() {
	if s.sched.onLoop(s.link) != nil {
		s.mark(finished(context.Canceled, reactor.ErrClosed))
	}
}

// leave is end for a scope that may end outside the loop.
func (s *scope) leave() {
	s.settle()
	s.sched.onLoop(s.unlink)
}

// end makes the context done because its task, group or time is over, and leaves the tree. It is called on the loop.
func (s *scope) end() {
	s.settle()
	s.unlink()
}

// settle is the part of end that any goroutine may do.
func (s *scope) settle() {
	if x := s.extra; x != nil {
		if x.unwatch != nil {
			x.unwatch()
		}
		if x.limit != nil {
			x.limit.stop()
		}
	}
	s.mark(ended)
}

// mark makes the context done as f is, unless it is done, and reports whether it was not. It may run in any goroutine.
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

// cancel makes the scope and everything below it done as f is, from any goroutine. Outside the loop, what is below follows when
// the loop comes to it.
func (s *scope) cancel(f *realContext) {
	if !s.mark(f) {
		return
	}
	if s.sched.loop.InLoop() {
		s.spread()
	} else {
		s.sched.loop.Post(posted(s.spread))
	}
}

// spread marks everything below a scope that is done, and then ends the waits that this ends.
func (s *scope) spread() {
	f := s.real.Load()
	s.eachBelow(func(k *scope) {
		if k.mark(f) && k.kind == ofTimeout {
			k.extra.limit.stop()
		}
	})
	s.recheckOwner()
	s.eachBelow((*scope).recheck)
}

// recheckOwner looks at the waits of the task that has made the scope and of the one that it belongs to: they may wait with it.
func (s *scope) recheckOwner() {
	for u := s; u != nil; u = u.up {
		if u.recheck(); u.kind == ofTask {
			return
		}
	}
}

// madeBy notes which task makes a scope that is not a task's, for recheckOwner. It may be none above it: a member of a group that Group.Go has
// started uses the context of the group. The coroutine may have another task by the time that it is looked at, to which that does no harm.
func (s *scope) madeBy(ctx context.Context) {
	if c := coro.CurrentBy(ctx); c != nil && c.Pool() == s.sched.pool {
		s.coro = c
	}
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

// covers reports whether a cancellation of s makes the task of t look at its wait: s is above t, or was made inside it, or by it.
func (s *scope) covers(t *scope) bool {
	switch {
	case s.sched != t.sched:
		return false // another loop's tree is not to be looked at from here
	case s.coro != nil && s.coro == t.coro:
		return true
	}
	for u := s; u != nil; u = u.up {
		if u == t {
			return true
		}
		if u.foreign || u.kind == ofTask {
			break
		}
	}
	for u := t; u != nil && !u.foreign; u = u.up {
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
func (s *scope) Deadline() (deadline time.Time, ok bool) { return s.values.Deadline() }

// Done is part of context.Context.
func (s *scope) Done() <-chan struct{} { return s.made().Done() }

// Err is part of context.Context.
func (s *scope) Err() error {
	if r := s.real.Load(); r != nil {
		return r.Err()
	}
	return nil
}

// Value is part of context.Context. The real context answers first: package context asks for it this way.
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
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
