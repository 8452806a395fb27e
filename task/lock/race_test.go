package lock_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/lock"
)

func TestLocksExcludeWhoeverUsesThem(t *testing.T) {
	source := waittest.Random(t)
	var mu lock.Mutex
	var rw lock.RWMutex
	s := lock.NewSemaphore(3)
	var plain, written int // no atomics: the race detector looks on
	var holders, locks atomic.Int64
	waittest.Everywhere(t, func(ctx context.Context, n int) {
		r := source(n)
		for range waittest.Rounds(1000) {
			c, cancel := waittest.Sometimes(ctx, r)
			switch k := r.IntN(4); k {
			case 0:
				if mu.Lock(c) == nil {
					before := plain
					if r.IntN(4) == 0 {
						task.Yield(ctx)
					}
					plain = before + 1
					locks.Add(1)
					mu.Unlock()
				}
			case 1:
				if rw.Lock(c) == nil {
					written++
					locks.Add(1)
					if r.IntN(4) == 0 {
						task.Yield(ctx)
					}
					rw.Unlock()
				}
			case 2:
				if rw.RLock(c) == nil {
					_ = written
					task.Yield(ctx)
					rw.RUnlock()
				}
			case 3:
				w := int64(1 + r.IntN(3))
				if s.Acquire(c, w) == nil {
					if holders.Add(w) > 3 {
						t.Errorf("%d permits are held, want at most 3", holders.Load())
					}
					task.Yield(ctx)
					holders.Add(-w)
					s.Release(w)
				}
			}
			cancel()
		}
	})
	if int64(plain+written) != locks.Load() {
		t.Errorf("%d + %d changes under %d locks, want as many changes as locks", plain, written, locks.Load())
	}
	if !mu.TryLock() || !rw.TryLock() || !s.TryAcquire(3) {
		t.Error("something was left locked, want all free at the end")
	}
}

// Events, conditions, barriers and futures between all.
func TestAllMeetAtBarriersEventsAndFutures(t *testing.T) {
	const meetings = 10
	b := lock.NewBarrier(waittest.Everyone)
	c := lock.Cond{L: &lock.Mutex{}}
	var events [meetings]lock.Event
	var once [meetings]lock.Once
	var started, arrived [meetings]int
	var results [meetings]*future.Future[int]
	var promises [meetings]*future.Promise[int]
	for i := range results {
		results[i], promises[i] = future.New[int]()
	}
	waittest.Everywhere(t, func(ctx context.Context, me int) {
		for i := range meetings {
			if err := once[i].Do(ctx, func(context.Context) error { started[i]++; return nil }); err != nil || started[i] != 1 {
				t.Errorf("Do = %v after %d calls, want nil after 1", err, started[i])
			}
			index, err := b.Wait(ctx)
			if err != nil {
				t.Error(err)
			}
			if index == waittest.Everyone-1 {
				events[i].Set()
			}
			if err := events[i].Wait(ctx); err != nil {
				t.Error(err)
			}
			c.L.Lock(ctx)
			if arrived[i]++; arrived[i] == waittest.Everyone {
				c.Broadcast()
				promises[i].Resolve(i)
			}
			if err := c.WaitFor(ctx, func() bool { return arrived[i] == waittest.Everyone }); err != nil {
				t.Error(err)
			}
			c.L.Unlock()
			if v, err := results[i].Await(ctx); v != i || err != nil {
				t.Errorf("Await = %v, %v; want %v and nil", v, err, i)
			}
		}
	})
}
