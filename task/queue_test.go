package task_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/task"
)

// drain takes what is in q.
func drain[T any](q interface{ TryGet() (T, error) }) (all []T) {
	for {
		v, err := q.TryGet()
		if err != nil {
			return all
		}
		all = append(all, v)
	}
}

func TestTheOrderOfQueues(t *testing.T) {
	type item struct{ rank, n int }
	byRank := func(a, b item) bool { return a.rank < b.rank }
	put := []item{{2, 0}, {1, 1}, {2, 2}, {0, 3}, {1, 4}, {2, 5}}
	for name, c := range map[string]struct {
		q interface {
			TryPut(item) error
			TryGet() (item, error)
			Len() int
		}
		want []int
	}{
		"Queue":         {&task.Queue[item]{}, []int{0, 1, 2, 3, 4, 5}},
		"LIFOQueue":     {task.NewLIFOQueue[item](0), []int{5, 4, 3, 2, 1, 0}},
		"PriorityQueue": {task.NewPriorityQueue(-1, byRank), []int{3, 1, 4, 0, 2, 5}},
	} {
		for _, v := range put {
			if err := c.q.TryPut(v); err != nil {
				t.Error(err)
			}
		}
		if c.q.Len() != len(put) {
			t.Errorf("%s has %d items", name, c.q.Len())
		}
		var got []int
		for _, v := range drain(c.q) {
			got = append(got, v.n)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// Any mix of puts and gets gives what a slice gives, also when what the queue keeps grows, wraps, and is let go.
func TestQueuesAgainstASlice(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	less := func(a, b [2]int) bool { return a[0] < b[0] }
	type queue interface {
		TryPut([2]int) error
		TryGet() ([2]int, error)
	}
	queues := []queue{&task.Queue[[2]int]{}, task.NewLIFOQueue[[2]int](0), task.NewPriorityQueue(0, less)}
	var models [3][][2]int
	for i := range rounds(200_000) {
		puts := r.IntN(10) < 3+4*(i/4000%2) // long times of shrinking, and of growing
		for k, q := range queues {
			m := &models[k]
			if puts {
				v := [2]int{(i * 7919) % 13, i}
				q.TryPut(v)
				at := len(*m)
				if k == 2 {
					for at > 0 && less(v, (*m)[at-1]) {
						at--
					}
				}
				*m = slices.Insert(*m, at, v)
				continue
			}
			v, err := q.TryGet()
			if len(*m) == 0 {
				wantErr(t, err, task.ErrEmpty)
				continue
			}
			at := 0
			if k == 1 {
				at = len(*m) - 1
			}
			if want := (*m)[at]; v != want || err != nil {
				t.Fatalf("queue %d gave %v, %v, want %v", k, v, err, want)
			}
			*m = slices.Delete(*m, at, at+1)
		}
	}
}

func TestAFullQueueTakesTheItemsOfThoseWhoWaitInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := task.NewQueue[int](2)
		order, tasks := arrive(ctx, 5, q.Put)
		wantOrder(t, order, 0, 1)
		wantErr(t, q.TryPut(9), task.ErrFull)
		tasks[3].Cancel(errTest)
		_, err := tasks[3].Await(ctx)
		wantErr(t, err, errTest)
		for _, want := range []int{0, 1, 2, 4} {
			v, err := q.TryGet()
			if v != want || err != nil {
				t.Errorf("got %d, %v, want %d", v, err, want)
			}
			if want == 0 {
				wantErr(t, q.TryPut(9), task.ErrFull) // the room was handed over
			}
			yields(ctx, 3)
		}
		wantOrder(t, order, 0, 1, 2, 4)
		_, err = q.TryGet()
		wantErr(t, err, task.ErrEmpty)
		return nil
	})
}

func TestThoseWhoWaitForItemsAreServedInOrder(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q task.Queue[int]
		got := make([]int, 3)
		order, _ := arrive(ctx, 3, func(ctx context.Context, i int) (err error) {
			got[i], err = q.Get(ctx)
			return err
		})
		for i := range 3 {
			q.TryPut(10 + i)
		}
		if n := q.Len(); n != 0 {
			t.Errorf("%d items are there for who comes now", n)
		}
		yields(ctx, 3)
		wantOrder(t, order, 0, 1, 2)
		if !slices.Equal(got, []int{10, 11, 12}) {
			t.Errorf("got %v", got)
		}
		return nil
	})
}

