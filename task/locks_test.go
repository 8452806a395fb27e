package task_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// arrive starts tasks that each wait in turn, and returns the order in which they have gone on so far.
func arrive(ctx context.Context, n int, wait func(ctx context.Context, i int) error) (order *[]int, tasks []*task.Task[struct{}]) {
	order = &[]int{}
	for i := range n {
		tasks = append(tasks, task.Spawn(ctx, func(ctx context.Context) error {
			err := wait(ctx, i)
			if err == nil {
				*order = append(*order, i)
			}
			return err
		}))
	}
	yields(ctx, 3)
	return order, tasks
}

func wantOrder(t *testing.T, order *[]int, want ...int) {
	t.Helper()
	if !slices.Equal(*order, want) {
		t.Errorf("%v have gone on, want %v", *order, want)
	}
}

func TestALockIsHandedOverInOrderAndNobodyComesInBetween(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var mu task.Mutex
		if err := mu.Lock(ctx); err != nil {
			return err
		}
		order, _ := arrive(ctx, 3, func(ctx context.Context, i int) error { return mu.Lock(ctx) })
		for i := range 3 {
			mu.Unlock()
			if mu.TryLock() {
				t.Error("a lock that was handed over was taken")
			}
			late := task.Spawn(ctx, mu.Lock)
			yields(ctx, 3)
			wantOrder(t, order, []int{0, 1, 2}[:i+1]...)
			late.Cancel(nil)
			late.Await(ctx)
		}
		mu.Unlock()
		if !mu.TryLock() {
			t.Error("it is still locked")
		}
		return nil
	})
}

func TestReadersShareAndWritersDoNotStarve(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var rw task.RWMutex
		if rw.RLock(ctx) != nil || !rw.TryRLock() || rw.TryLock() {
			t.Error("two readers, and no writer")
		}
		// Who comes after a writer waits for it; readers beside each other go on together.
		wants := "WrrWr"
		order, tasks := arrive(ctx, len(wants), func(ctx context.Context, i int) error {
			if wants[i] == 'W' {
				return rw.Lock(ctx)
			}
			return rw.RLock(ctx)
		})
		wantOrder(t, order)
		if rw.TryRLock() {
			t.Error("a reader came before a writer that waits")
		}
		rw.RUnlock()
		yields(ctx, 3)
		wantOrder(t, order)
		rw.RUnlock()
		yields(ctx, 3)
		wantOrder(t, order, 0)
		rw.Unlock()
		tasks[1].Cancel(nil) // it has the lock already
		yields(ctx, 3)
		wantOrder(t, order, 0, 1, 2)
		tasks[3].Cancel(nil) // a writer that gives up lets the readers behind it go on
		yields(ctx, 3)
		wantOrder(t, order, 0, 1, 2, 4)
		for range 3 {
			rw.RUnlock()
		}
		if !rw.TryLock() {
			t.Error("it is still locked")
		}
		return nil
	})
}

func TestAnEventLetsEverybodyGoOn(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var e task.Event
		order, tasks := arrive(ctx, 3, func(ctx context.Context, i int) error { return e.Wait(ctx) })
		tasks[1].Cancel(nil)
		e.Set()
		tasks[2].Cancel(nil) // too late
		e.Clear()            // what was let go on goes on
		yields(ctx, 3)
		wantOrder(t, order, 0, 2)
		late := task.Spawn(ctx, e.Wait)
		yields(ctx, 3)
		if late.Completed() || e.IsSet() {
			t.Error("Clear did nothing")
		}
		e.Set()
		e.Set()
		if _, err := late.Await(ctx); err != nil || e.Wait(ctx) != nil || !e.IsSet() {
			t.Error("Set did nothing", err)
		}
		return nil
	})
}

