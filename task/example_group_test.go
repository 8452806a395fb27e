package task_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/task"
)

// A cache that has the answer gives it without a turn of the loop.
func ExampleEager() {
	cache := map[string]int{"known": 1}
	lookUp := func(name string) func(ctx context.Context) (int, error) {
		return func(ctx context.Context) (int, error) {
			if v, ok := cache[name]; ok {
				return v, nil
			}
			return 2, task.Sleep(ctx, time.Millisecond) // asks somebody
		}
	}
	task.Run(context.Background(), func(ctx context.Context) error {
		known := task.Go(ctx, lookUp("known"), task.Eager())
		unknown := task.Go(ctx, lookUp("unknown"), task.Eager())
		fmt.Println(known.Completed(), unknown.Completed())
		_, err := unknown.Await(ctx)
		return err
	})
	// Output: true false
}

// A daemon serves the other members of its group, and ends with them.
func ExampleDaemon() {
	err := task.Run(context.Background(), func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			done := 0
			task.Spawn(ctx, func(ctx context.Context) error {
				err := task.Sleep(ctx, time.Hour) // until there is something to tell
				fmt.Println("daemon:", done, "done, and", err)
				return err
			}, task.Daemon())
			for range 3 {
				g.Go(func() error { done++; return nil })
			}
			return nil
		})
	})
	fmt.Println(err)
	// Output:
	// daemon: 3 done, and task: the task or group of this context has ended
	// <nil>
}

// Start returns when the service is ready, and says where it is.
func ExampleStart() {
	serve := func(ctx context.Context, started func(address string) bool) error {
		started("127.0.0.1:8000") // after it has begun to listen
		err := task.Sleep(ctx, time.Hour)
		fmt.Println("served until:", err)
		return nil
	}
	stop := errors.New("enough")
	task.Run(context.Background(), func(ctx context.Context) error {
		return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
			short, cancel := task.WithTimeout(ctx, time.Minute) // for the start, and no longer
			defer cancel()
			address, err := task.Start(short, serve)
			fmt.Println(address, err)
			g.Cancel(stop)
			return nil
		})
	})
	// Output:
	// 127.0.0.1:8000 <nil>
	// served until: enough
}

func ExampleGroup_Errors() {
	task.Run(context.Background(), func(ctx context.Context) error {
		g, ctx := task.NewGroup(ctx)
		g.Go(func() error { return errors.New("the disk is full") })
		g.Go(func() error { return errors.New("and so is the other one") })
		g.Go(func() error { return task.Sleep(ctx, time.Hour) }) // is cancelled
		fmt.Println("first:", g.Wait())
		fmt.Println(g.Errors())
		return nil
	})
	// Output:
	// first: the disk is full
	// the disk is full
	// and so is the other one
}

// Each message gives the peer another minute.
func ExampleReschedule() {
	task.Run(context.Background(), func(ctx context.Context) error {
		quiet, cancel := task.WithTimeout(ctx, time.Minute)
		defer cancel()
		for range 3 { // messages
			fmt.Println(task.Reschedule(quiet, time.Now().Add(time.Minute)))
		}
		task.Reschedule(quiet, time.Now()) // the peer has said that there are no more
		fmt.Println(task.Sleep(quiet, time.Hour))
		fmt.Println(task.Reschedule(quiet, time.Time{})) // too late
		return nil
	})
	// Output:
	// true
	// true
	// true
	// context deadline exceeded
	// false
}
