package loop

import "time"

// timerHeap is a 4-ary heap ordered by time, and among equal times by the order of making. The keys
// are in the array itself, so that a comparison touches no timer.
type timerHeap struct {
	a   []timerEntry
	seq uint64        // of the timer that was placed last
	due time.Duration // what the timer that fired last was set for
}

// keepTimers is the room for entries that is kept; a larger array is given back in steps as it runs
// empty.
const keepTimers = 1 << 10

type timerEntry struct {
	when time.Duration
	seq  uint64
	t    *timer
}

func (e *timerEntry) before(f *timerEntry) bool {
	return e.when < f.when || e.when == f.when && e.seq < f.seq
}

// first returns when the earliest timer is due.
func (h *timerHeap) first() (when time.Duration, ok bool) {
	if len(h.a) == 0 {
		return 0, false
	}
	return h.a[0].when, true
}

func (h *timerHeap) add(t *timer) {
	h.seq++
	h.a = append(h.a, timerEntry{})
	h.up(len(h.a)-1, timerEntry{t.at(), h.seq, t})
}

func (h *timerHeap) remove(t *timer) {
	i, n := int(t.index), len(h.a)-1
	t.index = -1
	last := h.a[n]
	h.a[n] = timerEntry{}
	h.a = h.a[:n]
	if cap(h.a) > keepTimers && n < cap(h.a)/4 {
		h.a = append(make([]timerEntry, 0, cap(h.a)/2), h.a...)
	}
	if i < n {
		h.fix(i, last)
	}
}

// move puts t where its time, which has changed, belongs, behind those of the same time.
func (h *timerHeap) move(t *timer) {
	h.seq++
	h.fix(int(t.index), timerEntry{t.at(), h.seq, t})
}

// postpone gives the first timer, whose time is later than its place says, the place of that time.
// Its number stays, so it is still among what is due in this turn.
func (h *timerHeap) postpone(when time.Duration) {
	h.down(0, timerEntry{when, h.a[0].seq, h.a[0].t})
}

// drop makes every timer one that was stopped.
func (h *timerHeap) drop() {
	for _, e := range h.a {
		e.t.state.Or(timerOff)
		e.t.index = -1
		e.t.forget()
	}
	h.a = nil
}

// fix places e, which replaces the entry at i.
func (h *timerHeap) fix(i int, e timerEntry) {
	if i > 0 && e.before(&h.a[(i-1)/4]) {
		h.up(i, e)
	} else {
		h.down(i, e)
	}
}

func (h *timerHeap) put(i int, e timerEntry) {
	h.a[i] = e
	e.t.index = int32(i)
}

// up places e at i or above.
func (h *timerHeap) up(i int, e timerEntry) {
	for i > 0 {
		parent := (i - 1) / 4
		if !e.before(&h.a[parent]) {
			break
		}
		h.put(i, h.a[parent])
		i = parent
	}
	h.put(i, e)
}

// down places e at i or below.
func (h *timerHeap) down(i int, e timerEntry) {
	for {
		child := 4*i + 1
		if child >= len(h.a) {
			break
		}
		least := child
		for k := child + 1; k < min(child+4, len(h.a)); k++ {
			if h.a[k].before(&h.a[least]) {
				least = k
			}
		}
		if !h.a[least].before(&e) {
			break
		}
		h.put(i, h.a[least])
		i = least
	}
	h.put(i, e)
}
