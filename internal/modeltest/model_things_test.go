package modeltest

import (
	"errors"
	"slices"
)

// Locks, queues and the like, as simple as one goroutine at a time allows. Whoever waits is served
// in order of arrival, and gets what he waited for when he is let go on, not when he goes on.

var (
	errShut   = errors.New("shut")
	errBroken = errors.New("broken")
)

type shared struct {
	locks, rwLocks, semaphores [promises]stock
	condLocks                  [promises]stock
	conds                      [promises][]*wait
	queues                     [promises]store
	events                     [promises]event
	barriers                   [promises]barrier
}

// stock is a number of permits: a semaphore, or a lock.
type stock struct {
	taken int
	waits []*wait
}

type store struct {
	items            []int
	shut             bool
	getters, putters []*wait
}

type event struct {
	set   bool
	waits []*wait
}

type barrier struct {
	broken bool
	waits  []*wait
}

const readers = 1000 // more than there ever are

// stock returns what a step is about, how much of it there is and how much the step wants.
func (m *model) stock(s *step) (of *stock, size, n int) {
	switch s.kind {
	case mutex:
		return &m.locks[s.a], 1, 1
	case read:
		return &m.rwLocks[s.a], readers, 1
	case write:
		return &m.rwLocks[s.a], readers, readers
	}
	return &m.semaphores[s.a], semaphore, permits(s)
}

func (m *model) hold(c *ctx, s *step) error {
	of, size, n := m.stock(s)
	return m.acquire(c, of, size, n)
}

func (m *model) release(s *step) {
	of, size, n := m.stock(s)
	m.giveBack(of, size, n)
}

func (m *model) acquire(c *ctx, of *stock, size, n int) error {
	if c != nil && c.done != nil {
		return c.done.err()
	}
	if len(of.waits) == 0 && of.taken+n <= size {
		of.taken += n
		return nil
	}
	err := m.waitAs(&wait{v: n}, c, &of.waits)
	if err != nil {
		m.giveBack(of, size, 0) // those behind may want less
	}
	return err
}

func (m *model) giveBack(of *stock, size, n int) {
	of.taken -= n
	for len(of.waits) > 0 && of.taken+of.waits[0].v <= size {
		w := of.waits[0]
		of.waits = of.waits[1:]
		if m.settle(w) {
			of.taken += w.v
		}
	}
}

func (m *model) primitive(c *ctx, s *step, v int) (int, error) {
	q, e, b := &m.queues[s.a%promises], &m.events[s.a%promises], &m.barriers[s.a%promises]
	switch s.kind {
	case put:
		return 0, m.put(c, q, room(s.a), v)
	case get:
		return m.get(c, q)
	case shut:
		m.shut(q)
	case shutNow:
		m.shut(q)
		n := len(q.items)
		q.items = nil
		return n, nil
	case set:
		e.set = true
		m.settleAll(&e.waits)
	case unset:
		e.set = false
	case waitSet:
		if c.done != nil {
			return 0, c.done.err()
		}
		if !e.set {
			return 0, m.wait(c, &e.waits)
		}
	case meet:
		return m.meet(c, b)
	case breakUp:
		m.dismiss(b, false)
	case restore:
		m.dismiss(b, false)
		b.broken = false
	case waitCond, signal, broadcast:
		return 0, m.withCond(c, s)
	}
	return 0, nil
}

func (m *model) put(c *ctx, q *store, room, v int) error {
	switch {
	case c.done != nil:
		return c.done.err()
	case q.shut:
		return errShut
	}
	for len(q.getters) > 0 {
		w := q.getters[0]
		q.getters = q.getters[1:]
		if m.settle(w) {
			w.v = v
			return nil
		}
	}
	if room == 0 || len(q.items) < room {
		q.items = append(q.items, v)
		return nil
	}
	w := &wait{v: v}
	if err := m.waitAs(w, c, &q.putters); err != nil {
		return err
	}
	return w.err
}

func (m *model) get(c *ctx, q *store) (int, error) {
	switch {
	case c.done != nil:
		return 0, c.done.err()
	case len(q.items) == 0 && q.shut:
		return 0, errShut
	case len(q.items) == 0:
		w := &wait{}
		if err := m.waitAs(w, c, &q.getters); err != nil {
			return 0, err
		}
		return w.v, w.err
	}
	v := q.items[0]
	q.items = slices.Clone(q.items[1:])
	for len(q.putters) > 0 {
		w := q.putters[0]
		q.putters = q.putters[1:]
		if m.settle(w) {
			q.items = append(q.items, w.v)
			break
		}
	}
	return v, nil
}

func (m *model) shut(q *store) {
	q.shut = true
	for _, list := range []*[]*wait{&q.putters, &q.getters} {
		for _, w := range *list {
			if m.settle(w) {
				w.v, w.err = 0, errShut
			}
		}
		*list = nil
	}
}

func (m *model) meet(c *ctx, b *barrier) (int, error) {
	switch {
	case c.done != nil:
		return 0, c.done.err()
	case b.broken:
		return 0, errBroken
	case len(b.waits) == 1: // for two
		if m.dismiss(b, true); b.broken {
			return 0, errBroken
		}
		return 1, nil
	}
	w := &wait{}
	if err := m.waitAs(w, c, &b.waits); err != nil {
		if w.v == 0 {
			m.dismiss(b, false)
		}
		return 0, err
	}
	return 0, w.err
}

// dismiss lets go on who waits at a barrier. They have met only if nobody has been cancelled.
func (m *model) dismiss(b *barrier, met bool) {
	for _, w := range b.waits {
		met = m.settle(w) && met
	}
	for _, w := range b.waits {
		w.v = 1
		if !met {
			w.err = errBroken
		}
	}
	b.waits, b.broken = nil, !met
}

func (m *model) withCond(c *ctx, s *step) error {
	l, waits := &m.condLocks[s.a], &m.conds[s.a]
	if err := m.acquire(c, l, 1, 1); err != nil {
		return err
	}
	defer m.giveBack(l, 1, 1)
	switch s.kind {
	case signal:
		m.settleFirst(waits)
	case broadcast:
		m.settleAll(waits)
	case waitCond:
		if c.done != nil {
			return c.done.err()
		}
		m.giveBack(l, 1, 1)
		err := m.wait(c, waits)
		m.acquire(nil, l, 1, 1)
		return err
	}
	return nil
}
