package inspect_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/inspect"
	"github.com/corobridge/corobridge/task/lock"
)

func ExampleWriteTree() {
	task.Run(context.Background(), func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		answer, p := future.New[int]()
		var mu lock.Mutex
		fetch := task.Spawn(ctx, func(ctx context.Context) error {
			return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
				task.Spawn(ctx, func(ctx context.Context) error {
					mu.Lock(ctx)
					defer mu.Unlock()
					_, err := answer.Await(ctx)
					return err
				}, task.Name("reader"))
				task.Spawn(ctx, func(ctx context.Context) error { return mu.Lock(ctx) }, task.Name("writer"))
				return nil
			})
		}, task.Name("fetch"))
		short, cancel := task.WithTimeout(ctx, time.Minute)
		defer cancel()
		task.Spawn(short, func(ctx context.Context) error {
			_, err := fetch.Await(ctx)
			return err
		})
		task.Sleep(ctx, time.Millisecond)

		inspect.WriteTree(ctx, os.Stdout, loop)
		p.Resolve(1)
		return nil
	})
	// Output:
	// task 1 "main": running
	// ├── task 2 "fetch": awaits group of 2 running tasks
	// │   └── group of 2 running tasks
	// │       ├── task 3 "reader": awaits pending future
	// │       └── task 4 "writer": awaits mutex held by task 3 "reader"
	// └── timeout
	//     └── task 5: awaits task 2 "fetch"
}

// Two tasks lock two mutexes in different orders. In debug mode the exception handler is told.
func ExampleDeadlockError() {
	told := reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
		var deadlock *inspect.DeadlockError
		if errors.As(e.Err, &deadlock) {
			for _, i := range deadlock.Tasks {
				fmt.Println(i, "awaits", i.Awaits)
			}
			deadlock.Tasks[0].Cancel(deadlock) // so somebody goes on
		}
	})
	task.Run(context.Background(), func(ctx context.Context) error {
		var a, b lock.Mutex
		transfer := func(from, to *lock.Mutex) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				from.Lock(ctx)
				defer from.Unlock()
				task.Yield(ctx)
				if err := to.Lock(ctx); err != nil {
					return err
				}
				defer to.Unlock()
				return nil
			}
		}
		there := task.Spawn(ctx, transfer(&a, &b), task.Name("there"))
		back := task.Spawn(ctx, transfer(&b, &a), task.Name("back"))
		_, err := there.Await(ctx)
		fmt.Println(errors.Is(err, inspect.ErrDeadlock))
		_, err = back.Await(ctx)
		return err
	}, task.WithLoopOptions(reactor.WithDebug(0), told))
	// Output:
	// task 2 "there" awaits mutex held by task 3 "back"
	// task 3 "back" awaits mutex held by task 2 "there"
	// true
}

func waitForever(ctx context.Context) error {
	f, _ := future.New[int]()
	_, err := f.Await(ctx)
	return err
}

// From a goroutine, which a loop that is stalled does not answer: so there is a deadline.
func ExampleAll() {
	loop, err := reactor.New()
	if err != nil {
		fmt.Println(err)
		return
	}
	defer loop.Close()
	loop.Start()
	begun, p := future.New[int]()
	task.Spawn(loop.Context(), func(ctx context.Context) error {
		p.Resolve(1)
		return waitForever(ctx)
	}, task.Name("worker"))
	begun.Await(context.Background())

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	all, err := inspect.All(ctx, loop)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, i := range all {
		stack, err := i.Stack(ctx)
		fmt.Println(i, "is", i.State, "in waitForever:", bytes.Contains(stack, []byte("inspect_test.waitForever(")), err)
	}
	// Output: task 1 "worker" is waiting in waitForever: true <nil>
}

func ExampleCurrent() {
	log := func(text string) {
		if i, ok := inspect.Current(); ok {
			text = i.Name + ": " + text
		}
		fmt.Println(strings.ToLower(text))
	}
	log("Outside")
	task.Run(context.Background(), func(ctx context.Context) error {
		log("Hello")
		return nil
	})
	// Output:
	// outside
	// main: hello
}
