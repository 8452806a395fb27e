package coro

import (
	"context"
	"fmt"
	"sync"
)

// Line is those who wait for one thing: a lock, an item, a result, their turn. It is first come,
// first served. Everything in this module that several can wait for has a Line, and no other way
// to wait, so what follows is written once.
//
// A Line belongs to the mutex of what is awaited. All methods are called with that mutex held,
// except for Wait's second half and Exit, which take it themselves. The links are in the Waiters,
// since a waiter waits for one thing at a time. So a Line is one word, nothing is allocated, and
// to leave takes the same few steps from anywhere in it. The zero Line is empty.
//
// # The life of a wait
//
//  1. Whoever comes has seen that their context is not done, locks the mutex, and looks whether
//     there is anything to wait for. If so, Enter puts them at the end of the line, and only then
//     the mutex is unlocked. Nobody can come in between, so nothing has to be looked at again.
//  2. Whoever gives claims a waiter, with the mutex held. That is a compare-and-swap against the
//     waiter's context, which may end at the same moment: one of the two wins. A claimed waiter has
//     left the line and has what it was given, whatever becomes of its context. If the claim fails,
//     the waiter has been cancelled, and the giver goes on to the next.
//  3. The giver unlocks the mutex, and wakes what it has claimed.
//  4. A waiter whose context has won takes itself off the line, under the mutex, before it waits
//     for anything else. Therefore no giver can hit a later wait of the same waiter.
//
// A claim after the unlock would break the last point. To wake under the mutex would be right, and
// slow: whoever is woken may want it next. The context's Err is not called under the mutex, since
// it may be a user's code that locks the same mutex. What a context does between the look at it and
// the wait is not lost: the wait begins with a look of its own (see Waiter.Begin and Coro.Recheck).
type Line struct {
	first *Waiter // of a ring, so first.prev is the last; nil for an empty line
}

// Empty reports whether nobody waits.
func (l *Line) Empty() bool { return l.first == nil }

// First returns the waiter that has waited longest, nil if nobody waits.
func (l *Line) First() *Waiter { return l.first }

// Len counts those who wait, one by one.
func (l *Line) Len() (n int) {
	for w := l.first; w != nil; w = w.next {
		if n++; w.next == l.first {
			break
		}
	}
	return n
}

// Enter puts the caller at the end of the line: the coroutine that calls, whatever ctx says, or
// else its goroutine. mu is the mutex that guards the line. The caller unlocks it, and then waits.
// In a callback of a loop Enter unlocks mu and panics, naming op, since to wait there would stop
// the loop.
func (l *Line) Enter(ctx context.Context, mu sync.Locker, op string) *Waiter {
	c := currentBy(ctx)
	if c == nil {
		callback := false
		if c, callback = caller(); callback {
			mu.Unlock()
			refuse(op)
		}
	}
	return l.EnterAs(c)
}

// EnterAs is Enter for a caller that Who has named, and so it does not panic.
func (l *Line) EnterAs(c *Coro) *Waiter {
	w := waiterOf(c)
	l.push(w)
	return w
}

// Wait is the whole wait of the caller. It is called with mu held, and returns without it: nil when
// the caller was claimed, or the cause if ctx ended first, and then the caller is off the line. on
// is what is waited for, to those who look inside: see Waiter.Begin. Otherwise it is as Enter.
func (l *Line) Wait(ctx context.Context, mu sync.Locker, op string, on fmt.Stringer) error {
	w := l.Enter(ctx, mu, op)
	mu.Unlock()
	w.Begin(ctx, on).Suspend()
	return l.Exit(ctx, mu, w)
}

// Exit ends a wait that Enter and Begin have begun. It returns what Wait does, and w is not the
// caller's any more. mu is not held.
func (l *Line) Exit(ctx context.Context, mu sync.Locker, w *Waiter) error {
	err := w.End(ctx)
	if err != nil {
		mu.Lock()
		l.Leave(w)
		mu.Unlock()
		w.Terms().Parcel = nil // which a giver would have taken
	}
	w.Release()
	return err
}

// Leave takes w off the line and reports whether it was in it: whether no giver has tried to claim
// it. It is for the waiter itself.
func (l *Line) Leave(w *Waiter) bool {
	if w.next == nil {
		return false
	}
	l.remove(w)
	return true
}

// Take takes w, which is in the line, off it, and reports whether it has claimed w. Then the caller
// wakes w after the unlock.
func (l *Line) Take(w *Waiter) bool {
	l.remove(w)
	return w.Claim()
}

// Claim claims the first that can be claimed, and returns it, to be woken after the unlock; nil if
// there is none. Those before it had been cancelled, and are off the line too.
func (l *Line) Claim() *Waiter {
	for l.first != nil {
		if w := l.first; l.Take(w) {
			return w
		}
	}
	return nil
}

// ClaimAll empties the line, and adds whom it could claim to into. It reports whether that is
// everybody.
func (l *Line) ClaimAll(into *Claimed) (all bool) {
	all = true
	first := l.first
	if first == nil {
		return all
	}
	l.first = nil
	for w, next := first, (*Waiter)(nil); next != first; w = next {
		next = w.next
		w.next, w.prev = nil, nil
		if w.Claim() {
			into.Add(w)
		} else {
			all = false
		}
	}
	return all
}

func (l *Line) push(w *Waiter) {
	first := l.first
	if first == nil {
		l.first, w.next, w.prev = w, w, w
		return
	}
	last := first.prev
	w.next, w.prev = first, last
	last.next, first.prev = w, w
}

func (l *Line) remove(w *Waiter) {
	if w.next == w {
		l.first = nil
	} else {
		w.prev.next, w.next.prev = w.next, w.prev
		if l.first == w {
			l.first = w.next
		}
	}
	w.next, w.prev = nil, nil
}

// Claimed is waiters that were claimed, in order, to be woken after the unlock. The links of the
// line serve for that too: a claimed waiter is in no line, and waits for nothing but its Wake.
type Claimed struct{ first, last *Waiter }

// Add adds w at the end. A nil w is nobody.
func (c *Claimed) Add(w *Waiter) {
	switch {
	case w == nil:
		return
	case c.last == nil:
		c.first = w
	default:
		c.last.next = w
	}
	c.last = w
}

// Empty reports whether nobody was claimed.
func (c *Claimed) Empty() bool { return c.first == nil }

// Each calls fn for each of them, before they are woken.
func (c *Claimed) Each(fn func(*Waiter)) {
	for w := c.first; w != nil; w = w.next {
		fn(w)
	}
}

// Wake wakes them, in order. No mutex is held.
func (c *Claimed) Wake() {
	for w := c.first; w != nil; {
		next := w.next
		w.next = nil // before the wake: from then on w is its owner's
		w.Wake()
		w = next
	}
	c.first, c.last = nil, nil
}