func TestACondWaitsWithoutTheLockAndReturnsWithIt(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := task.Cond{L: &task.Mutex{}}
		order, tasks := arrive(ctx, 5, func(ctx context.Context, i int) error {
			if err := c.L.Lock(ctx); err != nil {
				return err
			}
			defer c.L.Unlock()
			err := c.Wait(ctx)
			if c.L.TryLock() {
				t.Error("Wait returned without the lock")
			}
			task.Yield(context.Background())
			return err
		})
		c.L.Lock(ctx)
		c.Signal()
		tasks[3].Cancel(errTest)
		yields(ctx, 3)
		wantOrder(t, order) // for I have the lock
		if tasks[3].Completed() {
			t.Error("a cancelled wait returned without the lock")
		}
		c.L.Unlock()
		_, err := tasks[3].Await(ctx)
		wantErr(t, err, errTest)
		yields(ctx, 5)
		wantOrder(t, order, 0)
		c.L.Lock(ctx)
		c.Broadcast()
		c.L.Unlock()
		yields(ctx, 20)
		wantOrder(t, order, 0, 1, 2, 4)
		c.L.Lock(ctx)
		c.Signal() // nobody waits, and nobody will have it
		c.Broadcast()
		c.L.Unlock()
		return nil
	})
}

func TestWaitForLooksAgainAfterEachSignal(t *testing.T) {
	run(t, func(ctx context.Context) error {
		c := task.Cond{L: &task.Mutex{}}
		n, looks := 0, 0
		waiter := task.Spawn(ctx, func(ctx context.Context) error {
			c.L.Lock(ctx)
			defer c.L.Unlock()
			return c.WaitFor(ctx, func() bool { looks++; return n == 3 })
		})
		for range 3 {
			yields(ctx, 3)
			c.L.Lock(ctx)
			n++
			c.Signal()
			c.L.Unlock()
		}
		_, err := waiter.Await(ctx)
		if looks != 4 {
			t.Errorf("it looked %d times", looks)
		}
		return err
	})
}

func TestASemaphoreServesInOrderWhateverIsWanted(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := task.NewSemaphore(4)
		s.Acquire(ctx, 3)
		wants := []int64{2, 1, 4, 1}
		order, tasks := arrive(ctx, 4, func(ctx context.Context, i int) error { return s.Acquire(ctx, wants[i]) })
		if s.TryAcquire(1) {
			t.Error("a permit went past those who wait")
		}
		s.Release(1)
		yields(ctx, 3)
		wantOrder(t, order, 0) // 2 + 2 are taken
		s.Release(2)
		yields(ctx, 3)
		wantOrder(t, order, 0, 1) // one is free, and the next wants 4
		tasks[2].Cancel(nil)
		yields(ctx, 3)
		wantOrder(t, order, 0, 1, 3)
		return nil
	})
}

func TestMoreThanASemaphoreHasWaitsForTheEndOfTheContext(t *testing.T) {
	run(t, func(ctx context.Context) error {
		s := task.NewSemaphore(2)
		own, cancel := context.WithCancelCause(ctx)
		tooMuch := task.Spawn(own, func(ctx context.Context) error { return s.Acquire(ctx, 3) })
		yields(ctx, 3)
		if tooMuch.Completed() || s.TryAcquire(3) || !s.TryAcquire(2) { // nobody waits behind it
			t.Error("it is in the way")
		}
		cancel(errTest)
		_, err := tooMuch.Await(ctx)
		wantErr(t, err, errTest)
		s.Release(2)
		return s.Acquire(ctx, 2)
	})
}

