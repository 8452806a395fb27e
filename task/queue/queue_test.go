package queue_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/queue"
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
		"Queue":    {&queue.Queue[item]{}, []int{0, 1, 2, 3, 4, 5}},
		"LIFO":     {queue.NewLIFO[item](0), []int{5, 4, 3, 2, 1, 0}},
		"priority": {queue.NewPriority(-1, byRank), []int{3, 1, 4, 0, 2, 5}},
	} {
		for _, v := range put {
			if err := c.q.TryPut(v); err != nil {
				t.Error(err)
			}
		}
		if c.q.Len() != len(put) {
			t.Errorf("%s has %d items, want %d", name, c.q.Len(), len(put))
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

// Any mix of puts and gets gives what a slice gives, also when what the queue keeps grows, wraps,
// and is let go.
func TestQueuesAgainstASlice(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	less := func(a, b [2]int) bool { return a[0] < b[0] }
	type both interface {
		TryPut([2]int) error
		TryGet() ([2]int, error)
	}
	queues := []both{&queue.Queue[[2]int]{}, queue.NewLIFO[[2]int](0), queue.NewPriority(0, less)}
	var models [3][][2]int
	for i := range waittest.Rounds(200_000) {
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
				testkit.ErrorIs(t, err, queue.ErrEmpty)
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
	testkit.Run(t, func(ctx context.Context) error {
		q := queue.New[int](2)
		order, tasks := waittest.Arrive(ctx, 5, q.Put)
		waittest.WantOrder(t, order, 0, 1)
		testkit.ErrorIs(t, q.TryPut(9), queue.ErrFull)
		tasks[3].Cancel(waittest.ErrTest)
		_, err := tasks[3].Await(ctx)
		testkit.ErrorIs(t, err, waittest.ErrTest)
		for _, want := range []int{0, 1, 2, 4} {
			v, err := q.TryGet()
			if v != want || err != nil {
				t.Errorf("got %d, %v, want %d", v, err, want)
			}
			if want == 0 {
				testkit.ErrorIs(t, q.TryPut(9), queue.ErrFull) // the room was handed over
			}
			waittest.Yields(ctx, 3)
		}
		waittest.WantOrder(t, order, 0, 1, 2, 4)
		_, err = q.TryGet()
		testkit.ErrorIs(t, err, queue.ErrEmpty)
		return nil
	})
}

func TestThoseWhoWaitForItemsAreServedInOrder(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var q queue.Queue[int]
		got := make([]int, 3)
		order, _ := waittest.Arrive(ctx, 3, func(ctx context.Context, i int) (err error) {
			got[i], err = q.Get(ctx)
			return err
		})
		for i := range 3 {
			q.TryPut(10 + i)
		}
		if n := q.Len(); n != 0 {
			t.Errorf("%d items are there for who comes now, want 0", n)
		}
		waittest.Yields(ctx, 3)
		waittest.WantOrder(t, order, 0, 1, 2)
		if !slices.Equal(got, []int{10, 11, 12}) {
			t.Errorf("got %v, want %v", got, []int{10, 11, 12})
		}
		return nil
	})
}

func TestShutdownDrains(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		q := queue.New[int](1)
		q.TryPut(1)
		_, putters := waittest.Arrive(ctx, 2, q.Put)
		q.Shutdown()
		q.Shutdown()
		for _, p := range putters {
			_, err := p.Await(ctx)
			testkit.ErrorIs(t, err, queue.ErrShutdown)
		}
		testkit.ErrorIs(t, q.Put(ctx, 2), queue.ErrShutdown)
		testkit.ErrorIs(t, q.TryPut(2), queue.ErrShutdown)
		var all []int
		for v, err := range q.All(ctx) {
			if err != nil {
				t.Error(err)
			}
			all = append(all, v)
		}
		if !slices.Equal(all, []int{1}) {
			t.Errorf("drained %v, want %v", all, []int{1})
		}
		_, err := q.Get(ctx)
		testkit.ErrorIs(t, err, queue.ErrShutdown)
		_, err = q.TryGet()
		testkit.ErrorIs(t, err, queue.ErrShutdown)
		return nil
	})
}

