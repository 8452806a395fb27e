package task

import (
	"context"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// waitlist is who waits for a lock, a permit, an item: first come, first served. It is guarded by the mutex of what is awaited, and its
// zero value is empty.
//
// Each who waits has a place, which is listed until somebody takes it off. If that is a giver, it claims the waiter, and with that the thing is
// handed over, whatever becomes of the context: nobody can come in between, and nothing has to be passed on. If the waiter's context was
// done before, the claim fails, and the giver goes on to the next. A waiter whose wait has failed leaves by itself.
//
// T is what a place says: how much is wanted, or what was given.
type waitlist[T any] struct {
	first, last *place[T]

	spare  *place[T] // for reuse, linked by next
	spares int
}

type place[T any] struct {
	w          *coro.Waiter
	next, prev *place[T]
	listed     bool
	val        T
}

// maxSpares bounds the places that a list keeps for reuse.
const maxSpares = 16

// add lists w, last.
func (l *waitlist[T]) add(w *coro.Waiter, val T) *place[T] {
	p := l.spare
	if p == nil {
		p = &place[T]{}
	} else {
		l.spare = p.next
		l.spares--
	}
	*p = place[T]{w: w, prev: l.last, listed: true, val: val}
	if l.last == nil {
		l.first = p
	} else {
		l.last.next = p
	}
	l.last = p
	return p
}

// remove takes p off the list.
func (l *waitlist[T]) remove(p *place[T]) {
	if p.prev == nil {
		l.first = p.next
	} else {
		p.prev.next = p.next
	}
	if p.next == nil {
		l.last = p.prev
	} else {
		p.next.prev = p.prev
	}
	p.next, p.prev, p.listed = nil, nil, false
}

// keep keeps p, which is off the list and which nobody looks at any more, for reuse.
func (l *waitlist[T]) keep(p *place[T]) {
	if l.spares < maxSpares {
		*p = place[T]{next: l.spare}
		l.spare = p
		l.spares++
	}
}

// leave ends the use of p, by who waited, and reports whether it was listed: whether nobody has tried to claim it.
func (l *waitlist[T]) leave(p *place[T]) (listed bool) {
	if listed = p.listed; listed {
		l.remove(p)
	}
	l.keep(p)
	return listed
}

// claim takes p off the list and reports whether it claimed the waiter, which is woken after the unlock.
func (l *waitlist[T]) claim(p *place[T]) bool {
	l.remove(p)
	return p.w.Claim()
}

// claimFirst claims the first waiter that can be claimed, and returns its place; nil if there is none. It is for waiters that
// look at their places: they keep them.
func (l *waitlist[T]) claimFirst() *place[T] {
	for l.first != nil {
		if p := l.first; l.claim(p) {
			return p
		}
	}
	return nil
}

// next is claimFirst for waiters that do not look at their places again: it keeps the place, and returns the waiter.
func (l *waitlist[T]) next() *coro.Waiter {
	if p := l.claimFirst(); p != nil {
		w := p.w
		l.keep(p)
		return w
	}
	return nil
}

// all claims every waiter that can be claimed, and adds it to b; as with next, they do not look at their places again.
func (l *waitlist[T]) all(b *batch) {
	for w := l.next(); w != nil; w = l.next() {
		b.add(w)
	}
}

// wait waits, with the mutex unlocked, for the giver that claims w, which has the place p. If ctx ends first, p leaves.
func (l *waitlist[T]) wait(ctx context.Context, mu *sync.Mutex, w *coro.Waiter, p *place[T], on fmt.Stringer) error {
	err := w.Wait(ctx, on)
	if err != nil {
		mu.Lock()
		l.leave(p)
		mu.Unlock()
	}
	w.Release()
	return err
}

// batch is claimed waiters, to be woken after the unlock. One costs no allocation.
type batch struct {
	first *coro.Waiter
	more  []*coro.Waiter
}

func (b *batch) add(w *coro.Waiter) {
	if b.first == nil {
		b.first = w
	} else {
		b.more = append(b.more, w)
	}
}

func (b *batch) wake() {
	if b.first != nil {
		b.first.Wake()
	}
	for _, w := range b.more {
		w.Wake()
	}
}

// begin begins an operation that may wait. It counts with the budget of the calling task, which may so yield before it has taken
// anything, and fails with the cause if ctx is done. The coroutine that it returns is the caller, nil if ctx does not know it.
func begin(ctx context.Context) (*coro.Coro, error) {
	c := coro.Spend(ctx)
	if ctx.Err() != nil {
		return c, coro.Cause(ctx)
	}
	return c, nil
}
