package task_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

// good is one thing that is passed from hand to hand. At first nobody can have it.
type good struct {
	take    func(ctx context.Context) error
	try     func() bool // take, if that need not wait
	give    func()
	waiting func() int
	check   func() bool // nil, or whether what was passed on was neither lost nor doubled
}

// log is numbers that several goroutines note.
type log struct {
	mu sync.Mutex
	ns []int
}

func (l *log) add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ns = append(l.ns, n)
}

func (l *log) sorted() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.ns))
}

func goods() map[string]good {
	mu, rw, s := &task.Mutex{}, &task.RWMutex{}, task.NewSemaphore(2)
	mu.TryLock()
	rw.TryLock()
	s.TryAcquire(2)
	return map[string]good{
		"Mutex":   {mu.Lock, mu.TryLock, mu.Unlock, func() int { return task.Waiting(mu) }, nil},
		"RWMutex": {rw.Lock, rw.TryLock, rw.Unlock, func() int { return task.Waiting(rw) }, nil},
		"Semaphore": {func(ctx context.Context) error { return s.Acquire(ctx, 2) }, func() bool { return s.TryAcquire(2) },
			func() { s.Release(2) }, func() int { return task.Waiting(s) }, nil},
		"Cond":      condGood(),
		"Queue.Get": getGood(),
		"Queue.Put": putGood(),
	}
}

func condGood() good {
	there := 0
	c := &task.Cond{L: &task.Mutex{}}
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
	return good{take, try, give, func() int { return task.Waiting(c) }, nil}
}

// getGood is an item, which is put again when it is given.
func getGood() good {
	var q task.Queue[int]
	var got log
	puts := 0
	note := func(n int, err error) error {
		if err == nil {
			got.add(n)
		}
		return err
	}
	return good{
		func(ctx context.Context) error { return note(q.Get(ctx)) },
		func() bool { return note(q.TryGet()) == nil },
		func() { puts++; q.TryPut(puts) },
		func() int { return task.Waiting(&q) },
		func() bool { ns := got.sorted(); return len(ns) == puts && slices.Equal(ns, upTo(puts)) },
	}
}

// putGood is room for an item.
func putGood() good {
	q := task.NewQueue[int](1)
	q.TryPut(1)
	var put, got log
	put.add(1)
	var next log
	note := func(n int, err error) error {
		if err == nil {
			put.add(n)
		}
		return err
	}
	number := func() int { next.add(1); return 1 + len(next.sorted()) }
	return good{
		func(ctx context.Context) error { n := number(); return note(n, q.Put(ctx, n)) },
		func() bool { n := number(); return note(n, q.TryPut(n)) == nil },
		func() {
			if n, err := q.TryGet(); err == nil {
				got.add(n)
			}
		},
		func() int { return task.Waiting(q) },
		func() bool {
			if n, err := q.TryGet(); err == nil {
				got.add(n)
			}
			return slices.Equal(put.sorted(), got.sorted())
		},
	}
}

func upTo(n int) (ns []int) {
	for i := range n {
		ns = append(ns, i+1)
	}
	return ns
}

// Two wait, and the first is cancelled beside the hand-over: c cancels, g gives, and t lets everybody run.
func TestACancellationBesideAHandOverLosesNothing(t *testing.T) {
	type waiter struct {
		cancel func()
		result *future.Future[struct{}]
	}
	start := map[string]func(ctx context.Context, take func(ctx context.Context) error) waiter{
		"task": func(ctx context.Context, take func(ctx context.Context) error) waiter {
			tk := task.Spawn(ctx, take)
			return waiter{func() { tk.Cancel(nil) }, tk.AsFuture()}
		},
		"task with another context": func(ctx context.Context, take func(ctx context.Context) error) waiter {
			foreign, cancel := context.WithCancel(context.Background())
			return waiter{cancel, task.Spawn(ctx, func(context.Context) error { return take(foreign) }).AsFuture()}
		},
		"goroutine": func(_ context.Context, take func(ctx context.Context) error) waiter {
			foreign, cancel := context.WithCancel(context.Background())
			return waiter{cancel, future.FromFunc(foreign, func(ctx context.Context) (struct{}, error) { return struct{}{}, take(ctx) })}
		},
	}
	for who := range start {
		for _, order := range []string{"cg", "ctg", "gc", "gtc", "tgct", "c", "cgc"} {
			for name := range goods() {
				t.Run(name+"/"+who+"/"+order, func(t *testing.T) {
					run(t, func(ctx context.Context) error {
						g := goods()[name]
						first := start[who](ctx, g.take)
						eventually(ctx, func() bool { return g.waiting() == 1 })
						second := start[who](ctx, g.take)
						eventually(ctx, func() bool { return g.waiting() == 2 })
						gave := 0
						for _, step := range order {
							switch step {
							case 'c':
								first.cancel()
							case 'g':
								gave++
								g.give()
							case 't':
								yields(ctx, 3)
							}
						}
						_, err := first.result.Await(ctx)
						if who == "task" && (err == nil) != (order[0] == 'g' || order[0] == 't') {
							t.Errorf("the first has %v", err)
						}
						if err == nil || gave == 0 {
							if second.result.Completed() {
								t.Error("it was doubled")
							}
							g.give()
						}
						if _, err := second.result.Await(ctx); err != nil {
							t.Errorf("the second has %v", err)
						}
						second.cancel()
						g.give()
						if n := g.waiting(); n != 0 {
							t.Errorf("%d are still listed", n)
						}
						if !g.try() || g.try() {
							t.Error("it was lost or doubled")
						}
						if g.check != nil && !g.check() {
							t.Error("other items came out than went in")
						}
						return nil
					})
				})
			}
		}
	}
}