func TestShutdownDrains(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := task.NewQueue[int](1)
		q.TryPut(1)
		_, putters := arrive(ctx, 2, q.Put)
		q.Shutdown()
		q.Shutdown()
		for _, p := range putters {
			_, err := p.Await(ctx)
			wantErr(t, err, task.ErrShutdown)
		}
		wantErr(t, q.Put(ctx, 2), task.ErrShutdown)
		wantErr(t, q.TryPut(2), task.ErrShutdown)
		var all []int
		for v, err := range q.All(ctx) {
			if err != nil {
				t.Error(err)
			}
			all = append(all, v)
		}
		if !slices.Equal(all, []int{1}) {
			t.Errorf("drained %v", all)
		}
		_, err := q.Get(ctx)
		wantErr(t, err, task.ErrShutdown)
		_, err = q.TryGet()
		wantErr(t, err, task.ErrShutdown)
		return nil
	})
}

func TestShutdownEndsThoseWhoWaitForItems(t *testing.T) {
	for name, shutdown := range map[string]func(q *task.Queue[int]){
		"Shutdown":    (*task.Queue[int]).Shutdown,
		"ShutdownNow": func(q *task.Queue[int]) { q.ShutdownNow() },
	} {
		t.Run(name, func(t *testing.T) {
			run(t, func(ctx context.Context) error {
				var q task.Queue[int]
				_, getters := arrive(ctx, 3, func(ctx context.Context, _ int) error { _, err := q.Get(ctx); return err })
				getters[0].Cancel(errTest)
				shutdown(&q)
				for i, g := range getters {
					_, err := g.Await(ctx)
					if want := []error{errTest, task.ErrShutdown}[min(i, 1)]; !errors.Is(err, want) {
						t.Errorf("%d has %v, want %v", i, err, want)
					}
				}
				return nil
			})
		})
	}
}

func TestShutdownNowGivesWhatIsLeft(t *testing.T) {
	run(t, func(ctx context.Context) error {
		q := task.NewPriorityQueue(3, func(a, b int) bool { return a < b })
		for _, v := range []int{3, 1, 2} {
			q.TryPut(v)
		}
		_, putters := arrive(ctx, 1, q.Put)
		got, _ := q.TryGet() // takes the putter's item in
		putters[0].Await(ctx)
		_, putters = arrive(ctx, 1, q.Put)
		joiner := task.Spawn(ctx, q.Join)
		yields(ctx, 3)
		left := q.ShutdownNow()
		if got != 1 || !slices.Equal(left, []int{0, 2, 3}) {
			t.Errorf("got %d, left %v", got, left)
		}
		_, err := putters[0].Await(ctx)
		wantErr(t, err, task.ErrShutdown)
		_, err = q.Get(ctx)
		wantErr(t, err, task.ErrShutdown)
		yields(ctx, 3)
		if joiner.Completed() {
			t.Error("Join did not wait for the item that was taken")
		}
		q.TaskDone()
		_, err = joiner.Await(ctx)
		if again := q.ShutdownNow(); len(again) != 0 {
			t.Errorf("then %v", again)
		}
		return err
	})
}

func TestJoinWaitsForEachItem(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q task.Queue[int]
		if err := q.Join(ctx); err != nil {
			return err
		}
		getter := task.Spawn(ctx, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
		yields(ctx, 3)
		q.TryPut(1) // handed over
		q.TryPut(2)
		joiners := []*task.Task[struct{}]{task.Spawn(ctx, q.Join), task.Spawn(ctx, q.Join)}
		given := task.Spawn(ctx, q.Join)
		yields(ctx, 3)
		given.Cancel(errTest)
		_, err := given.Await(ctx)
		wantErr(t, err, errTest)
		getter.Await(ctx)
		q.TaskDone()
		yields(ctx, 3)
		if joiners[0].Completed() {
			t.Error("one is not done")
		}
		q.TaskDone()
		for _, j := range joiners {
			if _, err := j.Await(ctx); err != nil {
				return err
			}
		}
		mustPanic(t, q.TaskDone)
		return q.Join(ctx)
	})
}

