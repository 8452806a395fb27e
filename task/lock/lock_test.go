package lock_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/lock"
)

func TestALockIsHandedOverInOrderAndNobodyComesInBetween(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var mu lock.Mutex
		if err := mu.Lock(ctx); err != nil {
			return err
		}
		order, _ := waittest.Arrive(ctx, 3, func(ctx context.Context, i int) error { return mu.Lock(ctx) })
		for i := range 3 {
			mu.Unlock()
			if mu.TryLock() {
				t.Error("TryLock = true, want false: the lock was handed over")
			}
			late := task.Spawn(ctx, mu.Lock)
			waittest.Yields(ctx, 3)
			waittest.WantOrder(t, order, []int{0, 1, 2}[:i+1]...)
			late.Cancel(nil)
			late.Await(ctx)
		}
		mu.Unlock()
		if !mu.TryLock() {
			t.Error("TryLock = false after the last Unlock, want true")
		}
		return nil
	})
}

func TestReadersShareAndWritersDoNotStarve(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var rw lock.RWMutex
		if rw.RLock(ctx) != nil || !rw.TryRLock() || rw.TryLock() {
			t.Error("want RLock and TryRLock to succeed, and TryLock to fail beside them")
		}
		// A reader that comes after a writer waits for it; readers side by side go on together.
		wants := "WrrWr"
		order, tasks := waittest.Arrive(ctx, len(wants), func(ctx context.Context, i int) error {
			if wants[i] == 'W' {
				return rw.Lock(ctx)
			}
			return rw.RLock(ctx)
		})
		waittest.WantOrder(t, order)
		if rw.TryRLock() {
			t.Error("TryRLock = true, want false: a writer waits")
		}
		rw.RUnlock()
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order)
		rw.RUnlock()
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0)
		rw.Unlock()
		tasks[1].Cancel(nil) // it has the lock already
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0, 1, 2)
		tasks[3].Cancel(nil) // a writer that gives up lets the readers behind it go on
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0, 1, 2, 4)
		for range 3 {
			rw.RUnlock()
		}
		if !rw.TryLock() {
			t.Error("TryLock = false after the last RUnlock, want true")
		}
		return nil
	})
}

func TestAnEventLetsEverybodyGoOn(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var e lock.Event
		order, tasks := waittest.Arrive(ctx, 3, func(ctx context.Context, i int) error { return e.Wait(ctx) })
		tasks[1].Cancel(nil)
		e.Set()
		tasks[2].Cancel(nil) // too late
		e.Clear()            // what was let go on goes on
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0, 2)
		late := task.Spawn(ctx, e.Wait)
		waittest.Yields(ctx, 3)
		if late.Completed() || e.IsSet() {
			t.Errorf("after Clear: Wait has returned: %v, IsSet: %v; want false of both", late.Completed(), e.IsSet())
		}
		e.Set()
		e.Set()
		if _, err := late.Await(ctx); err != nil || e.Wait(ctx) != nil || !e.IsSet() {
			t.Errorf("after Set: Await's error = %v, IsSet: %v; want nil, true, and no more waits", err, e.IsSet())
		}
		return nil
	})
}

func TestACondWaitsWithoutTheLockAndReturnsWithIt(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		c := lock.Cond{L: &lock.Mutex{}}
		order, tasks := waittest.Arrive(ctx, 5, func(ctx context.Context, i int) error {
			if err := c.L.Lock(ctx); err != nil {
				return err
			}
			defer c.L.Unlock()
			err := c.Wait(ctx)
			if c.L.TryLock() {
				t.Error("TryLock after Wait = true, want false: Wait returns with the lock")
			}
			task.Yield(context.Background())
			return err
		})
		c.L.Lock(ctx)
		c.Signal()
		tasks[3].Cancel(waittest.ErrTest)
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order) // for I have the lock
		if tasks[3].Completed() {
			t.Error("a cancelled Wait has returned, want it to wait for the lock first")
		}
		c.L.Unlock()
		_, err := tasks[3].Await(ctx)
		testkit.ErrorIs(t, err, waittest.ErrTest)
		waittest.Yields(ctx, 5)
		waittest.WantOrder(t, order, 0)
		c.L.Lock(ctx)
		c.Broadcast()
		c.L.Unlock()
		waittest.Yields(ctx, 20)
		waittest.WantOrder(t, order, 0, 1, 2, 4)
		c.L.Lock(ctx)
		c.Signal() // nobody waits, and nobody will have it
		c.Broadcast()
		c.L.Unlock()
		return nil
	})
}

