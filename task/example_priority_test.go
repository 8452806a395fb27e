package task_test

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func ExamplePriority() {
	say := func(what string) func(context.Context) error {
		return func(context.Context) error { fmt.Println(what); return nil }
	}
	err := task.Run(context.Background(), func(ctx context.Context) error {
		g, ctx := task.NewGroup(ctx)
		task.Spawn(ctx, say("a report"), task.Priority(1))
		task.Spawn(ctx, say("a request"))
		return g.Wait()
	}, task.WithLoopOptions(reactor.WithPriorities(2, 10)))
	fmt.Println(err)
	// Output:
	// a request
	// a report
	// <nil>
}

func ExampleCheckpoint() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		beside := task.Spawn(ctx, func(context.Context) error { fmt.Println("beside it"); return nil })
		sum := 0
		for i := range 1000 {
			sum += i
			if err := task.Checkpoint(ctx); err != nil {
				return err
			}
		}
		fmt.Println(sum)
		_, err := beside.Await(ctx)
		return err
	})
	fmt.Println(err)
	// Output:
	// beside it
	// 499500
	// <nil>
}
