package modeltest

import (
	"context"
	"fmt"
	"sync"

	"github.com/corobridge/corobridge/task/lock"
	"github.com/corobridge/corobridge/task/queue"
)

// things are what the programs of a library share, besides promises.
type things struct {
	locks      [promises]lock.Mutex
	rwLocks    [promises]lock.RWMutex
	semaphores [promises]*lock.Semaphore
	queues     [promises]*queue.Queue[int]
	events     [promises]lock.Event
	barriers   [promises]*lock.Barrier
	condLocks  [promises]lock.Mutex
	conds      [promises]lock.Cond

	droppedMu sync.Mutex
	dropped   []int // items, from queues
}

func (t *things) init() {
	for i := range promises {
		t.semaphores[i] = lock.NewSemaphore(semaphore)
		t.queues[i] = queue.New[int](room(i))
		t.barriers[i] = lock.NewBarrier(2)
		t.conds[i].L = &t.condLocks[i]
	}
}

func (t *things) hold(ctx context.Context, s *step) error {
	switch s.kind {
	case mutex:
		return t.locks[s.a].Lock(ctx)
	case read:
		return t.rwLocks[s.a].RLock(ctx)
	case write:
		return t.rwLocks[s.a].Lock(ctx)
	}
	return t.semaphores[s.a].Acquire(ctx, int64(permits(s)))
}

func (t *things) release(s *step) {
	switch s.kind {
	case mutex:
		t.locks[s.a].Unlock()
	case read:
		t.rwLocks[s.a].RUnlock()
	case write:
		t.rwLocks[s.a].Unlock()
	case take:
		t.semaphores[s.a].Release(int64(permits(s)))
	}
}

func (t *things) primitive(ctx context.Context, s *step, v int) (int, error) {
	switch s.kind {
	case put:
		return 0, t.queues[s.a].Put(ctx, v)
	case get:
		return t.queues[s.a].Get(ctx)
	case shut:
		t.queues[s.a].Shutdown()
	case shutNow:
		dropped := t.queues[s.a].ShutdownNow()
		t.droppedMu.Lock()
		defer t.droppedMu.Unlock()
		t.dropped = append(t.dropped, dropped...)
		return len(dropped), nil
	case set:
		t.events[s.a].Set()
	case unset:
		t.events[s.a].Clear()
	case waitSet:
		return 0, t.events[s.a].Wait(ctx)
	case meet:
		return t.barriers[s.a].Wait(ctx)
	case breakUp:
		t.barriers[s.a].Abort()
	case restore:
		t.barriers[s.a].Reset()
	case waitCond, signal, broadcast:
		return 0, t.withCond(ctx, s.kind, &t.conds[s.a])
	}
	return 0, nil
}

func (t *things) withCond(ctx context.Context, k kind, c *lock.Cond) error {
	if err := c.L.Lock(ctx); err != nil {
		return err
	}
	defer c.L.Unlock()
	switch k {
	case signal:
		c.Signal()
	case broadcast:
		c.Broadcast()
	case waitCond:
		return c.Wait(ctx)
	}
	return nil
}

// left says which locks are held, though everything has ended, and takes the items out of the
// queues.
func (t *things) left() (held []string, items []int) {
	check := func(free bool, what string, i int) {
		if !free {
			held = append(held, fmt.Sprint(what, " ", i))
		}
	}
	items = t.dropped
	for i, q := range t.queues {
		check(t.locks[i].TryLock(), "mutex", i)
		check(t.rwLocks[i].TryLock(), "read-write mutex", i)
		check(t.semaphores[i].TryAcquire(semaphore), "semaphore", i)
		check(t.condLocks[i].TryLock(), "lock of condition", i)
		for v, err := q.TryGet(); err == nil; v, err = q.TryGet() {
			items = append(items, v)
		}
		if q.TryPut(-1) == nil { // which a getter that has been forgotten would get
			_, err := q.TryGet()
			check(err == nil, "getter of queue", i)
		}
	}
	return held, items
}
