package lock

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// ErrBroken is the error of Wait on a Barrier at which not all can meet any more.
var ErrBroken = errors.New("lock: barrier is broken")

// Barrier is where a number of callers meet: each waits until all are there, then all go on. It can
// be used again at once. NewBarrier makes one.
type Barrier struct {
	mu      sync.Mutex
	size    int
	arrived int // how many wait
	broken  bool
	line    coro.Line // the Count of a claimed waiter is haveMet if all were there
}

const haveMet = 1

// NewBarrier returns a Barrier for n callers. It panics if n is less than one.
func NewBarrier(n int) *Barrier {
	if n < 1 {
		panic(fmt.Sprintf("lock: a Barrier for %d; give it one or more", n))
	}
	return &Barrier{size: n}
}

// Wait waits until as many as the barrier is for have called it. It returns which of them the
// caller is: 0 for the first to come.
//
// If ctx ends before all are there, Wait returns the cause, and that breaks the barrier, since the
// others would wait for ever: they have ErrBroken, and so has each later Wait, until Reset. If all
// have met before, it returns no error. If ctx is done already, Wait returns the cause, and the
// barrier is as it was; a caller that then does not come again should call Abort. In a callback of
// a loop Wait panics if it would have to wait.
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	if b.size == 0 {
		panic("lock: the zero Barrier is for nobody; make it with NewBarrier")
	}
	if _, err := coro.Begin(ctx); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if b.broken {
		b.mu.Unlock()
		return 0, ErrBroken
	}
	if b.arrived == b.size-1 {
		return b.last()
	}
	w := b.line.Enter(ctx, &b.mu, "lock: Barrier.Wait")
	w.Terms().Count = 0
	index := b.arrived
	b.arrived++
	b.mu.Unlock()
	err := w.Wait(ctx, b)
	met := w.Terms().Count == haveMet
	if err != nil {
		b.leave(w)
	}
	w.Release()
	if err == nil && !met {
		err = ErrBroken
	}
	if err != nil {
		return 0, err
	}
	return index, nil
}

// last is Wait for the last to come. It is called with b.mu held, and returns without it.
func (b *Barrier) last() (int, error) {
	claimed := b.dismiss(true)
	broken := b.broken
	b.mu.Unlock()
	claimed.Wake()
	if broken {
		return 0, ErrBroken
	}
	return b.size - 1, nil
}

// leave takes w, whose context has ended, off the line. That breaks the barrier, unless it has been
// dismissed meanwhile: then w is off the line already.
func (b *Barrier) leave(w *coro.Waiter) {
	var claimed coro.Claimed
	b.mu.Lock()
	if b.line.Leave(w) {
		claimed = b.dismiss(false)
	}
	b.mu.Unlock()
	claimed.Wake()
}

// dismiss lets go on all that wait, and returns those to be woken. If met is true, and the context
// of none of them has ended before, they have met; otherwise the barrier is broken. It is called
// with b.mu held.
func (b *Barrier) dismiss(met bool) (claimed coro.Claimed) {
	all := b.line.ClaimAll(&claimed)
	if met = met && all; met {
		claimed.Each(func(w *coro.Waiter) { w.Terms().Count = haveMet })
	}
	b.arrived, b.broken = 0, !met
	return claimed
}

// Abort breaks the barrier: those who wait, and all who come until Reset, have ErrBroken. It may be
// called from anywhere.
func (b *Barrier) Abort() { b.end(true) }

// Reset makes the barrier as it was when new: those who wait have ErrBroken. It may be called from
// anywhere.
func (b *Barrier) Reset() { b.end(false) }

func (b *Barrier) end(broken bool) {
	b.mu.Lock()
	claimed := b.dismiss(false)
	b.broken = broken
	b.mu.Unlock()
	claimed.Wake()
}

// String tells how many are there.
func (b *Barrier) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return "barrier, broken"
	}
	return fmt.Sprintf("barrier with %d of %d waiting", b.arrived, b.size)
}
