package coro

import (
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Losses are the errors of futures that have failed on a loop and that nobody has asked for yet. A loop keeps them in debug mode only.
type Losses struct {
	pool   *Pool
	report func(err error)

	mu   sync.Mutex
	open map[uint64]*Loss
	last uint64
}

// Loss is one of them.
type Loss struct {
	losses *Losses
	key    uint64
	err    error
	over   atomic.Bool // it was retrieved, or reported
}

// KeepLosses makes the pool keep the losses, for report, which is called on the loop. It is called before the pool is used.
func (p *Pool) KeepLosses(report func(err error)) *Losses {
	p.lost = &Losses{pool: p, report: report, open: map[uint64]*Loss{}}
	return p.lost
}

// Close reports those that are left, in the order in which they came. It is called on the loop.
func (l *Losses) Close() error {
	l.mu.Lock()
	left := l.open
	l.open = map[uint64]*Loss{}
	l.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(left)) {
		left[key].tell()
	}
	return nil
}

// KeepsLosses reports whether p, which may be nil, is in debug mode.
func (p *Pool) KeepsLosses() bool { return p != nil && p.lost != nil }

// Lose notes that holder, a future, has err, which nobody has asked for. Unless Retrieved is called, err is reported when holder has been collected, or when the loop
// is closed.
func Lose[T any](p *Pool, holder *T, err error) *Loss {
	l := p.lost
	loss := &Loss{losses: l, err: err}
	l.mu.Lock()
	l.last++
	loss.key = l.last
	l.open[loss.key] = loss
	l.mu.Unlock()
	runtime.AddCleanup(holder, func(loss *Loss) { l.pool.post((*collected)(loss)) }, loss)
	return loss
}

// Retrieved says that somebody was given the error.
func (l *Loss) Retrieved() {
	if l.over.CompareAndSwap(false, true) {
		l.losses.remove(l)
	}
}

func (l *Losses) remove(loss *Loss) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, loss.key)
}

func (l *Loss) tell() {
	if l.over.CompareAndSwap(false, true) {
		l.losses.report(l.err)
	}
}

// collected is a loss whose future has been collected, as an entry of the ready queue.
type collected Loss

func (c *collected) Run() {
	l := (*Loss)(c)
	l.losses.remove(l)
	l.tell()
}