// In a callback what need not wait works, and what would have to wait panics.
func TestLocksInACallback(t *testing.T) {
	loop := background(t)
	ctx := context.Background()
	var mu task.Mutex
	var rw task.RWMutex
	var e task.Event
	var once task.Once
	s, b := task.NewSemaphore(1), task.NewBarrier(2)
	c := task.Cond{L: &task.Mutex{}}
	q := task.NewQueue[int](1)
	onLoop(t, loop, func() {
		for i, free := range []func() error{
			func() error { return mu.Lock(ctx) }, func() error { return rw.Lock(ctx) }, func() error { return s.Acquire(ctx, 1) },
			func() error { return q.Join(ctx) }, func() error { return q.Put(ctx, 1) }, func() error { return c.L.Lock(ctx) },
		} {
			if err := free(); err != nil {
				t.Error(i, err)
			}
		}
		for op, wait := range map[string]func(){
			"Mutex.Lock": func() { mu.Lock(ctx) }, "RWMutex.Lock": func() { rw.Lock(ctx) }, "RWMutex.RLock": func() { rw.RLock(ctx) },
			"Semaphore.Acquire": func() { s.Acquire(ctx, 1) }, "Event.Wait": func() { e.Wait(ctx) }, "Barrier.Wait": func() { b.Wait(ctx) },
			"Cond.Wait": func() { c.Wait(ctx) }, "Queue.Put": func() { q.Put(ctx, 2) }, "Queue.Join": func() { q.Join(ctx) },
			"Queue.Get": func() { (&task.Queue[int]{}).Get(ctx) },
			"Once.Do": func() {
				once.Do(ctx, func(context.Context) error {
					return once.Do(ctx, func(context.Context) error { return nil })
				})
			},
		} {
			if v := mustPanic(t, wait); !strings.HasPrefix(fmt.Sprint(v), "task: "+op+" in a loop callback") {
				t.Errorf("%s: panic %v", op, v)
			}
		}
		// Nothing was left listed, and what gives works.
		mu.Unlock()
		rw.Unlock()
		s.Release(1)
		c.Signal()
		c.L.Unlock()
		e.Set()
		if v, err := q.Get(ctx); v != 1 || err != nil {
			t.Error(v, err)
		}
		q.TaskDone()
		if !mu.TryLock() || !rw.TryRLock() || !s.TryAcquire(1) || e.Wait(ctx) != nil || q.TryPut(2) != nil {
			t.Error("something is still taken")
		}
	})
}

func TestLocksHandToWhoWaitsFromACallback(t *testing.T) {
	run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		var mu task.Mutex
		mu.TryLock()
		loop.CallSoon(mu.Unlock)
		return mu.Lock(ctx)
	})
}

func TestMisuseOfLocksPanicsWithOneSentence(t *testing.T) {
	c := task.Cond{L: &task.Mutex{}}
	s := task.NewSemaphore(2)
	s.TryAcquire(1)
	var rw task.RWMutex
	rw.TryRLock()
	var q task.Queue[int]
	ctx := context.Background()
	for want, misuse := range map[string]func(){
		"task: Unlock of a Mutex that is not locked; call it once for each Lock that succeeded":                  func() { new(task.Mutex).Unlock() },
		"task: Unlock of an RWMutex that is not locked for writing; call it once for each Lock that succeeded":   rw.Unlock,
		"task: RUnlock of an RWMutex that is not locked for reading; call it once for each RLock that succeeded": func() { new(task.RWMutex).RUnlock() },
		"task: Cond.Wait without the lock; lock its L first":                                                     func() { c.Wait(ctx) },
		"task: Cond.WaitFor without the lock; lock its L first":                                                  func() { c.WaitFor(ctx, nil) },
		"task: Cond.Signal without the lock; lock its L first":                                                   c.Signal,
		"task: Cond.Broadcast without the lock; lock its L first":                                                c.Broadcast,
		"task: a Cond without a lock; set its L first":                                                           new(task.Cond).Signal,
		"task: a Semaphore of -1 permits; give it none or more":                                                  func() { task.NewSemaphore(-1) },
		"task: -1 permits of a Semaphore; ask for none or more":                                                  func() { s.TryAcquire(-1) },
		"task: Release of 2 permits, more than are taken; release what Acquire has taken, once":                  func() { s.Release(2) },
		"task: the zero Barrier is for nobody; make it with NewBarrier":                                          func() { new(task.Barrier).Wait(ctx) },
		"task: a Barrier for 0; give it one or more":                                                             func() { task.NewBarrier(0) },
		"task: TaskDone without an item that is not done; call it once for each item that Get returned":          q.TaskDone,
		"task: NewPriorityQueue without an order; give it a less function":                                       func() { task.NewPriorityQueue[int](0, nil) },
	} {
		if v := mustPanic(t, misuse); v != want {
			t.Errorf("panic %v, want %s", v, want)
		}
	}
	rw.RUnlock() // a panic has left nothing locked
	rw.TryLock()
	mustPanic(t, rw.RUnlock)
	rw.Unlock()
	s.Release(1)
}