func TestWaitForLooksAgainAfterEachSignal(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		c := lock.Cond{L: &lock.Mutex{}}
		n, looks := 0, 0
		waiter := task.Spawn(ctx, func(ctx context.Context) error {
			c.L.Lock(ctx)
			defer c.L.Unlock()
			return c.WaitFor(ctx, func() bool { looks++; return n == 3 })
		})
		for range 3 {
			waittest.Yields(ctx, 3)
			c.L.Lock(ctx)
			n++
			c.Signal()
			c.L.Unlock()
		}
		_, err := waiter.Await(ctx)
		if looks != 4 {
			t.Errorf("it looked %d times, want 4", looks)
		}
		return err
	})
}

func TestASemaphoreServesInOrderWhateverIsWanted(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		s := lock.NewSemaphore(4)
		s.Acquire(ctx, 3)
		wants := []int64{2, 1, 4, 1}
		order, tasks := waittest.Arrive(ctx, 4, func(ctx context.Context, i int) error { return s.Acquire(ctx, wants[i]) })
		if s.TryAcquire(1) {
			t.Error("TryAcquire(1) = true, want false: others wait before it")
		}
		s.Release(1)
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0) // 2 + 2 are taken
		s.Release(2)
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0, 1) // one is free, and the next wants 4
		tasks[2].Cancel(nil)
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0, 1, 3)
		return nil
	})
}

func TestMoreThanASemaphoreHasWaitsForTheEndOfTheContext(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		s := lock.NewSemaphore(2)
		own, cancel := context.WithCancelCause(ctx)
		tooMuch := task.Spawn(own, func(ctx context.Context) error { return s.Acquire(ctx, 3) })
		waittest.Yields(ctx, 3)
		if tooMuch.Completed() || s.TryAcquire(3) || !s.TryAcquire(2) { // nobody waits behind it
			t.Errorf("Acquire(3) of 2 has returned: %v; want it to wait, TryAcquire(3) to fail and TryAcquire(2) to succeed", tooMuch.Completed())
		}
		cancel(waittest.ErrTest)
		_, err := tooMuch.Await(ctx)
		testkit.ErrorIs(t, err, waittest.ErrTest)
		s.Release(2)
		return s.Acquire(ctx, 2)
	})
}

// In a callback what need not wait works, and what would have to wait panics.
func TestLocksInACallback(t *testing.T) {
	ctx := context.Background()
	var mu lock.Mutex
	var rw lock.RWMutex
	var e lock.Event
	var once lock.Once
	s, b := lock.NewSemaphore(1), lock.NewBarrier(2)
	c := lock.Cond{L: &lock.Mutex{}}
	testkit.OnLoop(t, testkit.StartLoop(t), func() {
		for op, err := range map[string]error{
			"Mutex.Lock": mu.Lock(ctx), "RWMutex.Lock": rw.Lock(ctx), "Semaphore.Acquire": s.Acquire(ctx, 1), "Lock of a Cond": c.L.Lock(ctx),
		} {
			if err != nil {
				t.Errorf("%s, where it need not wait, returned %v, want nil", op, err)
			}
		}
		waittest.RefusesCallbacks(t, map[string]func(){
			"lock: Mutex.Lock":        func() { mu.Lock(ctx) },
			"lock: RWMutex.Lock":      func() { rw.Lock(ctx) },
			"lock: RWMutex.RLock":     func() { rw.RLock(ctx) },
			"lock: Semaphore.Acquire": func() { s.Acquire(ctx, 1) },
			"lock: Event.Wait":        func() { e.Wait(ctx) },
			"lock: Barrier.Wait":      func() { b.Wait(ctx) },
			"lock: Cond.Wait":         func() { c.Wait(ctx) },
			"lock: Once.Do": func() {
				once.Do(ctx, func(context.Context) error {
					return once.Do(ctx, func(context.Context) error { return nil })
				})
			},
		})
		// Nobody was left in line, and what gives works.
		mu.Unlock()
		rw.Unlock()
		s.Release(1)
		c.Signal()
		c.L.Unlock()
		e.Set()
		if !mu.TryLock() || !rw.TryRLock() || !s.TryAcquire(1) || e.Wait(ctx) != nil {
			t.Error("something is still taken, want all free")
		}
	})
}

