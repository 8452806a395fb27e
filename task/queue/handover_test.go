package queue_test

import (
	"context"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/queue"
)

func goods() map[string]waittest.Good {
	return map[string]waittest.Good{"Get": getGood(), "Put": putGood()}
}

// getGood is an item, which is put again when it is given.
func getGood() waittest.Good {
	var q queue.Queue[int]
	var got waittest.Log
	puts := 0
	note := func(n int, err error) error {
		if err == nil {
			got.Add(n)
		}
		return err
	}
	return waittest.Good{
		Take:    func(ctx context.Context) error { return note(q.Get(ctx)) },
		Try:     func() bool { return note(q.TryGet()) == nil },
		Give:    func() { puts++; q.TryPut(puts) },
		Waiting: q.Waiting,
		Check:   func() bool { ns := got.Sorted(); return len(ns) == puts && slices.Equal(ns, upTo(puts)) },
	}
}

// putGood is room for an item.
func putGood() waittest.Good {
	q := queue.New[int](1)
	q.TryPut(1)
	var put, got waittest.Log
	put.Add(1)
	var next waittest.Log
	note := func(n int, err error) error {
		if err == nil {
			put.Add(n)
		}
		return err
	}
	number := func() int { next.Add(1); return 1 + len(next.Sorted()) }
	take := func() {
		if n, err := q.TryGet(); err == nil {
			got.Add(n)
		}
	}
	return waittest.Good{
		Take:    func(ctx context.Context) error { n := number(); return note(n, q.Put(ctx, n)) },
		Try:     func() bool { n := number(); return note(n, q.TryPut(n)) == nil },
		Give:    take,
		Waiting: q.Waiting,
		Check:   func() bool { take(); return slices.Equal(put.Sorted(), got.Sorted()) },
	}
}

func upTo(n int) (ns []int) {
	for i := range n {
		ns = append(ns, i+1)
	}
	return ns
}

func TestACancellationBesideAHandOverLosesNothing(t *testing.T) { waittest.HandOver(t, goods) }

// What is given while an operation begins is taken, once, and not waited for.
func TestWhatIsGivenBeforeTheWaitBeginsIsNotWaitedFor(t *testing.T) {
	waittest.GivenMeanwhile(t, goods())
	var q queue.Queue[int]
	q.TryPut(1)
	if err := q.Join(waittest.Hooked(q.TaskDone)); err != nil {
		t.Errorf("Join of what is done meanwhile returned %v, want nil", err)
	}
}

// Each operation that begins with a context that is done fails, also where it could succeed at
// once, and changes nothing.
func TestAnOperationThatBeginsWithADoneContextTakesNothing(t *testing.T) {
	var q queue.Queue[int]
	q.TryPut(1)
	waittest.Done(t, map[string]func(ctx context.Context) error{
		"Put":  func(ctx context.Context) error { return q.Put(ctx, 2) },
		"Get":  func(ctx context.Context) error { _, err := q.Get(ctx); return err },
		"Join": q.Join,
		"All": func(ctx context.Context) (err error) {
			for _, err = range q.All(ctx) {
			}
			return err
		},
	})
	if q.Len() != 1 {
		t.Errorf("%s, want it to hold the 1 item as before", &q)
	}
}
