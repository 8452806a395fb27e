package queue_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/internal/waittest"
	"github.com/corobridge/corobridge/task/queue"
)

func TestQueuesDoNotAllocate(t *testing.T) {
	if waittest.RaceEnabled {
		t.Skip("the race detector allocates")
	}
	testkit.Run(t, func(ctx context.Context) error {
		var q, there, back queue.Queue[int]
		bounded := queue.New[int](1)
		priority := queue.NewPriority(0, func(a, b int) bool { return a < b })
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		task.Spawn(own, func(ctx context.Context) error { // the other side of what has to wait
			for v, err := range there.All(ctx) {
				if err != nil {
					return err
				}
				back.TryPut(v)
			}
			return nil
		})
		for name, op := range map[string]func(){
			"TryPut":   func() { q.TryPut(1); q.TryGet() },
			"Put":      func() { bounded.Put(ctx, 1); bounded.Get(ctx) },
			"priority": func() { priority.Put(ctx, 1); priority.Get(ctx) },
			"Get, that has to wait": func() {
				there.TryPut(1)
				if v, err := back.Get(ctx); v != 1 || err != nil {
					t.Errorf("got %d, %v, want 1", v, err)
				}
			},
		} {
			if n := testing.AllocsPerRun(1000, op); n != 0 {
				t.Errorf("%s: %v allocations, want none", name, n)
			}
		}
		return nil
	})
}

// A task that puts and gets, and never has to wait, yields all the same.
func TestQueuesThatNeedNotWaitLeaveOthersTheirTurn(t *testing.T) {
	var q queue.Queue[int]
	waittest.LeavesOthersTheirTurn(t, map[string]func(ctx context.Context){
		"Put":  func(ctx context.Context) { q.Put(ctx, 1); q.TryGet() },
		"Get":  func(ctx context.Context) { q.TryPut(1); q.Get(ctx) },
		"Join": func(ctx context.Context) { new(queue.Queue[int]).Join(ctx) },
	}, func() bool { return false })
}
