package loop

import "math"

// heldBack is what is ready with priorities, and not in the present batch. An item is given the
// turn when it is due: the present one, and for each class below the first, age later. What is due
// first runs first, and of what is due in the same turn, the more urgent. Within a class that is
// the order of coming, so only the first of each class is looked at.
type heldBack struct {
	age     uint64
	classes []agedQueue
}

// newHeldBack returns nil for first in, first out.
func newHeldBack(classes, ageTurns int) *heldBack {
	if classes < 2 {
		return nil
	}
	// The turn when an item is due must not overflow: nobody waits for as many turns as this.
	longest := uint64(math.MaxInt64) / uint64(classes)
	return &heldBack{age: min(uint64(ageTurns), longest), classes: make([]agedQueue, classes)}
}

// arrange holds back what is in the ring, and then puts the most urgent of all that is held back
// into the ring, up to room items. What it has put there before, and was not run, stays first.
func (q *readyQueue) arrange(turn uint64, room uint) {
	n := max(q.kept, q.head) - q.head
	fresh := q.tail - q.head - n
	for range n {
		q.push(q.pop())
	}
	for range fresh {
		q.held.add(q.pop(), turn)
	}
	q.rest += fresh
	for ; n < room && q.rest > 0; n++ {
		q.push(q.held.take())
		q.rest--
	}
	q.kept = q.tail
}

func (h *heldBack) add(r Runnable, turn uint64) {
	class := 0
	if c, ok := r.(interface{ Class() int }); ok {
		class = min(max(c.Class(), 0), len(h.classes)-1)
	}
	h.classes[class].push(agedItem{r, turn + uint64(class)*h.age})
}

// take takes out the item that is due first. There is one.
func (h *heldBack) take() Runnable {
	var first *agedQueue
	for i := range h.classes {
		if q := &h.classes[i]; !q.empty() && (first == nil || q.first().due < first.first().due) {
			first = q
		}
	}
	return first.pop()
}

type agedItem struct {
	run Runnable
	due uint64
}

// agedQueue holds the items of one class, in order.
type agedQueue struct {
	items []agedItem
	head  int
}

func (q *agedQueue) empty() bool      { return q.head == len(q.items) }
func (q *agedQueue) first() *agedItem { return &q.items[q.head] }
func (q *agedQueue) push(i agedItem)  { q.items = append(q.items, i) }

// pop takes out the first. The room before it is used again once it is half of the whole.
func (q *agedQueue) pop() Runnable {
	r := q.items[q.head].run
	q.items[q.head] = agedItem{}
	q.head++
	switch {
	case q.head == len(q.items) && cap(q.items) > keepRing:
		*q = agedQueue{}
	case q.head > len(q.items)/2:
		n := copy(q.items, q.items[q.head:])
		clear(q.items[n:])
		q.items, q.head = q.items[:n], 0
	}
	return r
}
