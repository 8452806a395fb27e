package task_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// What Close must reach: tasks whose contexts no cancellation reaches.
func TestCloseCancelsShieldedAndForeignTasks(t *testing.T) {
	foreign, cancel := context.WithCancel(context.Background())
	defer cancel()
	forever := func(ctx context.Context) error { _, err := pending().Await(ctx); return err }
	starts := map[string]func(loop *reactor.Loop, started chan<- *task.Task[struct{}]){
		"shielded": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			task.Spawn(loop.Context(), func(ctx context.Context) error {
				started <- task.Spawn(context.WithoutCancel(ctx), forever)
				return forever(ctx)
			})
		},
		"foreign": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			started <- task.Spawn(reactor.WithLoop(foreign, loop), forever)
		},
		"background": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			started <- task.Spawn(reactor.WithLoop(context.Background(), loop), forever)
		},
		"shielded, below a task that was cancelled and has ended": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			contexts := make(chan context.Context, 1)
			tk := task.Spawn(loop.Context(), func(ctx context.Context) error {
				contexts <- ctx
				return forever(ctx)
			})
			ctx := <-contexts
			tk.Cancel(errTest)
			tk.Await(context.Background())
			started <- task.Spawn(context.WithoutCancel(ctx), forever)
		},
		"shielded, in a timeout that was left": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			ctx, cancel := task.WithTimeout(loop.Context(), time.Hour)
			started <- task.Spawn(context.WithoutCancel(ctx), forever)
			cancel()
		},
		"shielded, started when the loop is closing": func(loop *reactor.Loop, started chan<- *task.Task[struct{}]) {
			task.Spawn(loop.Context(), func(ctx context.Context) error {
				err := forever(ctx)
				started <- task.Spawn(context.WithoutCancel(ctx), forever)
				return err
			})
		},
	}
	for name, start := range starts {
		t.Run(name, func(t *testing.T) {
			for range rounds(50) {
				loop := testkit.StartLoop(t)
				started := make(chan *task.Task[struct{}], 1)
				start(loop, started)
				loop.Close()
				_, err := (<-started).TryResult()
				testkit.ErrorIs(t, err, reactor.ErrClosed)
			}
		})
	}
}

func TestTasksStartedBesideTheFirstCloseEnd(t *testing.T) {
	for range rounds(300) {
		loop := testkit.StartLoop(t)
		var both sync.WaitGroup
		both.Go(func() { loop.Close() })
		both.Go(func() { // perhaps the very first task of the loop
			tk := task.Go(reactor.WithLoop(context.Background(), loop), func(ctx context.Context) (int, error) { return pending().Await(ctx) })
			_, err := tk.Await(context.Background())
			testkit.ErrorIs(t, err, reactor.ErrClosed)
		})
		both.Wait()
	}
}
