package queue_test

import (
	"context"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/queue"
)

// What is put is got, once, in the order of each who puts, whoever is cancelled meanwhile.
func TestAQueueLosesNothingAndKeepsEachProducersOrder(t *testing.T) {
	type item struct{ producer, n int }
	source := waittest.Random(t)
	q := queue.New[item](10)
	var accepted [waittest.Everyone]int
	var got [waittest.Everyone][]item
	var producers sync.WaitGroup
	producers.Add(waittest.Everyone / 2)
	go func() { producers.Wait(); q.Shutdown() }()
	waittest.Everywhere(t, func(ctx context.Context, me int) {
		r := source(me)
		if me%2 == 0 {
			defer producers.Done()
			for range waittest.Rounds(3000) {
				c, cancel := waittest.Sometimes(ctx, r)
				if q.Put(c, item{me, accepted[me]}) == nil {
					accepted[me]++
				}
				cancel()
			}
			return
		}
		for {
			c, cancel := waittest.Sometimes(ctx, r)
			v, err := q.Get(c)
			cancel()
			if err == queue.ErrShutdown {
				return
			}
			if err == nil {
				got[me] = append(got[me], v)
				q.TaskDone()
			}
		}
	})
	var seen [waittest.Everyone]map[int]bool
	for i := range seen {
		seen[i] = map[int]bool{}
	}
	for _, items := range got {
		last := [waittest.Everyone]int{}
		for _, v := range items {
			if v.n+1 <= last[v.producer] {
				t.Fatalf("%v came after item %d, want a producer's items in order", v, last[v.producer]-1)
			}
			last[v.producer] = v.n + 1
			if seen[v.producer][v.n] {
				t.Fatalf("%v came twice, want it once", v)
			}
			seen[v.producer][v.n] = true
		}
	}
	for p, n := range accepted {
		if len(seen[p]) != n {
			t.Errorf("%d items of producer %d came, want %d", len(seen[p]), p, n)
		}
	}
	if err := q.Join(context.Background()); err != nil || q.Waiting() != 0 {
		t.Errorf("Join = %v, %d wait; want nil and 0", err, q.Waiting())
	}
}

func TestASubscriberMissesNothingWhoeverSends(t *testing.T) {
	var b queue.Broadcast[[2]int]
	n := waittest.Rounds(300)
	var subscribed, done sync.WaitGroup
	subscribed.Add(waittest.Everyone / 2)
	done.Add(waittest.Everyone / 2)
	go func() { done.Wait(); b.Shutdown() }()
	waittest.Everywhere(t, func(ctx context.Context, me int) {
		if me%2 == 0 { // these subscribe before anybody sends
			q := b.Subscribe(0)
			subscribed.Done()
			next := [waittest.Everyone]int{}
			for v, err := range q.All(ctx) {
				if err != nil || v[1] != next[v[0]] {
					t.Errorf("got %v, %v; want item %d of sender %d, and nil", v, err, next[v[0]], v[0])
					return
				}
				next[v[0]]++
			}
			for i := 1; i < waittest.Everyone; i += 2 {
				if next[i] != n {
					t.Errorf("%d came from %d, want %d", next[i], i, n)
				}
			}
			return
		}
		defer done.Done()
		task.Blocking(ctx, func(context.Context) (struct{}, error) { subscribed.Wait(); return struct{}{}, nil })
		for i := range n {
			b.Send([2]int{me, i})
		}
	})
}
