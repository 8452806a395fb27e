package task_test

import (
	"context"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestATaskIsSmall(t *testing.T) {
	if task.SizeOfTask > 160 {
		t.Errorf("a Task[int] has %d bytes, want at most 160", task.SizeOfTask)
	}
}

// A task's wait with its own context needs no channel, and nothing of package context: the loop's
// tree tells it. That goes for the main task too, whose context derives from a foreign one.
func TestTheOwnContextIsNotWatched(t *testing.T) {
	wait := func(ctx context.Context) {
		f, p := future.New[int]()
		loop, _ := reactor.FromContext(ctx)
		loop.CallSoon(func() { p.Resolve(1) })
		f.Await(ctx)
		if task.Made(ctx) {
			t.Error("the task's context was asked for Done, want no channel made")
		}
	}
	foreign, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := task.Run(foreign, func(ctx context.Context) error {
		wait(ctx)
		_, err := task.Spawn(ctx, func(ctx context.Context) error { wait(ctx); return nil }).Await(ctx)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// postedResolve completes a promise from the ready queue, without an allocation of its own.
type postedResolve struct{ p *future.Promise[int] }

func (r *postedResolve) Run() { r.p.Resolve(1) }

func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		foreign, cancel := context.WithCancel(context.Background())
		defer cancel()
		timeout, cancel := task.WithTimeout(ctx, time.Hour)
		defer cancel()
		ready := future.Resolved(1)
		empty := func(context.Context) (int, error) { return 1, nil }
		resolve := &postedResolve{}
		await := func(c context.Context) func() {
			return func() {
				var f *future.Future[int]
				f, resolve.p = future.New[int]()
				coreOf(loop).Post(resolve)
				f.Await(c)
			}
		}
		for name, c := range map[string]struct {
			fn   func()
			most float64
		}{
			"Await of a ready future":                  {func() { ready.Await(ctx) }, 0},
			"Await of a ready future, foreign context": {func() { ready.Await(foreign) }, 0},
			"Yield":        {func() { task.Yield(ctx) }, 0},
			"Go and Await": {func() { task.Go(ctx, empty).Await(ctx) }, 2},
			"Await of a pending future, with its promise": {await(ctx), 1},
			"the same with a timeout's context":           {await(timeout), 1},
			"the same with a foreign context seen before": {await(foreign), 1},
			"the same with the background context":        {await(context.Background()), 1},
			"Sleep":                                       {func() { task.Sleep(ctx, 1) }, 1},
		} {
			if n := testing.AllocsPerRun(1000, c.fn); n > c.most {
				t.Errorf("%s: %v allocations, want at most %v", name, n, c.most)
			}
		}
		return nil
	})
}