func TestLocksHandToWhoWaitsFromACallback(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		var mu lock.Mutex
		mu.TryLock()
		loop.CallSoon(mu.Unlock)
		return mu.Lock(ctx)
	})
}

func TestMisuseOfLocksPanicsWithOneSentence(t *testing.T) {
	c := lock.Cond{L: &lock.Mutex{}}
	s := lock.NewSemaphore(2)
	s.TryAcquire(1)
	var rw lock.RWMutex
	rw.TryRLock()
	ctx := context.Background()
	waittest.PanicsWith(t, map[string]func(){
		"lock: Unlock of a Mutex that is not locked; call it once for each Lock that succeeded":                  func() { new(lock.Mutex).Unlock() },
		"lock: Unlock of an RWMutex that is not locked for writing; call it once for each Lock that succeeded":   rw.Unlock,
		"lock: RUnlock of an RWMutex that is not locked for reading; call it once for each RLock that succeeded": func() { new(lock.RWMutex).RUnlock() },
		"lock: Cond.Wait without the lock; lock its L first":                                                     func() { c.Wait(ctx) },
		"lock: Cond.WaitFor without the lock; lock its L first":                                                  func() { c.WaitFor(ctx, nil) },
		"lock: Cond.Signal without the lock; lock its L first":                                                   c.Signal,
		"lock: Cond.Broadcast without the lock; lock its L first":                                                c.Broadcast,
		"lock: a Cond without a lock; set its L first":                                                           new(lock.Cond).Signal,
		"lock: a Semaphore of -1 permits; give it none or more":                                                  func() { lock.NewSemaphore(-1) },
		"lock: -1 permits of a Semaphore; ask for none or more":                                                  func() { s.TryAcquire(-1) },
		"lock: Release of 2 permits, more than are taken; release what Acquire has taken, once":                  func() { s.Release(2) },
		"lock: the zero Barrier is for nobody; make it with NewBarrier":                                          func() { new(lock.Barrier).Wait(ctx) },
		"lock: a Barrier for 0; give it one or more":                                                             func() { lock.NewBarrier(0) },
	})
	rw.RUnlock() // a panic has left nothing locked
	rw.TryLock()
	testkit.PanicOf(rw.RUnlock)
	rw.Unlock()
	s.Release(1)
}

func TestWhatIsAwaitedSaysSo(t *testing.T) {
	s, b := lock.NewSemaphore(3), lock.NewBarrier(2)
	s.TryAcquire(1)
	var set lock.Event
	set.Set()
	broken := lock.NewBarrier(2)
	broken.Abort()
	for want, x := range map[string]interface{ String() string }{
		"mutex": &lock.Mutex{}, "read-write mutex": &lock.RWMutex{}, "condition": &lock.Cond{}, "once": &lock.Once{},
		"event": &lock.Event{}, "event, set": &set, "barrier with 0 of 2 waiting": b, "barrier, broken": broken,
		"semaphore with 2 of 3 permits free": s,
	} {
		if x.String() != want {
			t.Errorf("it says %q, want %q", x, want)
		}
	}
}
