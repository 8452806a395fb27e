package coro

import (
	"cmp"
	"maps"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Ledger is what a loop knows of errors that nobody has been given yet: those of its tasks, and in
// debug mode those of other futures that failed on it.
//
// An entry ends in one of three ways. The first is silent, and the others report it:
//
//	settled    somebody is given the error: the entry is struck out, and nothing is reported
//	collected  the future is garbage, so nobody can ask any more: reported by a later turn
//	closed     the loop ends: what is left is reported, in the order in which it failed
//
// The garbage collector can only move a report forward, from the end of the loop to an earlier
// turn. It never adds one and never drops one, and it does not change the order of those that are
// left for the end, since an entry does not need its future to be reported.
type Ledger struct {
	report func(*Loss) // on the loop

	mu   sync.Mutex
	open map[uint64]*Loss // by the order in which they failed
	last uint64
}

// Loss is one entry.
type Loss struct {
	Op   string // what has failed: "task" or "future"
	Name string // of a task, if it has one
	Site string // where a task was started, in debug mode
	Err  error

	pool *Pool
	key  uint64
	over atomic.Bool // settled or reported; never reset
}

// ReportTo has the errors of tasks that are lost reported by report, which is called on the loop;
// and with futures those of futures too. It is called before the pool is used.
func (p *Pool) ReportTo(report func(*Loss), futures bool) {
	p.ledger = Ledger{report: report}
	p.futures = futures
}

// TracksFutures reports whether p, which may be nil, is in debug mode.
func (p *Pool) TracksFutures() bool { return p != nil && p.futures }

// NewLoss returns an entry of the pool's ledger, for Enter.
func (p *Pool) NewLoss(op, name, site string, err error) *Loss {
	return &Loss{Op: op, Name: name, Site: site, Err: err, pool: p}
}

// Enter opens l in its ledger. holder is the future that has the error.
func Enter[T any](holder *T, l *Loss) {
	b := &l.pool.ledger
	b.mu.Lock()
	if b.open == nil {
		b.open = map[uint64]*Loss{}
	}
	b.last++
	l.key = b.last
	b.open[l.key] = l
	b.mu.Unlock()
	runtime.AddCleanup(holder, func(l *Loss) { l.pool.queue.Post((*collected)(l)) }, l)
}

// Settle says that somebody is given the error.
func (l *Loss) Settle() {
	if l.over.CompareAndSwap(false, true) {
		l.pool.ledger.strike(l)
	}
}

// ReportLosses reports what is left in the ledger. It is called on the loop, at its end. If report
// calls runtime.Goexit, another call goes on with the rest.
func (p *Pool) ReportLosses() {
	b := &p.ledger
	b.mu.Lock()
	left := slices.SortedFunc(maps.Values(b.open), func(l, m *Loss) int { return cmp.Compare(l.key, m.key) })
	b.mu.Unlock()
	for _, l := range left {
		b.strike(l)
		l.tell()
	}
}

// strike takes an entry out. A map does not shrink, so an empty one is dropped.
func (b *Ledger) strike(l *Loss) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if delete(b.open, l.key); len(b.open) == 0 {
		b.open = nil
	}
}

func (l *Loss) tell() {
	if l.over.CompareAndSwap(false, true) {
		l.pool.ledger.report(l)
	}
}

// collected is an entry whose future has been collected, as an entry of the ready queue.
type collected Loss

func (c *collected) Run() {
	l := (*Loss)(c)
	l.pool.ledger.strike(l)
	l.tell()
}
