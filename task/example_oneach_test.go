package task_test

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Each loop counts by itself, without a lock; OnEach asks them all.
func ExampleOnEach() {
	group, err := reactor.NewGroup(3)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer group.Close()
	group.Start()

	hits := map[*reactor.Loop]*int{}
	for _, l := range group.Loops() {
		hits[l] = new(int)
	}
	ctx := context.Background()
	for range 2 {
		task.OnEach(ctx, group, func(ctx context.Context, l *reactor.Loop) (struct{}, error) {
			*hits[l]++
			return struct{}{}, nil
		})
	}
	fmt.Println(task.OnEach(ctx, group, func(ctx context.Context, l *reactor.Loop) (int, error) {
		return *hits[l], nil
	}))
	// Output: [2 2 2] <nil>
}
