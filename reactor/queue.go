package reactor

import "math/bits"

// readyQueue is what is ready to run, in order: a ring whose length is a power of two. Its indices only grow, so a
// batch is a pair of them, and a batch that was broken off is gone on with where they stand.
type readyQueue struct {
	ring []Runnable
	head uint // of the next to run
	end  uint // of the batch: what is queued from here on is for the next one
	tail uint // where the next is queued
}

const (
	minRing  = 64
	keepRing = 1 << 14 // a longer ring is given back when it has run empty
)

func (q *readyQueue) empty() bool { return q.head == q.tail }

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

// pop takes the first out of the queue, which is not empty.
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

// first returns the first of a queue that is not empty, without taking it out.
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
	q.head, q.end, q.tail = 0, q.end-q.head, used
}

// shrink gives back what a burst has needed. It is called when the queue is empty.
func (q *readyQueue) shrink() {
	if len(q.ring) > keepRing {
		*q = readyQueue{}
	}
}

// onceList holds entries that run once each, in order. What they add runs the next time.
type onceList struct {
	items []Runnable
	at    int // how far it has run
}

func (q *onceList) add(r Runnable) { q.items = append(q.items, r) }

func (q *onceList) empty() bool { return len(q.items) == 0 }

// run runs what is in the list now. It goes on where a runtime.Goexit broke it off.
func (q *onceList) run(l *Loop, op string) {
	for end := len(q.items); q.at < end; {
		q.runUntilPanic(l, op, end)
	}
	rest := copy(q.items, q.items[q.at:])
	clear(q.items[rest:])
	q.items, q.at = q.items[:rest], 0
}

func (q *onceList) runUntilPanic(l *Loop, op string, end int) {
	defer l.caught(op)
	for q.at < end {
		r := q.items[q.at]
		q.at++
		if l.watchdog != nil {
			r = l.watchdog.watch(op, r)
		}
		r.Run()
	}
}
