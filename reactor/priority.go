package reactor

import "fmt"

// WithPriorities has what is ready run by urgency instead of in order. There are so many classes, of which 0 is the most urgent; a higher
// one than there is means the last. A task has the class of task.Priority, and what Post is given that of its method Class() int if it
// has one. Everything else, callbacks included, is of class 0.
//
// A turn then runs the 64 most urgent items, and the others wait for a later one. But they age: an item of class c goes before
// everything that becomes ready more than c times ageTurns turns after it, so no class starves. Items of the same class keep
// their order. Timers and readiness events are no items: they come in each turn that looks for them.
//
// Without this option there is one class. It panics if one of the numbers is not positive.
func WithPriorities(classes, ageTurns int) Option {
	if classes <= 0 || ageTurns <= 0 {
		panic(fmt.Sprintf("reactor: WithPriorities(%d, %d): give positive numbers of classes and turns", classes, ageTurns))
	}
	return func(c *config) { c.classes, c.ageTurns = classes, ageTurns }
}

// scheduler decides what the next batch is. A loop without one takes all that is ready, in order.
type scheduler interface {
	// arrange puts the next batch to the front of a queue that is not empty, and sets the batch's end. The queue stays not empty for as
	// long as something is held back.
	arrange(q *readyQueue, turn uint64)
	// held is how many items are held back.
	held() int
}

// newScheduler returns nil for first in, first out.
func newScheduler(cfg *config) scheduler {
	if cfg.classes < 2 {
		return nil
	}
	return &priorities{age: uint64(cfg.ageTurns), queues: make([]agedQueue, cfg.classes)}
}

// arrange begins a batch of a loop that has a scheduler.
func (l *Loop) arrange() {
	if !l.ready.empty() {
		l.scheduler.arrange(&l.ready, l.stats.Turns)
	}
}

// readyCount is how many items are ready.
func (l *Loop) readyCount() int {
	n := int(l.ready.tail - l.ready.head)
	if l.scheduler == nil || l.scheduler.held() == 0 {
		return n
	}
	return n - 1 + l.scheduler.held() // the scheduler itself is in the queue
}

// batchLimit is how many items a turn runs at most when there are priorities: so long may an urgent one wait for the others.
const batchLimit = visitEvery

// priorities is the scheduler of WithPriorities. An item is given the turn when it is due: the present one, and for each class below the
// first age later. What is due first runs first, and of what is due in the same turn, the more urgent. Within a
// class that is the order of coming, so only the first of each is looked at.
//
// While items are held back, it stands itself in the ready queue behind the batch, so that the loop does not take that for empty.
type priorities struct {
	age    uint64
	queues []agedQueue // of each class
	count  int         // of the items in them
}

// Run is never called: arrange takes it out of the queue again.
func (p *priorities) Run() {}

func (p *priorities) held() int { return p.count }

func (p *priorities) arrange(q *readyQueue, turn uint64) {
	for !q.empty() {
		if r := q.pop(); r != Runnable(p) {
			p.hold(r, turn)
		}
	}
	for n := 0; n < batchLimit && p.count > 0; n++ {
		q.push(p.take())
	}
	q.end = q.tail
	if p.count > 0 {
		q.push(p)
	}
}

func (p *priorities) hold(r Runnable, turn uint64) {
	class := 0
	if c, ok := r.(interface{ Class() int }); ok {
		class = min(max(c.Class(), 0), len(p.queues)-1)
	}
	p.queues[class].push(agedItem{r, turn + uint64(class)*p.age})
	p.count++
}

// take takes out the item that is due first.
func (p *priorities) take() Runnable {
	var first *agedQueue
	for i := range p.queues {
		if q := &p.queues[i]; !q.empty() && (first == nil || q.first().due < first.first().due) {
			first = q
		}
	}
	p.count--
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

// pop takes out the first. What is free before it is used again once it is half of the whole.
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
