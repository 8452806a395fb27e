package loop

import "math/bits"

// readyQueue is what is ready to run, in order: a ring whose length is a power of two. Its indices
// only grow, so a batch is a pair of them, and a batch that was broken off is gone on with where
// they stand.
//
// With priorities, a batch is a part of what is ready. The rest is held back, outside the ring.
type readyQueue struct {
	ring []Runnable
	head uint // of the next to run
	end  uint // of the batch: what is queued from here on is for the next one
	tail uint // where the next is queued

	// With priorities.
	rest uint      // how many items are held back
	held *heldBack // those, by their classes; nil without priorities: nothing is ever held back
	kept uint      // up to here the ring has been arranged: left of a batch that was broken off
}

const (
	minRing  = 64
	keepRing = 1 << 14 // a longer ring is given back when it has run empty
)

func (q *readyQueue) empty() bool { return q.head == q.tail && q.rest == 0 }

// len is how many items are ready.
func (q *readyQueue) len() int { return int(q.tail - q.head + q.rest) }

// atOnce is how many of them one turn may run.
func (q *readyQueue) atOnce() int {
	if q.held != nil {
		return min(q.len(), visitEvery)
	}
	return q.len()
}

// begin makes the next batch, of at most room items, when the last one has run. (It is small enough
// to be inlined.)
func (q *readyQueue) begin(turn uint64, room uint) {
	if q.held != nil {
		q.arrange(turn, room)
	}
	q.end = q.head + min(q.tail-q.head, room)
}

// breakOff ends the batch. What is left of it is the beginning of the next one.
func (q *readyQueue) breakOff() { q.end = q.head }

func (q *readyQueue) push(r Runnable) {
	if q.tail-q.head == uint(len(q.ring)) {
		q.grow(1)
	}
	q.ring[q.tail&uint(len(q.ring)-1)] = r
	q.tail++
}

func (q *readyQueue) pushAll(rs []Runnable) {
	if q.tail-q.head+uint(len(rs)) > uint(len(q.ring)) {
		q.grow(uint(len(rs)))
	}
	n := copy(q.ring[q.tail&uint(len(q.ring)-1):], rs)
	copy(q.ring, rs[n:])
	q.tail += uint(len(rs))
}

// pop takes the first out of the ring, which is not empty.
func (q *readyQueue) pop() Runnable {
	at := &q.ring[q.head&uint(len(q.ring)-1)]
	r := *at
	*at = nil
	q.head++
	return r
}

// upcoming returns the next of the batch without taking it out, nil if there is none.
func (q *readyQueue) upcoming() Runnable {
	if q.head == q.end {
		return nil
	}
	return q.first()
}

// first returns the first of a ring that is not empty, without taking it out.
func (q *readyQueue) first() Runnable { return q.ring[q.head&uint(len(q.ring)-1)] }

// advance makes the k-th of the batch the first.
func (q *readyQueue) advance(k uint) {
	mask := uint(len(q.ring) - 1)
	i, j := q.head&mask, (q.head+k)&mask
	q.ring[i], q.ring[j] = q.ring[j], q.ring[i]
}

// grow makes room for n more.
func (q *readyQueue) grow(n uint) {
	used := q.tail - q.head
	ring := make([]Runnable, 1<<bits.Len(max(used+n, minRing)-1))
	if used > 0 {
		first := q.head & uint(len(q.ring)-1)
		k := copy(ring, q.ring[first:min(first+used, uint(len(q.ring)))])
		copy(ring[k:], q.ring[:used-uint(k)])
	}
	q.ring = ring
	q.kept = max(q.kept, q.head) - q.head
	q.head, q.end, q.tail = 0, q.end-q.head, used
}

// shrink gives back what a burst has needed. It is called when the queue is empty.
func (q *readyQueue) shrink() {
	if len(q.ring) > keepRing {
		*q = readyQueue{held: q.held}
	}
}
