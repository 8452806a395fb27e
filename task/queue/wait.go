package queue

import (
	"context"

	"github.com/corobridge/corobridge/internal/coro"
)

// parcel is the item that somebody waits with, or is given; or why there is none. It is the Parcel
// of a waiter in line: whoever claims that waiter takes it off.
type parcel[T any] struct {
	v    T
	err  error
	next *parcel[T] // of those kept for reuse
}

// parcels are kept for reuse, so that a wait allocates nothing.
type parcels[T any] struct {
	first *parcel[T]
	n     int
}

// maxParcels bounds how many a queue keeps.
const maxParcels = 16

func (s *parcels[T]) take(v T) *parcel[T] {
	p := s.first
	if p == nil {
		return &parcel[T]{v: v}
	}
	s.first, p.next, p.v = p.next, nil, v
	s.n--
	return p
}

func (s *parcels[T]) keep(p *parcel[T]) {
	if s.n < maxParcels {
		*p = parcel[T]{next: s.first}
		s.first = p
		s.n++
	}
}

// wait waits in a line, with v in a parcel, and returns what is in that at the end. It is called
// with q.mu held, and returns without it.
func (q *Queue[T]) wait(ctx context.Context, l *coro.Line, op string, v T) (T, error) {
	w := l.Enter(ctx, &q.mu, op)
	p := q.parcels.take(v)
	w.Terms().Parcel = p
	q.mu.Unlock()
	w.Begin(ctx, q).Suspend()
	err := l.Exit(ctx, &q.mu, w)
	q.mu.Lock()
	given := *p
	q.parcels.keep(p)
	q.mu.Unlock()
	if err != nil {
		var none T
		return none, err
	}
	return given.v, given.err
}

// claim claims the first in line, to be woken after the unlock, and takes its parcel. Both are nil
// if there is nobody.
func claim[T any](l *coro.Line) (*coro.Waiter, *parcel[T]) {
	w := l.Claim()
	if w == nil {
		return nil, nil
	}
	terms := w.Terms()
	p := terms.Parcel.(*parcel[T])
	terms.Parcel = nil
	return w, p
}

// wake wakes a waiter that was claimed, if there is one.
func wake(w *coro.Waiter) {
	if w != nil {
		w.Wake()
	}
}
