package lock_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/lock"
)

func TestLocksDoNotAllocate(t *testing.T) {
	if waittest.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	testkit.Run(t, func(ctx context.Context) error {
		var mu, baton lock.Mutex
		var rw lock.RWMutex
		var e lock.Event
		var once lock.Once
		s, there, back := lock.NewSemaphore(2), lock.NewSemaphore(1), lock.NewSemaphore(1)
		e.Set()
		once.Do(ctx, func(context.Context) error { return nil })
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		baton.TryLock()
		there.TryAcquire(1)
		back.TryAcquire(1)
		task.Spawn(own, func(ctx context.Context) error { // the other side of what has to wait
			for baton.Lock(ctx) == nil {
				if err := there.Acquire(ctx, 1); err != nil {
					return err
				}
				back.Release(1)
			}
			return nil
		})
		for name, op := range map[string]func(){
			"Mutex":     func() { mu.Lock(ctx); mu.Unlock() },
			"RWMutex":   func() { rw.Lock(ctx); rw.Unlock(); rw.RLock(ctx); rw.RUnlock() },
			"Event":     func() { e.Wait(ctx) },
			"Once":      func() { once.Do(ctx, nil) },
			"Semaphore": func() { s.Acquire(ctx, 1); s.Release(1) },
			"Mutex and Semaphore, that have to wait": func() {
				baton.Unlock()
				task.Yield(ctx)
				there.Release(1)
				if err := back.Acquire(ctx, 1); err != nil {
					t.Error(err)
				}
			},
		} {
			if n := testing.AllocsPerRun(1000, op); n != 0 {
				t.Errorf("%s: %v allocations, want none", name, n)
			}
		}
		return nil
	})
}

// A task that locks, and never has to wait, yields all the same.
func TestLocksThatNeedNotWaitLeaveOthersTheirTurn(t *testing.T) {
	var mu lock.Mutex
	var rw lock.RWMutex
	var e lock.Event
	var once lock.Once
	e.Set()
	s, b := lock.NewSemaphore(1), lock.NewBarrier(1)
	held := func() bool {
		ok := mu.TryLock()
		if ok {
			mu.Unlock()
		}
		return !ok
	}
	waittest.LeavesOthersTheirTurn(t, map[string]func(ctx context.Context){
		"Mutex":     func(ctx context.Context) { mu.Lock(ctx); mu.Unlock() },
		"RWMutex":   func(ctx context.Context) { rw.RLock(ctx); rw.RUnlock() },
		"Event":     func(ctx context.Context) { e.Wait(ctx) },
		"Semaphore": func(ctx context.Context) { s.Acquire(ctx, 1); s.Release(1) },
		"Barrier":   func(ctx context.Context) { b.Wait(ctx) },
		"Once":      func(ctx context.Context) { once.Do(ctx, func(context.Context) error { return nil }) },
	}, held)
}
