package task_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

// everywhere runs fn, with a number, in 64 goroutines and in 16 tasks of each of 4 loops at once, and waits for all.
func everywhere(t *testing.T, fn func(ctx context.Context, n int)) {
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() { fn(context.Background(), i) })
	}
	for i := range 4 {
		loop := background(t)
		for k := range 16 {
			tk := task.Spawn(loop.Context(), func(ctx context.Context) error { fn(ctx, 64+16*i+k); return nil })
			all.Go(func() {
				if _, err := tk.Await(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
}

const everyone = 128

// sometimes returns ctx, or a context below it that somebody cancels at some time.
func sometimes(ctx context.Context, r *rand.Rand) (context.Context, context.CancelFunc) {
	switch r.IntN(6) {
	case 0:
		c, cancel := context.WithCancel(ctx)
		go cancel()
		return c, cancel
	case 1:
		return task.WithTimeout(ctx, 1)
	}
	return ctx, func() {}
}

// random returns a source of random numbers of its own, and has the seed printed if the test fails.
func random(t *testing.T) func(n int) *rand.Rand {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return func(n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) }
}

func TestLocksExcludeWhoeverUsesThem(t *testing.T) {
	source := random(t)
	var mu task.Mutex
	var rw task.RWMutex
	s := task.NewSemaphore(3)
	var plain, written int // no atomics: the race detector looks on
	var holders, locks atomic.Int64
	everywhere(t, func(ctx context.Context, n int) {
		r := source(n)
		for range rounds(1000) {
			c, cancel := sometimes(ctx, r)
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
						t.Error("more permits than there are")
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
		t.Errorf("%d + %d changes under %d locks", plain, written, locks.Load())
	}
	if !mu.TryLock() || !rw.TryLock() || !s.TryAcquire(3) {
		t.Error("something was left locked")
	}
}

// What is put is got, once, in the order of each who puts, whoever is cancelled meanwhile.
func TestAQueueLosesNothingAndKeepsEachProducersOrder(t *testing.T) {
	type item struct{ producer, n int }
	source := random(t)
	q := task.NewQueue[item](10)
	var accepted [everyone]int
	var got [everyone][]item
	var producers sync.WaitGroup
	producers.Add(everyone / 2)
	go func() { producers.Wait(); q.Shutdown() }()
	everywhere(t, func(ctx context.Context, me int) {
		r := source(me)
		if me%2 == 0 {
			defer producers.Done()
			for range rounds(3000) {
				c, cancel := sometimes(ctx, r)
				if q.Put(c, item{me, accepted[me]}) == nil {
					accepted[me]++
				}
				cancel()
			}
			return
		}
		for {
			c, cancel := sometimes(ctx, r)
			v, err := q.Get(c)
			cancel()
			if err == task.ErrShutdown {
				return
			}
			if err == nil {
				got[me] = append(got[me], v)
				q.TaskDone()
			}
		}
	})
	var seen [everyone]map[int]bool
	for i := range seen {
		seen[i] = map[int]bool{}
	}
	for _, items := range got {
		last := [everyone]int{}
		for _, v := range items {
			if v.n+1 <= last[v.producer] {
				t.Fatalf("%v came after item %d", v, last[v.producer]-1)
			}
			last[v.producer] = v.n + 1
			if seen[v.producer][v.n] {
				t.Fatalf("%v came twice", v)
			}
			seen[v.producer][v.n] = true
		}
	}
	for p, n := range accepted {
		if len(seen[p]) != n {
			t.Errorf("of producer %d came %d of %d", p, len(seen[p]), n)
		}
	}
	if err := q.Join(context.Background()); err != nil || task.Waiting(q) != 0 {
		t.Error(err, task.Waiting(q))
	}
}

// Events, conditions, barriers and futures between all.
func TestAllMeetAtBarriersEventsAndFutures(t *testing.T) {
	const meetings = 10
	b := task.NewBarrier(everyone)
	c := task.Cond{L: &task.Mutex{}}
	var events [meetings]task.Event
	var once [meetings]task.Once
	var started, arrived [meetings]int
	var results [meetings]*future.Future[int]
	var promises [meetings]*future.Promise[int]
	for i := range results {
		results[i], promises[i] = future.New[int]()
	}
	everywhere(t, func(ctx context.Context, me int) {
		for i := range meetings {
			if err := once[i].Do(ctx, func(context.Context) error { started[i]++; return nil }); err != nil || started[i] != 1 {
				t.Error(err, started[i])
			}
			index, err := b.Wait(ctx)
			if err != nil {
				t.Error(err)
			}
			if index == everyone-1 {
				events[i].Set()
			}
			if err := events[i].Wait(ctx); err != nil {
				t.Error(err)
			}
			c.L.Lock(ctx)
			if arrived[i]++; arrived[i] == everyone {
				c.Broadcast()
				promises[i].Resolve(i)
			}
			if err := c.WaitFor(ctx, func() bool { return arrived[i] == everyone }); err != nil {
				t.Error(err)
			}
			c.L.Unlock()
			if v, err := results[i].Await(ctx); v != i || err != nil {
				t.Error(v, err)
			}
		}
	})
}

func TestASubscriberMissesNothingWhoeverSends(t *testing.T) {
	var b task.Broadcast[[2]int]
	n := rounds(300)
	var subscribed, done sync.WaitGroup
	subscribed.Add(everyone / 2)
	done.Add(everyone / 2)
	go func() { done.Wait(); b.Shutdown() }()
	everywhere(t, func(ctx context.Context, me int) {
		if me%2 == 0 { // these subscribe before anybody sends
			q := b.Subscribe(0)
			subscribed.Done()
			next := [everyone]int{}
			for v, err := range q.All(ctx) {
				if err != nil || v[1] != next[v[0]] {
					t.Error(v, err)
					return
				}
				next[v[0]]++
			}
			for i := 1; i < everyone; i += 2 {
				if next[i] != n {
					t.Errorf("%d came from %d", next[i], i)
				}
			}
			return
		}
		defer done.Done()
		task.Wait(ctx, waitFunc(func() error { subscribed.Wait(); return nil }))
		for i := range n {
			b.Send([2]int{me, i})
		}
	})
}