func TestShutdownEndsThoseWhoWaitForItems(t *testing.T) {
	for name, shutdown := range map[string]func(q *queue.Queue[int]){
		"Shutdown":    (*queue.Queue[int]).Shutdown,
		"ShutdownNow": func(q *queue.Queue[int]) { q.ShutdownNow() },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				var q queue.Queue[int]
				_, getters := waittest.Arrive(ctx, 3, func(ctx context.Context, _ int) error { _, err := q.Get(ctx); return err })
				getters[0].Cancel(waittest.ErrTest)
				shutdown(&q)
				for i, g := range getters {
					_, err := g.Await(ctx)
					if want := []error{waittest.ErrTest, queue.ErrShutdown}[min(i, 1)]; !errors.Is(err, want) {
						t.Errorf("%d has %v, want %v", i, err, want)
					}
				}
				return nil
			})
		})
	}
}

func TestShutdownNowGivesWhatIsLeft(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		q := queue.NewPriority(3, func(a, b int) bool { return a < b })
		for _, v := range []int{3, 1, 2} {
			q.TryPut(v)
		}
		_, putters := waittest.Arrive(ctx, 1, q.Put)
		got, _ := q.TryGet() // takes the putter's item in
		putters[0].Await(ctx)
		_, putters = waittest.Arrive(ctx, 1, q.Put)
		joiner := task.Spawn(ctx, q.Join)
		waittest.Yields(ctx, 3)
		left := q.ShutdownNow()
		if got != 1 || !slices.Equal(left, []int{0, 2, 3}) {
			t.Errorf("got %d, left %v; want 1 and %v", got, left, []int{0, 2, 3})
		}
		_, err := putters[0].Await(ctx)
		testkit.ErrorIs(t, err, queue.ErrShutdown)
		_, err = q.Get(ctx)
		testkit.ErrorIs(t, err, queue.ErrShutdown)
		waittest.Yields(ctx, 3)
		if joiner.Completed() {
			t.Error("Join has returned, want it to wait for the item that was taken")
		}
		q.TaskDone()
		_, err = joiner.Await(ctx)
		if again := q.ShutdownNow(); len(again) != 0 {
			t.Errorf("a second ShutdownNow returned %v, want nothing", again)
		}
		return err
	})
}

func TestJoinWaitsForEachItem(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var q queue.Queue[int]
		if err := q.Join(ctx); err != nil {
			return err
		}
		getter := task.Spawn(ctx, func(ctx context.Context) error { _, err := q.Get(ctx); return err })
		waittest.Yields(ctx, 3)
		q.TryPut(1) // handed over
		q.TryPut(2)
		joiners := []*task.Task[struct{}]{task.Spawn(ctx, q.Join), task.Spawn(ctx, q.Join)}
		given := task.Spawn(ctx, q.Join)
		waittest.Yields(ctx, 3)
		given.Cancel(waittest.ErrTest)
		_, err := given.Await(ctx)
		testkit.ErrorIs(t, err, waittest.ErrTest)
		getter.Await(ctx)
		q.TaskDone()
		waittest.Yields(ctx, 3)
		if joiners[0].Completed() {
			t.Error("Join has returned, want it to wait: one item is not done")
		}
		q.TaskDone()
		for _, j := range joiners {
			if _, err := j.Await(ctx); err != nil {
				return err
			}
		}
		testkit.PanicOf(q.TaskDone)
		return q.Join(ctx)
	})
}

func TestALoopOverAQueueThatBreaksLeavesTheRest(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var q queue.Queue[int]
		for i := range 3 {
			q.TryPut(i)
		}
		for range q.All(ctx) {
			break
		}
		if left := drain(&q); !slices.Equal(left, []int{1, 2}) {
			t.Errorf("left %v, want %v", left, []int{1, 2})
		}
		own, cancel := context.WithCancelCause(ctx)
		loop := task.Spawn(own, func(ctx context.Context) error {
			var errs []error
			for _, err := range q.All(ctx) {
				errs = append(errs, err)
			}
			if len(errs) != 1 {
				t.Errorf("All yielded the errors %v, want 1", errs)
			}
			return errs[0]
		})
		waittest.Yields(ctx, 3)
		cancel(waittest.ErrTest)
		_, err := loop.Await(ctx)
		testkit.ErrorIs(t, err, waittest.ErrTest)
		return nil
	})
}

