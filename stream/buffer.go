package stream

import "github.com/corobridge/corobridge/reactor"

// The sizes of lent buffers. What is larger is made, and left to the garbage collector.
const (
	tiny  = 512
	small = 4 << 10
	page  = 16 << 10
	large = 64 << 10
)

var sizes = [...]int{tiny, small, page, large}

// maxFree bounds how many free buffers of one size a loop keeps.
const maxFree = 256

// lender lends a loop's connections their buffers. The one that came back last is lent first: it is still warm. It is
// touched on the loop only; elsewhere buffers are made anew.
type lender struct {
	loop *reactor.Loop
	free [len(sizes)][][]byte
	lent int
}

// get returns a buffer of at least n bytes, with length 0.
func (l *lender) get(n int) []byte {
	for i, size := range sizes {
		if n > size {
			continue
		}
		if l.loop.InLoop() {
			l.lent++
			if k := len(l.free[i]); k > 0 {
				b := l.free[i][k-1]
				l.free[i] = l.free[i][:k-1]
				return b
			}
		}
		return make([]byte, 0, size)
	}
	return make([]byte, 0, n)
}

// put takes a buffer back.
func (l *lender) put(b []byte) {
	if cap(b) == 0 || !l.loop.InLoop() {
		return
	}
	for i, size := range sizes {
		if cap(b) == size {
			l.lent--
			if len(l.free[i]) < maxFree {
				l.free[i] = append(l.free[i], b[:0])
			}
			return
		}
	}
}

// buffer is a queue of bytes in lent memory: it holds none while it is empty.
type buffer struct {
	b   []byte // all of it
	off int    // what has been consumed
}

func (q *buffer) len() int      { return len(q.b) - q.off }
func (q *buffer) bytes() []byte { return q.b[q.off:] }

// consume drops the first n bytes.
func (q *buffer) consume(l *lender, n int) {
	if q.off += n; q.off == len(q.b) {
		q.drop(l)
	}
}

// drop drops everything.
func (q *buffer) drop(l *lender) {
	if q.b != nil {
		l.put(q.b)
		q.b, q.off = nil, 0
	}
}

// room makes place for n more bytes and returns it; commit adds what was put there.
func (q *buffer) room(l *lender, n int) []byte {
	if cap(q.b)-len(q.b) < n {
		q.move(l, q.len()+n)
	}
	return q.b[len(q.b):cap(q.b)]
}

func (q *buffer) commit(n int) { q.b = q.b[:len(q.b)+n] }

func (q *buffer) append(l *lender, p []byte) {
	copy(q.room(l, len(p)), p)
	q.commit(len(p))
}

// unread puts p before everything.
func (q *buffer) unread(l *lender, p []byte) {
	old := *q
	q.b, q.off = l.get(len(p)+old.len()), 0
	q.b = append(append(q.b, p...), old.bytes()...)
	old.drop(l)
}

// shrink moves a remainder that is about to be kept into memory of its size.
func (q *buffer) shrink(l *lender) {
	if q.b != nil && q.len() <= cap(q.b)/4 {
		q.move(l, q.len())
	}
}

// move moves the content into a buffer of at least n bytes, within the old one if that is large enough.
func (q *buffer) move(l *lender, n int) {
	if n <= cap(q.b) && n > cap(q.b)/4 && q.off >= q.len() {
		q.b = q.b[:copy(q.b, q.bytes())]
		q.off = 0
		return
	}
	b := append(l.get(n), q.bytes()...)
	l.put(q.b)
	q.b, q.off = b, 0
}
