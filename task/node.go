package task

import (
	"context"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// node is what a scope is to its neighbours in the tree of its loop. Except for fence, it is
// touched on the loop, and by init before anybody else has the scope.
//
//	           up    next   gone
//	new        set   nil    no    it has not come to the loop yet
//	linked     set   set    no    one of the ring of up's kids
//	gone       set   nil    yes   it has left, for good; kids is nil
//
// A scope's up can change: when a scope leaves, what is below it moves one step up. It may have
// left before the scope is linked.
type node struct {
	up         *scope
	kids       *scope // the oldest of a ring
	next, prev *scope // in the ring of up's kids

	// fence is a foreign context that lies between up and this scope: then a cancellation of up
	// comes, if at all, through that context. nil if nothing does, or only values. It can be set
	// once, by init, or by climb when the scope below that context has left; it is never reset.
	fence atomic.Pointer[fence]

	kind   kind  // constant
	class  uint8 // of Priority; a task has that of the scope above. Constant
	traits trait // constant
	gone   bool
	lent   bool // a task below has waited with this very context; never reset
}

// fence is a foreign context above a scope: one of package context, of a user, of another loop.
type fence struct {
	ctx  context.Context
	stop func() bool // ends the watch; nil if ctx never ends, or had ended
}

func (n *node) foreign() bool { return n.fence.Load() != nil }

// bind puts the foreign context ctx right above the scope, which then ends when ctx does. It
// reports whether the scope has just ended with that.
//
// Another goroutine may end the scope meanwhile. It marks the scope and then looks for what to
// unbind; here it is the other way round, so one of the two stops the watch.
func (s *scope) bind(ctx context.Context) (done bool) {
	b := &fence{ctx: ctx}
	switch {
	case ctx.Done() == nil:
	case ctx.Err() != nil:
		done = s.mark(finished(ctx.Err(), context.Cause(ctx)))
	default:
		h := s.setting.home
		b.stop = h.core.World().AfterFunc(ctx, func() { s.cancelOn(h, finished(ctx.Err(), context.Cause(ctx))) })
	}
	s.fence.Store(b)
	if s.Err() != nil {
		s.unbind()
	}
	return done
}

// unbind ends the watch. What bounds the scope is still known, to those below it.
func (n *node) unbind() {
	if b := n.fence.Load(); b != nil && b.stop != nil {
		b.stop()
	}
}

// link enters the scope into the tree, on the loop. What has happened above since init is made up
// for.
func (s *scope) link() {
	if s.gone {
		return
	}
	if u := s.up; u.gone || u.real.Load() != nil {
		s.climb()
	}
	s.up.adopt(s)
	switch h := s.setting.home; {
	case !s.foreign() && s.up.Err() != nil:
		s.cancel(s.up.real.Load())
	case h.closing:
		s.cancel(h.root.real.Load())
	}
}

// climb makes up the nearest scope above that has not ended. One that has ended by itself ends
// nobody, but hands on what bounds it; one that was cancelled cancels the scope.
func (s *scope) climb() {
	for u := s.up; u.gone || u.over(); u = s.up {
		switch b := u.fence.Load(); {
		case s.foreign():
		case !u.over():
			s.cancel(u.real.Load())
		case b != nil && s.bind(b.ctx):
			s.spread()
		}
		s.up = u.up
	}
}

// unlink takes the scope out of the tree. What is below goes on, one step up.
func (s *scope) unlink() {
	if !s.over() {
		s.spread() // it was cancelled outside the loop, and word of that may come too late
	} else if s.lent {
		s.eachReached((*scope).recheck) // some wait with the context that has just ended
	}
	s.recheckOwner()
	s.gone = true
	if s.next != nil {
		s.leaveRing()
	}
	for s.kids != nil {
		k := s.kids
		k.leaveRing()
		k.link()
	}
}

// adopt makes k the youngest of the kids.
func (s *scope) adopt(k *scope) {
	if s.kids == nil {
		s.kids, k.next, k.prev = k, k, k
		return
	}
	last := s.kids.prev
	k.prev, k.next = last, s.kids
	last.next, s.kids.prev = k, k
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

// eachKid calls f for each of the kids, oldest first.
func (s *scope) eachKid(f func(*scope)) {
	if s.kids == nil {
		return
	}
	for k := s.kids; ; k = k.next {
		if f(k); k.next == s.kids {
			return
		}
	}
}

// eachReached calls f for every scope below s that a cancellation of s reaches, in the order of the
// tree. The loop's end reaches those below foreign contexts too.
func (s *scope) eachReached(f func(*scope)) {
	if s.kids == nil {
		return
	}
	for k := s.kids; ; k = k.next {
		if !k.foreign() || s.setting.home.closing {
			f(k)
			k.eachReached(f)
		}
		if k.next == s.kids {
			return
		}
	}
}

// Kind is part of coro.Node, by which package task/inspect sees the tree.
func (s *scope) Kind() string { return kinds[s.kind] }

// Title is part of coro.Node.
func (s *scope) Title() string {
	if s.kind == ofGroup {
		return s.setting.group.String()
	}
	return s.Kind()
}

// EachBelow is part of coro.Node.
func (s *scope) EachBelow(f func(coro.Node)) { s.eachKid(func(k *scope) { f(k) }) }

// Inspected is part of coro.Node.
func (s *scope) Inspected() *coro.Inspected {
	if s.job == nil {
		return nil
	}
	return s.job.Inspected()
}
