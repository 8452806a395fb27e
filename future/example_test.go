package future_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func ExamplePromise() {
	answer, promise := future.New[int]()
	go func() {
		promise.Resolve(42)
		promise.Resolve(43) // too late
	}()
	fmt.Println(answer.Await(context.Background()))
	// Output: 42 <nil>
}

// client is an API that calls back.
type client struct{}

func (client) GetAsync(done func(string, error)) {
	time.AfterFunc(time.Millisecond, func() { done("value", nil) })
}

func (client) Watch(key string, changed func(int, error)) (stop func()) {
	return func() { fmt.Println("stopped watching", key) }
}

func ExampleFromCallback() {
	var c client
	task.Run(context.Background(), func(ctx context.Context) error {
		v, err := future.FromCallback(c.GetAsync).Await(ctx)
		fmt.Println(v, err)
		return nil
	})
	// Output: value <nil>
}

func ExampleFromCallbackStop() {
	var c client
	change := future.FromCallbackStop(func(done func(int, error)) func() { return c.Watch("key", done) })
	change.Cancel(errors.New("no longer needed"))
	fmt.Println(change.Await(context.Background()))
	// Output:
	// stopped watching key
	// 0 no longer needed
}

func ExampleFromFunc() {
	sum := future.FromFunc(context.Background(), func(ctx context.Context) (int, error) {
		return 1 + 2, ctx.Err()
	})
	fmt.Println(sum.Await(context.Background()))
	// Output: 3 <nil>
}

func ExampleAll() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var squares []*task.Task[int]
		for i := range 4 {
			squares = append(squares, task.Go(ctx, func(ctx context.Context) (int, error) {
				return i * i, task.Sleep(ctx, time.Millisecond)
			}))
		}
		fmt.Println(future.All(ctx, squares...))
		return nil
	})
	// Output: [0 1 4 9] <nil>
}

func ExampleRace() {
	task.Run(context.Background(), func(ctx context.Context) error {
		after := func(d time.Duration) *task.Task[time.Duration] {
			return task.Go(ctx, func(ctx context.Context) (time.Duration, error) {
				err := task.Sleep(ctx, d)
				fmt.Println(d, err)
				return d, err
			})
		}
		first, err := future.Race(ctx, after(time.Hour), after(time.Millisecond))
		fmt.Println("first:", first, err)
		return nil
	})
	// Output:
	// 1ms <nil>
	// 1h0m0s future: cancelled
	// first: 1ms <nil>
}

func ExampleFuture_OnDone() {
	loop, err := reactor.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Close()
	answer, promise := future.New[int]()
	answer.OnDone(loop, func(v int, err error) {
		fmt.Println("in a callback of the loop:", v, err)
		loop.Stop()
	})
	go promise.Resolve(42)
	loop.Run(context.Background())
	// Output: in a callback of the loop: 42 <nil>
}