func TestALoopOverAQueueThatBreaksLeavesTheRest(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var q task.Queue[int]
		for i := range 3 {
			q.TryPut(i)
		}
		for range q.All(ctx) {
			break
		}
		if left := drain(&q); !slices.Equal(left, []int{1, 2}) {
			t.Errorf("left %v", left)
		}
		own, cancel := context.WithCancelCause(ctx)
		loop := task.Spawn(own, func(ctx context.Context) error {
			var errs []error
			for _, err := range q.All(ctx) {
				errs = append(errs, err)
			}
			if len(errs) != 1 {
				t.Errorf("yielded %v", errs)
			}
			return errs[0]
		})
		yields(ctx, 3)
		cancel(errTest)
		_, err := loop.Await(ctx)
		wantErr(t, err, errTest)
		return nil
	})
}

func TestABroadcastGivesEachSubscriberWhatFollows(t *testing.T) {
	var b task.Broadcast[int]
	b.Send(0)
	all, bounded := b.Subscribe(0), b.Subscribe(2)
	b.Send(1)
	late, gone := b.Subscribe(0), b.Subscribe(0)
	b.Send(2)
	b.Unsubscribe(gone)
	b.Unsubscribe(gone)
	b.Send(3) // bounded has not read
	if s := b.String(); s != "broadcast to 2 subscribers" {
		t.Error(s)
	}
	late.Shutdown()
	b.Send(4)
	b.Shutdown()
	b.Shutdown()
	b.Send(5)
	b.Unsubscribe(bounded) // why it ended stays
	for name, c := range map[string]struct {
		q    *task.Queue[int]
		want []int
		err  error
	}{
		"all":      {all, []int{1, 2, 3, 4}, task.ErrShutdown},
		"bounded":  {bounded, []int{1, 2}, task.ErrLagged},
		"late":     {late, []int{2, 3}, task.ErrShutdown},
		"gone":     {gone, []int{2}, task.ErrShutdown},
		"too late": {b.Subscribe(0), nil, task.ErrShutdown},
	} {
		got := drain(c.q)
		_, err := c.q.Get(context.Background())
		if !slices.Equal(got, c.want) || err != c.err {
			t.Errorf("%s: %v and then %v, want %v and then %v", name, got, err, c.want, c.err)
		}
	}
	for _, err := range bounded.All(context.Background()) { // other than a Shutdown, that is told
		wantErr(t, err, task.ErrLagged)
	}
}

func TestASubscriberThatWaitsNeverLags(t *testing.T) {
	run(t, func(ctx context.Context) error {
		var b task.Broadcast[int]
		q := b.Subscribe(1)
		got := task.Go(ctx, func(ctx context.Context) (all []int, err error) {
			for v, err := range q.All(ctx) {
				if err != nil {
					return all, err
				}
				all = append(all, v)
			}
			return all, nil
		})
		for i := range 10 {
			yields(ctx, 2)
			b.Send(i)
		}
		b.Shutdown()
		all, err := got.Await(ctx)
		if len(all) != 10 {
			t.Errorf("got %v", all)
		}
		return err
	})
}

func TestWhatIsAwaitedSaysSo(t *testing.T) {
	var q task.Queue[int]
	q.TryPut(1)
	s, b := task.NewSemaphore(3), task.NewBarrier(2)
	s.TryAcquire(1)
	var set task.Event
	set.Set()
	broken := task.NewBarrier(2)
	broken.Abort()
	for want, x := range map[string]interface{ String() string }{
		"mutex": &task.Mutex{}, "read-write mutex": &task.RWMutex{}, "event": &task.Event{}, "event, set": &set, "condition": &task.Cond{},
		"semaphore with 2 of 3 permits free": s, "barrier with 0 of 2 waiting": b, "barrier, broken": broken, "once": &task.Once{},
		"queue of 1 item": &q, "queue of 0 items": task.NewLIFOQueue[int](1),
	} {
		if x.String() != want {
			t.Errorf("%s, want %s", x, want)
		}
	}
	run(t, func(ctx context.Context) error {
		joiner := task.Spawn(ctx, q.Join)
		yields(ctx, 2)
		if on := task.AwaitsOf(joiner); on != "join of a queue, 1 not done" {
			t.Error(on)
		}
		q.TryGet()
		q.TaskDone()
		_, err := joiner.Await(ctx)
		return err
	})
}
