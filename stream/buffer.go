package stream

import "sync/atomic"

// The sizes of lent memory. What is larger is made, with half as much again to grow into, and left
// to the garbage collector.
const (
	tiny  = 512
	small = 4 << 10
	page  = 16 << 10
	large = 64 << 10
)

var sizes = [...]int{tiny, small, page, large}

// A loop keeps at most maxFree free pieces of one size, and maxFreeBytes in them.
const (
	maxFree      = 256
	maxFreeBytes = 4 << 20
)

// memory is a piece of lent memory, with the bytes that a buffer has in it.
type memory struct {
	b    []byte // all that was put there
	off  int    // how much of that has been consumed
	lent bool   // by a loop, which takes it back; what comes from elsewhere would add up there
}

// lender lends a loop's connections the memory of their buffers. The piece that came back last is
// lent first: it is still warm. It is touched on the loop only. The lender for elsewhere, which
// other goroutines use, makes memory anew, and leaves it to the garbage collector.
type lender struct {
	free [len(sizes)][]*memory
	lent int           // pieces that buffers have
	away *atomic.Int64 // the same, in the lender for elsewhere; nil in the loop's
}

func (l *lender) count(n int) {
	if l.away != nil {
		l.away.Add(int64(n))
	} else {
		l.lent += n
	}
}

// class returns the index of the smallest size that holds n bytes, len(sizes) if none does.
func class(n int) int {
	i := 0
	for i < len(sizes) && n > sizes[i] {
		i++
	}
	return i
}

// get returns empty memory for at least n bytes.
func (l *lender) get(n int) *memory {
	l.count(1)
	i := class(n)
	if i == len(sizes) || len(l.free[i]) == 0 {
		return newMemory(n, i, l.away == nil)
	}
	last := len(l.free[i]) - 1
	m := l.free[i][last]
	l.free[i] = l.free[i][:last]
	return m
}

func newMemory(n, class int, lent bool) *memory {
	if class < len(sizes) {
		n = sizes[class]
	} else {
		n += n / 2
	}
	return &memory{b: make([]byte, 0, n), lent: lent}
}

// put takes memory back.
func (l *lender) put(m *memory) {
	l.count(-1)
	if l.away != nil || !m.lent {
		return
	}
	i := class(cap(m.b))
	if i == len(sizes) || cap(m.b) != sizes[i] || len(l.free[i]) >= min(maxFree, maxFreeBytes/sizes[i]) {
		return
	}
	m.b, m.off = m.b[:0], 0
	l.free[i] = append(l.free[i], m)
}

// buffer is a queue of bytes in lent memory: it holds none while it is empty.
type buffer struct{ m *memory }

func (q *buffer) len() int { return len(q.bytes()) }

func (q *buffer) bytes() []byte {
	if q.m == nil {
		return nil
	}
	return q.m.b[q.m.off:]
}

// consume drops the first n bytes.
func (q *buffer) consume(l *lender, n int) {
	if n == 0 {
		return
	}
	if q.m.off += n; q.m.off == len(q.m.b) {
		q.drop(l)
	}
}

// drop drops everything.
func (q *buffer) drop(l *lender) {
	if q.m != nil {
		l.put(q.m)
		q.m = nil
	}
}

// free returns how many bytes can be put behind the others.
func (q *buffer) free() int {
	if q.m == nil {
		return 0
	}
	return cap(q.m.b) - len(q.m.b)
}

// forget leaves the memory to whoever it was lent to, and to the garbage collector.
func (q *buffer) forget(l *lender) {
	if q.m != nil {
		l.count(-1)
		q.m = nil
	}
}

// room makes place for at least n more bytes and returns it; commit adds what was put there.
func (q *buffer) room(l *lender, n int) []byte {
	if q.m == nil {
		q.m = l.get(n)
	} else if q.free() < n {
		q.move(l, q.len()+n)
	}
	return q.m.b[len(q.m.b):cap(q.m.b)]
}

func (q *buffer) commit(n int) { q.m.b = q.m.b[:len(q.m.b)+n] }

func (q *buffer) append(l *lender, p []byte) {
	copy(q.room(l, len(p)), p)
	q.commit(len(p))
}

// unread puts p, which may lie in the buffer's own memory, before everything.
func (q *buffer) unread(l *lender, p []byte) {
	old := *q
	q.m = l.get(len(p) + old.len())
	q.m.b = append(append(q.m.b, p...), old.bytes()...)
	old.drop(l)
}

// shrink moves a remainder that is about to be kept into memory of its size.
func (q *buffer) shrink(l *lender) {
	if q.m != nil && cap(q.m.b) > tiny && q.len() <= cap(q.m.b)/4 {
		q.move(l, q.len())
	}
}

// move moves the content into memory for at least n bytes. It stays within the present memory if
// that has the size, and enough room in front that no byte is moved often.
func (q *buffer) move(l *lender, n int) {
	old := q.m
	if n <= cap(old.b) && n > cap(old.b)/4 && old.off >= q.len() {
		old.b = old.b[:copy(old.b, q.bytes())]
		old.off = 0
		return
	}
	m := l.get(n)
	m.b = append(m.b, q.bytes()...)
	q.m = m
	l.put(old)
}

// disown leaves the memory to those whom it was lent to by Peek, who may be using it still, and
// keeps a copy of what is in it.
func (q *buffer) disown() {
	if q.m != nil {
		q.m = &memory{b: append([]byte(nil), q.bytes()...)}
	}
}