// hooked is a context that calls hook when Err is called the second time: when the wait begins.
type hooked struct {
	context.Context
	calls int
	hook  func()
}

func (h *hooked) Err() error {
	if h.calls++; h.calls == 2 {
		h.hook()
	}
	return h.Context.Err()
}

// What is given between a look at it and the wait for it is taken, once.
func TestWhatIsGivenBeforeTheWaitBeginsIsNotWaitedFor(t *testing.T) {
	watchdog(t)
	for name, g := range goods() {
		if name == "Cond" { // its lock is held in between
			continue
		}
		if err := g.take(&hooked{Context: context.Background(), hook: g.give}); err != nil || g.try() {
			t.Errorf("%s: taken with %v, and then again", name, err)
		}
		g.give()
		if !g.try() || g.try() {
			t.Errorf("%s was lost or doubled", name)
		}
	}
	var e task.Event
	var q task.Queue[int]
	b := task.NewBarrier(2)
	q.TryPut(1)
	for name, c := range map[string]struct {
		wait func(ctx context.Context) error
		hook func()
	}{
		"Event":   {e.Wait, e.Set},
		"Join":    {q.Join, q.TaskDone},
		"Barrier": {func(ctx context.Context) error { _, err := b.Wait(ctx); return err }, b.Abort},
	} {
		err := c.wait(&hooked{Context: context.Background(), hook: c.hook})
		if (err != nil) != (name == "Barrier") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Each operation that begins with a context that is done fails, also where it could succeed at once, and changes nothing.
func TestAnOperationThatBeginsWithADoneContextTakesNothing(t *testing.T) {
	var mu task.Mutex
	var rw task.RWMutex
	var set task.Event
	var once task.Once
	var q task.Queue[int]
	set.Set()
	q.TryPut(1)
	s, b := task.NewSemaphore(1), task.NewBarrier(1)
	c := task.Cond{L: &task.Mutex{}}
	c.L.TryLock()
	operations := map[string]func(ctx context.Context) error{
		"Mutex.Lock":        mu.Lock,
		"RWMutex.Lock":      rw.Lock,
		"RWMutex.RLock":     rw.RLock,
		"Event.Wait":        set.Wait,
		"Cond.Wait":         c.Wait,
		"Cond.WaitFor":      func(ctx context.Context) error { return c.WaitFor(ctx, func() bool { return true }) },
		"Semaphore.Acquire": func(ctx context.Context) error { return s.Acquire(ctx, 1) },
		"Barrier.Wait":      func(ctx context.Context) error { _, err := b.Wait(ctx); return err },
		"Once.Do": func(ctx context.Context) error {
			return once.Do(ctx, func(context.Context) error { t.Error("it ran"); return nil })
		},
		"Queue.Put":  func(ctx context.Context) error { return q.Put(ctx, 2) },
		"Queue.Get":  func(ctx context.Context) error { _, err := q.Get(ctx); return err },
		"Queue.Join": q.Join,
		"Queue.All": func(ctx context.Context) (err error) {
			for _, err = range q.All(ctx) {
			}
			return err
		},
	}
	done, cancel := context.WithCancelCause(context.Background())
	cancel(errTest)
	run(t, func(ctx context.Context) error {
		own, cancel := context.WithCancelCause(ctx)
		cancel(errTest)
		for name, op := range operations {
			for _, ctx := range []context.Context{done, own} {
				if err := op(ctx); !errors.Is(err, errTest) || !errors.Is(err, context.Canceled) {
					t.Errorf("%s: %v", name, err)
				}
				if _, err := future.FromFunc(ctx, func(context.Context) (int, error) { return 0, op(ctx) }).Await(context.Background()); !errors.Is(err, errTest) {
					t.Errorf("%s in a goroutine: %v", name, err)
				}
			}
		}
		return nil
	})
	if !mu.TryLock() || !rw.TryLock() || !s.TryAcquire(1) || q.Len() != 1 || c.L.TryLock() {
		t.Error("something was taken")
	}
	if _, err := b.Wait(context.Background()); err != nil {
		t.Error("the barrier: ", err)
	}
	if err := once.Do(context.Background(), func(context.Context) error { return nil }); err != nil {
		t.Error(err)
	}
}