func TestABroadcastGivesEachSubscriberWhatFollows(t *testing.T) {
	var b queue.Broadcast[int]
	b.Send(0)
	all, bounded := b.Subscribe(0), b.Subscribe(2)
	b.Send(1)
	late, gone := b.Subscribe(0), b.Subscribe(0)
	b.Send(2)
	b.Unsubscribe(gone)
	b.Unsubscribe(gone)
	b.Send(3) // bounded has not read
	if s := b.String(); s != "broadcast to 2 subscribers" {
		t.Errorf("String() = %q, want %q", s, "broadcast to 2 subscribers")
	}
	late.Shutdown()
	b.Send(4)
	b.Shutdown()
	b.Shutdown()
	b.Send(5)
	b.Unsubscribe(bounded) // why it ended stays
	for name, c := range map[string]struct {
		q    *queue.Queue[int]
		want []int
		err  error
	}{
		"all":      {all, []int{1, 2, 3, 4}, queue.ErrShutdown},
		"bounded":  {bounded, []int{1, 2}, queue.ErrLagged},
		"late":     {late, []int{2, 3}, queue.ErrShutdown},
		"gone":     {gone, []int{2}, queue.ErrShutdown},
		"too late": {b.Subscribe(0), nil, queue.ErrShutdown},
	} {
		got := drain(c.q)
		_, err := c.q.Get(context.Background())
		if !slices.Equal(got, c.want) || err != c.err {
			t.Errorf("%s: %v and then %v, want %v and then %v", name, got, err, c.want, c.err)
		}
	}
	for _, err := range bounded.All(context.Background()) { // other than a Shutdown, that is told
		testkit.ErrorIs(t, err, queue.ErrLagged)
	}
}

func TestASubscriberThatWaitsNeverLags(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var b queue.Broadcast[int]
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
			waittest.Yields(ctx, 2)
			b.Send(i)
		}
		b.Shutdown()
		all, err := got.Await(ctx)
		if len(all) != 10 {
			t.Errorf("got %v, want 10 items", all)
		}
		return err
	})
}

// In a callback what need not wait works, and what would have to wait panics.
func TestQueuesInACallback(t *testing.T) {
	ctx := context.Background()
	q := queue.New[int](1)
	testkit.OnLoop(t, testkit.StartLoop(t), func() {
		if err := q.Join(ctx); err != nil {
			t.Errorf("Join, where it need not wait, returned %v, want nil", err)
		}
		if err := q.Put(ctx, 1); err != nil {
			t.Errorf("Put, where it need not wait, returned %v, want nil", err)
		}
		waittest.RefusesCallbacks(t, map[string]func(){
			"queue: Put":  func() { q.Put(ctx, 2) },
			"queue: Join": func() { q.Join(ctx) },
			"queue: Get":  func() { new(queue.Queue[int]).Get(ctx) },
		})
		if v, err := q.Get(ctx); v != 1 || err != nil {
			t.Errorf("Get returned %d, %v, want 1", v, err)
		}
		q.TaskDone()
		if err := q.TryPut(2); err != nil || q.Waiting() != 0 {
			t.Errorf("then TryPut returned %v, and %d are in line; want nil, and nobody", err, q.Waiting())
		}
	})
}

func TestMisuseOfQueuesPanicsWithOneSentence(t *testing.T) {
	var q queue.Queue[int]
	waittest.PanicsWith(t, map[string]func(){
		"queue: TaskDone without an item that is not done; call it once for each item that Get returned": q.TaskDone,
		"queue: NewPriority without an order; give it a less function":                                   func() { queue.NewPriority[int](0, nil) },
	})
	if err := q.TryPut(1); err != nil {
		t.Errorf("then TryPut returned %v, want nil: a panic leaves nothing locked", err)
	}
}

func TestWhatIsAwaitedSaysSo(t *testing.T) {
	var q queue.Queue[int]
	q.TryPut(1)
	for want, x := range map[string]interface{ String() string }{
		"queue of 1 item": &q, "queue of 0 items": queue.NewLIFO[int](1), "broadcast to 0 subscribers": &queue.Broadcast[int]{},
	} {
		if x.String() != want {
			t.Errorf("it says %q, want %q", x, want)
		}
	}
	testkit.Run(t, func(ctx context.Context) error {
		var self *coro.Coro
		joiner := task.Spawn(ctx, func(ctx context.Context) error { self = coro.Current(); return q.Join(ctx) })
		waittest.Yields(ctx, 2)
		if on := self.Awaits().String(); on != "join of a queue, 1 not done" {
			t.Errorf("Join awaits %q, want the join of a queue with 1 not done", on)
		}
		q.TryGet()
		q.TaskDone()
		_, err := joiner.Await(ctx)
		return err
	})
}
