package future_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

// fetch is what the examples await: it takes d, and then returns the name, or fails if that is
// empty.
func fetch(ctx context.Context, name string, d time.Duration) *task.Task[string] {
	return task.Go(ctx, func(ctx context.Context) (string, error) {
		if err := task.Sleep(ctx, d); err != nil {
			return "", err
		}
		if name == "" {
			return "", errors.New("not found")
		}
		return name, nil
	})
}

func ExampleAllSettled() {
	task.Run(context.Background(), func(ctx context.Context) error {
		all, err := future.AllSettled(ctx, fetch(ctx, "a", time.Millisecond), fetch(ctx, "", time.Millisecond))
		for _, out := range all {
			fmt.Printf("%q, %v\n", out.Value, out.Err)
		}
		return err
	})
	// Output:
	// "a", <nil>
	// "", not found
}

func ExampleAny() {
	task.Run(context.Background(), func(ctx context.Context) error {
		fmt.Println(future.Any(ctx, fetch(ctx, "", 0), fetch(ctx, "slow", time.Hour), fetch(ctx, "quick", time.Millisecond)))
		_, err := future.Any(ctx, fetch(ctx, "", 0), fetch(ctx, "", time.Millisecond))
		fmt.Printf("%q\n", err)
		return nil
	})
	// Output:
	// quick <nil>
	// "not found\nnot found"
}

func ExampleAll2() {
	task.Run(context.Background(), func(ctx context.Context) error {
		size := future.FromFunc(ctx, func(context.Context) (int, error) { return 3, nil })
		name, n, err := future.All2(ctx, fetch(ctx, "a", time.Millisecond), size)
		fmt.Println(name, n, err)
		return nil
	})
	// Output: a 3 <nil>
}

func ExampleAll3() {
	ctx := context.Background()
	name, n, ok, err := future.All3(ctx, future.Resolved("a"), future.Resolved(3), future.Resolved(true))
	fmt.Println(name, n, ok, err)
	// Output: a 3 true <nil>
}

func ExampleWait() {
	task.Run(context.Background(), func(ctx context.Context) error {
		done, pending, err := future.Wait(ctx, future.FirstCompleted, fetch(ctx, "slow", time.Hour), fetch(ctx, "quick", time.Millisecond))
		fmt.Println(len(done), "done,", len(pending), "pending,", err)
		fmt.Println(done[0].TryResult())
		pending[0].Cancel(nil)
		return nil
	})
	// Output:
	// 1 done, 1 pending, <nil>
	// quick <nil>
}

func ExampleAsCompleted() {
	task.Run(context.Background(), func(ctx context.Context) error {
		for i, out := range future.AsCompleted(ctx, fetch(ctx, "never", time.Hour), fetch(ctx, "", 2*time.Millisecond), fetch(ctx, "a", 0)) {
			fmt.Printf("%d: %q, %v\n", i, out.Value, out.Err)
			if out.Err != nil {
				break // cancels and awaits the one that is left
			}
		}
		return nil
	})
	// Output:
	// 2: "a", <nil>
	// 1: "", not found
}

func ExampleKeep() {
	task.Run(context.Background(), func(ctx context.Context) error {
		slow, quick := fetch(ctx, "slow", 5*time.Millisecond), fetch(ctx, "quick", 0)
		fmt.Println(future.Race(ctx, future.Keep(slow, quick)...))
		fmt.Println(slow.Await(ctx)) // it was not cancelled
		return nil
	})
	// Output:
	// quick <nil>
	// slow <nil>
}

func ExampleFromChan() {
	answers := make(chan string, 1)
	go func() { answers <- "value" }()
	fmt.Println(future.FromChan(answers).Await(context.Background()))
	close(answers)
	fmt.Println(future.FromChan(answers).Await(context.Background()))
	// Output:
	// value <nil>
	//  EOF
}

func ExampleFromContext() {
	request, cancel := context.WithCancelCause(context.Background())
	gone := future.Map(future.FromContext(request), func(struct{}) (string, error) { return "", nil })
	answer, _ := future.New[string]()
	cancel(errors.New("connection lost"))
	fmt.Println(future.Race(context.Background(), answer, gone))
	// Output:  connection lost
}
