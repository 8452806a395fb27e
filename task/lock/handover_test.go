package lock_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/lock"
)

func goods() map[string]waittest.Good {
	mu, rw, s := &lock.Mutex{}, &lock.RWMutex{}, lock.NewSemaphore(2)
	mu.TryLock()
	rw.TryLock()
	s.TryAcquire(2)
	return map[string]waittest.Good{
		"Mutex": {
			Take: mu.Lock, Try: mu.TryLock, Give: mu.Unlock, Waiting: func() int { return lock.Waiting(mu) },
		},
		"RWMutex": {
			Take: rw.Lock, Try: rw.TryLock, Give: rw.Unlock, Waiting: func() int { return lock.Waiting(rw) },
		},
		"Semaphore": {
			Take:    func(ctx context.Context) error { return s.Acquire(ctx, 2) },
			Try:     func() bool { return s.TryAcquire(2) },
			Give:    func() { s.Release(2) },
			Waiting: func() int { return lock.Waiting(s) },
		},
	}
}

// goodsAndCond are goods, and what a Cond waits for, whose lock is held while that is looked at.
func goodsAndCond() map[string]waittest.Good {
	all := goods()
	all["Cond"] = condGood()
	return all
}

func condGood() waittest.Good {
	there := 0
	c := &lock.Cond{L: &lock.Mutex{}}
	take := func(ctx context.Context) error {
		if err := c.L.Lock(ctx); err != nil {
			return err
		}
		defer c.L.Unlock()
		err := c.WaitFor(ctx, func() bool { return there > 0 })
		if err == nil {
			there--
		}
		return err
	}
	try := func() bool {
		ok := there > 0
		there -= min(there, 1)
		return ok
	}
	give := func() {
		if !c.L.TryLock() { // only a goroutine has it now
			c.L.Lock(context.Background())
		}
		defer c.L.Unlock()
		there++
		c.Signal()
	}
	return waittest.Good{Take: take, Try: try, Give: give, Waiting: func() int { return lock.Waiting(c) }}
}

func TestACancellationBesideAHandOverLosesNothing(t *testing.T) { waittest.HandOver(t, goodsAndCond) }

// What is given while an operation begins is taken, once, and not waited for.
func TestWhatIsGivenBeforeTheWaitBeginsIsNotWaitedFor(t *testing.T) {
	waittest.GivenMeanwhile(t, goods())
	var e lock.Event
	if err := e.Wait(waittest.Hooked(e.Set)); err != nil {
		t.Errorf("Wait for an event that is set meanwhile returned %v, want nil", err)
	}
	b := lock.NewBarrier(2)
	if _, err := b.Wait(waittest.Hooked(b.Abort)); err != lock.ErrBroken {
		t.Errorf("Wait at a barrier that is broken meanwhile returned %v, want ErrBroken", err)
	}
}

// Each operation that begins with a context that is done fails, also where it could succeed at
// once, and changes nothing.
func TestAnOperationThatBeginsWithADoneContextTakesNothing(t *testing.T) {
	var mu lock.Mutex
	var rw lock.RWMutex
	var set lock.Event
	var once lock.Once
	set.Set()
	s, b := lock.NewSemaphore(1), lock.NewBarrier(1)
	c := lock.Cond{L: &lock.Mutex{}}
	c.L.TryLock()
	waittest.Done(t, map[string]func(ctx context.Context) error{
		"Mutex.Lock":        mu.Lock,
		"RWMutex.Lock":      rw.Lock,
		"RWMutex.RLock":     rw.RLock,
		"Event.Wait":        set.Wait,
		"Cond.Wait":         c.Wait,
		"Cond.WaitFor":      func(ctx context.Context) error { return c.WaitFor(ctx, func() bool { return true }) },
		"Semaphore.Acquire": func(ctx context.Context) error { return s.Acquire(ctx, 1) },
		"Barrier.Wait":      func(ctx context.Context) error { _, err := b.Wait(ctx); return err },
		"Once.Do": func(ctx context.Context) error {
			return once.Do(ctx, func(context.Context) error { t.Error("it ran, want it not to"); return nil })
		},
	})
	if !mu.TryLock() || !rw.TryLock() || !s.TryAcquire(1) || c.L.TryLock() {
		t.Error("something was taken or given back, want all as it was")
	}
	if _, err := b.Wait(context.Background()); err != nil {
		t.Errorf("the barrier has the error %v, want none", err)
	}
	if err := once.Do(context.Background(), func(context.Context) error { return nil }); err != nil {
		t.Errorf("the Once has the error %v, want none", err)
	}
}
