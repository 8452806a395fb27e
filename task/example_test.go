package task_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func ExampleRun() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		task.Spawn(ctx, func(ctx context.Context) error {
			fmt.Println("world")
			return nil
		})
		fmt.Println("hello")
		return task.Yield(ctx)
	})
	fmt.Println(err)
	// Output:
	// hello
	// world
	// <nil>
}

func ExampleGo() {
	double := func(n int) func(ctx context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			err := task.Sleep(ctx, time.Millisecond)
			return 2 * n, err
		}
	}
	task.Run(context.Background(), func(ctx context.Context) error {
		a, b := task.Go(ctx, double(1)), task.Go(ctx, double(2)) // both sleep at the same time
		x, err := a.Await(ctx)
		if err != nil {
			return err
		}
		y, err := b.Await(ctx)
		fmt.Println(x, y)
		return err
	})
	// Output: 2 4
}

// From outside: a loop in the background, and a goroutine that starts a task on it and awaits the
// result.
func ExampleGo_fromAGoroutine() {
	loop, err := reactor.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Close()
	loop.Start()

	hits := 0 // touched by tasks of the loop only, so it needs no lock
	hit := func(ctx context.Context) (int, error) {
		hits++
		return hits, nil
	}
	for range 3 {
		fmt.Println(task.Go(loop.Context(), hit).Await(context.Background()))
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
	// 3 <nil>
}

// A Group is a drop-in for errgroup.Group: only the constructor changes.
func ExampleGroup() {
	task.Run(context.Background(), func(ctx context.Context) error {
		g, ctx := task.NewGroup(ctx) // was errgroup.WithContext(ctx)
		g.SetLimit(2)
		for i := range 3 {
			g.Go(func() error {
				fmt.Println("member", i)
				return task.Sleep(ctx, time.Millisecond)
			})
		}
		fmt.Println(g.Wait())
		return nil
	})
	// Output:
	// member 0
	// member 1
	// member 2
	// <nil>
}

// The first error cancels the other members, and Wait returns it when all have ended.
func ExampleGroup_firstError() {
	task.Run(context.Background(), func(ctx context.Context) error {
		g, ctx := task.NewGroup(ctx)
		g.Go(func() error {
			err := task.Sleep(ctx, time.Hour)
			fmt.Println("the sleeper:", err)
			return err
		})
		g.Go(func() error { return errors.New("no such host") })
		fmt.Println("Wait:", g.Wait())
		return nil
	})
	// Output:
	// the sleeper: no such host
	// Wait: no such host
}

func ExampleScope() {
	task.Run(context.Background(), func(ctx context.Context) error {
		err := task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			for i := range 2 {
				g.Go(func() error {
					defer fmt.Println("member", i, "has ended")
					return task.Sleep(ctx, time.Duration(i+1)*time.Millisecond)
				})
			}
			fmt.Println("fn returns")
			return nil
		})
		fmt.Println("Scope returns", err)
		return nil
	})
	// Output:
	// fn returns
	// member 0 has ended
	// member 1 has ended
	// Scope returns <nil>
}

func ExampleWithTimeout() {
	task.Run(context.Background(), func(ctx context.Context) error {
		short, cancel := task.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		err := task.Sleep(short, time.Hour)
		fmt.Println(err, errors.Is(err, context.DeadlineExceeded))
		return nil
	})
	// Output: context deadline exceeded true
}

// What blocks a goroutine would block the whole loop: Blocking runs it beside.
func ExampleBlocking() {
	task.Run(context.Background(), func(ctx context.Context) error {
		lines := make(chan string)
		go func() { lines <- "a line" }()
		line, err := task.Blocking(ctx, func(ctx context.Context) (string, error) {
			return <-lines, nil
		})
		fmt.Println(line, err)
		return nil
	})
	// Output: a line <nil>
}

// An errgroup inside a task: its goroutines may await what the loop's tasks make.
func ExampleWait() {
	task.Run(context.Background(), func(ctx context.Context) error {
		answer := task.Go(ctx, func(ctx context.Context) (int, error) { return 42, task.Sleep(ctx, time.Millisecond) })
		g, gctx := errgroup.WithContext(ctx)
		for range 2 {
			g.Go(func() error {
				v, err := answer.Await(gctx) // blocks this goroutine
				fmt.Println(v)
				return err
			})
		}
		return task.Wait(ctx, g) // g.Wait() would stop the loop
	})
	// Output:
	// 42
	// 42
}

// Between two awaits nothing else runs on the loop.
func ExampleYield() {
	task.Run(context.Background(), func(ctx context.Context) error {
		count := 0
		var tasks []*task.Task[struct{}]
		for range 100 {
			tasks = append(tasks, task.Spawn(ctx, func(ctx context.Context) error {
				for range 10 {
					n := count
					count = n + 1 // no await since count was read
					task.Yield(ctx)
				}
				return nil
			}))
		}
		_, err := future.All(ctx, tasks...)
		fmt.Println(count)
		return err
	})
	// Output: 1000
}
