package task

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// ErrBroken is the error of Wait on a Barrier at which not all can meet any more.
var ErrBroken = errors.New("task: barrier is broken")

// Barrier is where a number of tasks, of several loops, and goroutines meet: each waits until all are there, then all go on. It can be used again
// at once. NewBarrier makes one. It must not be copied.
type Barrier struct {
	mu      sync.Mutex
	size    int
	arrived int
	broken  bool
	waiters waitlist[bool] // whether they have met
}

// NewBarrier returns a Barrier for n. It panics if n is less than one.
func NewBarrier(n int) *Barrier {
	if n < 1 {
		panic(fmt.Sprintf("task: a Barrier for %d; give it one or more", n))
	}
	return &Barrier{size: n}
}

// Wait waits until as many as the barrier is for have called it, and returns which of them the caller is: 0 for the first to come.
//
// If ctx ends before all are there, Wait returns the cause, and that breaks the barrier, since the others would wait for ever: they have
// ErrBroken, and so has each later Wait, until Reset. If all have met before, it returns no error. If ctx is done already, Wait returns the cause, and
// the barrier is as it was; who then does not come again should call Abort. In a callback of a loop it panics if it would have to wait.
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	if b.size == 0 {
		panic("task: the zero Barrier is for nobody; make it with NewBarrier")
	}
	if _, err := begin(ctx); err != nil {
		return 0, err
	}
	b.mu.Lock()
	if b.complete() {
		return b.settle()
	}
	b.mu.Unlock()
	w, err := coro.Here(ctx, "task: Barrier.Wait")
	if err != nil {
		return 0, err
	}
	defer w.Release()
	b.mu.Lock()
	if b.complete() {
		return b.settle()
	}
	index := b.arrived
	b.arrived++
	p := b.waiters.add(w, false)
	b.mu.Unlock()
	err = w.Wait(ctx, b)
	b.mu.Lock()
	met := p.val
	var woken batch
	if b.waiters.leave(p) {
		woken = b.dismiss(false)
	}
	b.mu.Unlock()
	woken.wake()
	switch {
	case err != nil:
		return 0, err
	case !met:
		return 0, ErrBroken
	}
	return index, nil
}

// complete reports whether who comes now need not wait. It is called under the mutex.
func (b *Barrier) complete() bool { return b.broken || b.arrived == b.size-1 }

// settle is Wait for who need not wait. It is called under the mutex, which it unlocks.
func (b *Barrier) settle() (int, error) {
	var woken batch
	if !b.broken {
		woken = b.dismiss(true)
	}
	broken := b.broken
	b.mu.Unlock()
	woken.wake()
	if broken {
		return 0, ErrBroken
	}
	return b.size - 1, nil
}

// dismiss lets everybody go on who waits. If met is true, and the context of none of them was done before, they have met; otherwise the barrier is
// broken. It is called under the mutex.
func (b *Barrier) dismiss(met bool) (woken batch) {
	for p := b.waiters.first; p != nil; p = p.next {
		if p.w.Claim() {
			woken.add(p.w)
		} else {
			met = false
		}
	}
	for p := b.waiters.first; p != nil; p = b.waiters.first {
		p.val = met
		b.waiters.remove(p)
	}
	b.arrived, b.broken = 0, !met
	return woken
}

// Abort breaks the barrier: those who wait, and all who come until Reset, have ErrBroken. It never waits, and may be called from anywhere.
func (b *Barrier) Abort() {
	b.mu.Lock()
	woken := b.dismiss(false)
	b.mu.Unlock()
	woken.wake()
}

// Reset makes the barrier as it was when new: those who wait have ErrBroken. It never waits, and may be called from anywhere.
func (b *Barrier) Reset() {
	b.mu.Lock()
	woken := b.dismiss(false)
	b.broken = false
	b.mu.Unlock()
	woken.wake()
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
