package task_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/task"
)

func TestLocksAndQueuesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	run(t, func(ctx context.Context) error {
		var mu, baton task.Mutex
		var rw task.RWMutex
		var e task.Event
		var once task.Once
		var q, there, back task.Queue[int]
		s := task.NewSemaphore(2)
		bounded := task.NewQueue[int](1)
		priority := task.NewPriorityQueue(0, func(a, b int) bool { return a < b })
		e.Set()
		once.Do(ctx, func(context.Context) error { return nil })
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		baton.TryLock()
		task.Spawn(own, func(ctx context.Context) error { // the other side of what has to wait
			for baton.Lock(ctx) == nil {
				v, err := there.Get(ctx)
				if err != nil {
					return err
				}
				back.TryPut(v)
			}
			return nil
		})
		for name, op := range map[string]func(){
			"Mutex":         func() { mu.Lock(ctx); mu.Unlock() },
			"RWMutex":       func() { rw.Lock(ctx); rw.Unlock(); rw.RLock(ctx); rw.RUnlock() },
			"Event":         func() { e.Wait(ctx) },
			"Once":          func() { once.Do(ctx, nil) },
			"Semaphore":     func() { s.Acquire(ctx, 1); s.Release(1) },
			"TryPut":        func() { q.TryPut(1); q.TryGet() },
			"Put":           func() { bounded.Put(ctx, 1); bounded.Get(ctx) },
			"PriorityQueue": func() { priority.Put(ctx, 1); priority.Get(ctx) },
			"Mutex and Queue, that have to wait": func() {
				baton.Unlock()
				task.Yield(ctx)
				there.TryPut(1)
				if v, err := back.Get(ctx); v != 1 || err != nil {
					t.Error(v, err)
				}
			},
		} {
			if n := testing.AllocsPerRun(1000, op); n != 0 {
				t.Errorf("%s: %v allocations", name, n)
			}
		}
		return nil
	})
}

// A task that locks, or puts and gets, and never has to wait, yields all the same.
func TestLocksAndQueuesThatNeedNotWaitLeaveOthersTheirTurn(t *testing.T) {
	var mu task.Mutex
	var rw task.RWMutex
	var e task.Event
	var q task.Queue[int]
	var once task.Once
	e.Set()
	s, b := task.NewSemaphore(1), task.NewBarrier(1)
	for name, op := range map[string]func(ctx context.Context){
		"Mutex":     func(ctx context.Context) { mu.Lock(ctx); mu.Unlock() },
		"RWMutex":   func(ctx context.Context) { rw.RLock(ctx); rw.RUnlock() },
		"Event":     func(ctx context.Context) { e.Wait(ctx) },
		"Semaphore": func(ctx context.Context) { s.Acquire(ctx, 1); s.Release(1) },
		"Barrier":   func(ctx context.Context) { b.Wait(ctx) },
		"Once":      func(ctx context.Context) { once.Do(ctx, func(context.Context) error { return nil }) },
		"Put":       func(ctx context.Context) { q.Put(ctx, 1); q.TryGet() },
		"Get":       func(ctx context.Context) { q.TryPut(1); q.Get(ctx) },
		"Join":      func(ctx context.Context) { new(task.Queue[int]).Join(ctx) },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				turns := 0
				stop := false
				other := task.Spawn(ctx, func(ctx context.Context) error {
					for !stop {
						turns++
						if mu.TryLock() {
							mu.Unlock()
						} else {
							t.Error("it yielded with the lock")
						}
						task.Yield(ctx)
					}
					return nil
				})
				const n = 10
				for range n * 130 {
					op(ctx)
				}
				if turns < n {
					t.Errorf("the other task had %d turns in %d operations", turns, n*130)
				}
				stop = true
				_, err := other.Await(ctx)
				return err
			})
		})
	}
}
