package coro

import "github.com/corobridge/corobridge/internal/gid"

const (
	inlineBound = 128 // calls that a loop makes in a row before others have their turn
	keepCalls   = 64  // room for calls that a goroutine keeps
)

// calls are made by one goroutine, one after another.
type calls struct {
	queue   []Runnable
	next    int // of queue
	made    int // since this goroutine began
	running bool
	posted  bool // of a pool's: they are in the ready queue, to be gone on with
}

// Inline calls rs in the calling goroutine, in order. If that is making such calls already, these
// are left for after those, and it returns at once: so what is called may complete what makes more
// calls, in a chain of any length, on the same stack.
//
// On a loop, in a callback or a coroutine, at most 128 calls are made in a row. The rest, and what
// is added meanwhile, is left to the loop, in later turns.
//
// A panic or runtime.Goexit in a call does not keep the others from being made. It goes on after
// that, in who called Inline first.
func Inline(rs ...Runnable) {
	id := gid.Self()
	v, known := registry.Load(id)
	if !known {
		at := &role{}
		registry.Store(id, at)
		defer registry.Delete(id)
		at.calls.run(nil, rs)
		return
	}
	at := v.(*role)
	c := &at.calls
	if p := at.pool; p != nil && !c.running && (at.coro == nil || p.calls.posted) {
		c = &p.calls
	}
	if c.running || c.posted {
		c.add(rs)
	} else {
		c.run(at.pool, rs)
	}
}

func (c *calls) run(p *Pool, rs []Runnable) {
	c.add(rs)
	c.running, c.made = true, 0
	c.drain(p)
}

// drain makes the calls, also when one of them ends in a panic or a Goexit.
func (c *calls) drain(p *Pool) {
	returned := false
	defer func() {
		if !returned {
			c.drain(p)
		}
	}()
	for ; c.next < len(c.queue); c.made++ {
		if p != nil && c.made >= inlineBound {
			c.leaveTo(p)
			break
		}
		c.take().Run()
	}
	c.running = false
	if cap(c.queue) > keepCalls && !c.posted {
		c.queue = nil
	}
	returned = true
}

// leaveTo leaves what is left to a later turn of the loop.
func (c *calls) leaveTo(p *Pool) {
	if c != &p.calls {
		p.calls.add(c.queue[c.next:])
		clear(c.queue[c.next:])
		c.queue, c.next = c.queue[:0], 0
		if p.calls.running { // under this coroutine's first step
			return
		}
	}
	if !p.calls.posted {
		p.calls.posted = true
		p.queue.Push((*leftCalls)(p))
	}
}

// leftCalls is a pool as an entry of the ready queue that goes on with the calls left to it.
type leftCalls Pool

func (l *leftCalls) Run() {
	p := (*Pool)(l)
	p.calls.posted = false
	p.calls.run(p, nil)
}

func (c *calls) add(rs []Runnable) {
	if c.next*2 > len(c.queue) && len(c.queue)+len(rs) > cap(c.queue) {
		n := copy(c.queue, c.queue[c.next:])
		clear(c.queue[n:])
		c.queue, c.next = c.queue[:n], 0
	}
	c.queue = append(c.queue, rs...)
}

func (c *calls) take() Runnable {
	r := c.queue[c.next]
	c.queue[c.next] = nil
	if c.next++; c.next == len(c.queue) {
		c.queue, c.next = c.queue[:0], 0
	}
	return r
}
