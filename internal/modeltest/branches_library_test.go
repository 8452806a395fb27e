package modeltest

import (
	"context"
	"sync"
	"time"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/queue"
)

// limb is a context of the library, for a branch of the model.
type limb struct {
	ctx    context.Context // nil for a task that has not begun
	cancel func(error)     // nil if it takes no cause
	free   func()          // to be called in the end; cancels without a cause
	expire func()          // nil if it has no time
	hand   *hand           // of a task
	task   *task.Task[string]
	group  *task.Group
}

// hand is what a task does: as it is told, and meanwhile it waits, with any context.
type hand struct {
	inbox queue.Queue[order]
	begun chan context.Context
	ended chan struct{}

	mu   sync.Mutex
	woke map[int]error // what its waits have ended with
}

// order is what a hand is told: to do something, which may be the last; or to wait with another
// context.
type order struct {
	do   func() (last bool)
	with context.Context
	wait int
}

func newHand() *hand {
	return &hand{begun: make(chan context.Context, 1), ended: make(chan struct{}), woke: map[int]error{}}
}

// run returns how the context has ended by then, empty if it is open.
func (h *hand) run(ctx context.Context) (string, error) {
	defer close(h.ended)
	h.begun <- ctx
	with, wait := ctx, 0
	for {
		o, err := h.inbox.Get(with)
		switch {
		case err != nil:
			h.mu.Lock()
			h.woke[wait] = err
			h.mu.Unlock()
			with = context.WithoutCancel(ctx)
		case o.do == nil:
			with, wait = o.with, o.wait
		case o.do():
			return stateOf(ctx), nil
		}
	}
}

func (h *hand) tell(o order) {
	if err := h.inbox.TryPut(o); err != nil {
		panic(err)
	}
}

func (h *hand) leave() { h.tell(order{do: func() bool { return true }}) }

func (h *hand) wokenBy(wait int) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.woke[wait]
}

// make makes what l is, of a context.
func (l *limb) make(b *branch, of *limb, loops []*reactor.Loop) {
	ctx, variant := of.ctx, b.how%3
	switch b.sort {
	case taskScope:
		l.task = task.Go(ctx, l.hand.run)
		l.cancel = func(cause error) { l.task.Cancel(cause) }
	case memberOf:
		of.group.Go(func() error { _, err := l.hand.run(ctx); return err })
	case groupScope:
		l.group, l.ctx = task.NewGroup(ctx)
		l.cancel = l.group.Cancel
	case timeoutScope:
		if variant == 0 {
			l.ctx, l.free = task.WithDeadline(ctx, time.Now().Add(time.Hour))
		} else {
			l.ctx, l.free = task.WithTimeout(ctx, time.Hour)
		}
		l.expire = func() { task.Reschedule(l.ctx, time.Now().Add(-time.Hour)) }
	case valueOnly:
		if l.ctx = context.WithValue(ctx, numberKey{}, b.n); variant == 0 {
			l.ctx = wrapped{ctx, nil}
		}
	case toLoop:
		l.ctx = reactor.WithLoop(ctx, loops[b.loop])
	case cancelable:
		switch variant {
		case 0:
			l.ctx, l.cancel = context.WithCancelCause(ctx)
			l.free = func() { l.cancel(nil) }
		case 1:
			l.ctx, l.free = context.WithCancel(ctx)
		default:
			l.ctx, l.free = context.WithTimeout(ctx, time.Hour)
		}
	case foreignDone:
		c := &ownContext{Context: context.WithoutCancel(ctx), done: make(chan struct{})}
		if l.ctx, l.free = c, func() { c.end(context.Canceled) }; variant == 1 {
			l.free = func() { c.end(context.DeadlineExceeded) }
		}
	case withoutEnd:
		l.ctx = context.WithoutCancel(ctx)
	}
}

// cut ends the context for that reason.
func (l *limb) cut(why string) {
	switch {
	case why == inTime && l.expire != nil:
		l.expire()
	case why == inTime || why == noCause:
		l.free()
	default:
		l.cancel(causeOf(why))
	}
}

type numberKey struct{}

// wrapped is a context of a user's own, which can't be compared.
type wrapped struct {
	context.Context
	_ []int
}

// ownContext is a context of a user's own, with a Done of its own.
type ownContext struct {
	context.Context
	done chan struct{}

	mu  sync.Mutex
	err error
}

func (c *ownContext) Done() <-chan struct{} { return c.done }

func (c *ownContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *ownContext) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
}

// holder keeps a loop in the middle of a turn.
type holder struct {
	entered chan struct{}
	do      chan func()
	did     chan struct{}
	over    chan bool // whether a task that holds it returns
}

func newHolder() *holder {
	return &holder{entered: make(chan struct{}), do: make(chan func()), did: make(chan struct{}), over: make(chan bool)}
}

func (h *holder) hold() (last bool) {
	close(h.entered)
	for {
		select {
		case do := <-h.do:
			do()
			h.did <- struct{}{}
		case last := <-h.over:
			return last
		}
	}
}
