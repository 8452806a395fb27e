package queue

// items is what a Queue holds, in the order in which it is given out. The zero value is empty, and
// first in, first out.
type items[T any] struct {
	lifo bool
	less func(a, b T) bool // nil unless NewPriority made the Queue

	ring []T // of a power of two; those from head on, n of them, are in use
	head int
	n    int

	heap []ranked[T] // if less is not nil
	seq  uint64
}

// ranked is an item of a heap. Those that are equal keep the order in which they came.
type ranked[T any] struct {
	v   T
	seq uint64
}

// keptRoom is the length of a ring, or a heap, that an empty Queue still keeps. A longer one was
// for a burst.
const keptRoom = 1024

func (s *items[T]) len() int { return s.n + len(s.heap) }

func (s *items[T]) push(v T) {
	if s.less != nil {
		s.seq++
		s.heap = append(s.heap, ranked[T]{v, s.seq})
		s.up(len(s.heap) - 1)
		return
	}
	if s.n == len(s.ring) {
		s.grow()
	}
	s.ring[(s.head+s.n)&(len(s.ring)-1)] = v
	s.n++
}

// pop takes the next item out. There must be one.
func (s *items[T]) pop() T {
	if s.less != nil {
		return s.popHeap()
	}
	at := s.head
	if s.lifo {
		at = (s.head + s.n - 1) & (len(s.ring) - 1)
	} else {
		s.head = (s.head + 1) & (len(s.ring) - 1)
	}
	var none T
	v := s.ring[at]
	s.ring[at] = none
	if s.n--; s.n == 0 && len(s.ring) > keptRoom {
		s.ring, s.head = nil, 0
	}
	return v
}

func (s *items[T]) grow() {
	ring := make([]T, max(8, 2*len(s.ring)))
	n := copy(ring, s.ring[s.head:])
	copy(ring[n:], s.ring[:s.head])
	s.ring, s.head = ring, 0
}

func (s *items[T]) popHeap() T {
	v, last := s.heap[0].v, len(s.heap)-1
	s.heap[0] = s.heap[last]
	s.heap[last] = ranked[T]{}
	if s.heap = s.heap[:last]; last == 0 && cap(s.heap) > keptRoom {
		s.heap = nil
	}
	s.down()
	return v
}

func (s *items[T]) before(a, b int) bool {
	x, y := &s.heap[a], &s.heap[b]
	switch {
	case s.less(x.v, y.v):
		return true
	case s.less(y.v, x.v):
		return false
	}
	return x.seq < y.seq
}

func (s *items[T]) up(i int) {
	for i > 0 && s.before(i, (i-1)/2) {
		s.heap[i], s.heap[(i-1)/2] = s.heap[(i-1)/2], s.heap[i]
		i = (i - 1) / 2
	}
}

func (s *items[T]) down() {
	for i, k := 0, 1; k < len(s.heap); i, k = k, 2*k+1 {
		if k+1 < len(s.heap) && s.before(k+1, k) {
			k++
		}
		if !s.before(k, i) {
			return
		}
		s.heap[i], s.heap[k] = s.heap[k], s.heap[i]
	}
}
