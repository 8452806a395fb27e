package lock_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/lock"
)

// A Mutex may be held across an await.
func ExampleMutex() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var mu lock.Mutex
		balance := 100
		g, ctx := task.NewGroup(ctx)
		for range 3 {
			g.Go(func() error {
				if err := mu.Lock(ctx); err != nil {
					return err
				}
				defer mu.Unlock()
				b := balance
				if err := task.Sleep(ctx, time.Millisecond); err != nil { // asks a server, say
					return err
				}
				balance = b - 10
				return nil
			})
		}
		err := g.Wait()
		fmt.Println(balance, err)
		return nil
	})
	// Output: 70 <nil>
}

func ExampleRWMutex() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var mu lock.RWMutex
		prices := map[string]int{"tea": 3}
		g, ctx := task.NewGroup(ctx)
		for range 2 {
			g.Go(func() error {
				if err := mu.RLock(ctx); err != nil {
					return err
				}
				defer mu.RUnlock()
				fmt.Println("reading", prices["tea"])
				return task.Yield(ctx) // both are here at once
			})
		}
		g.Go(func() error {
			if err := mu.Lock(ctx); err != nil {
				return err
			}
			defer mu.Unlock()
			prices["tea"] = 4
			fmt.Println("writing", prices["tea"])
			return nil
		})
		return g.Wait()
	})
	// Output:
	// reading 3
	// reading 3
	// writing 4
}

func ExampleEvent() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var ready lock.Event
		g, ctx := task.NewGroup(ctx)
		for i := range 2 {
			g.Go(func() error {
				err := ready.Wait(ctx)
				fmt.Println("worker", i, "goes on", err)
				return err
			})
		}
		task.Sleep(ctx, time.Millisecond)
		fmt.Println("ready")
		ready.Set()
		return g.Wait()
	})
	// Output:
	// ready
	// worker 0 goes on <nil>
	// worker 1 goes on <nil>
}

func ExampleCond() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var mu lock.Mutex
		cond := lock.Cond{L: &mu}
		level := 0
		task.Spawn(ctx, func(ctx context.Context) error {
			for range 3 {
				if err := mu.Lock(ctx); err != nil {
					return err
				}
				level++
				cond.Broadcast()
				mu.Unlock()
			}
			return nil
		})
		if err := mu.Lock(ctx); err != nil {
			return err
		}
		defer mu.Unlock()
		err := cond.WaitFor(ctx, func() bool { return level >= 2 }) // without the lock meanwhile
		fmt.Println(level >= 2, err)
		return err
	})
	// Output: true <nil>
}

// At most so much at once, by weight.
func ExampleSemaphore() {
	task.Run(context.Background(), func(ctx context.Context) error {
		megabytes := lock.NewSemaphore(100)
		g, ctx := task.NewGroup(ctx)
		for _, size := range []int64{60, 50, 40} {
			g.Go(func() error {
				if err := megabytes.Acquire(ctx, size); err != nil {
					return err
				}
				defer megabytes.Release(size)
				fmt.Println("loading", size)
				defer fmt.Println("loaded", size)
				return task.Yield(ctx)
			})
		}
		return g.Wait()
	})
	// Output:
	// loading 60
	// loaded 60
	// loading 50
	// loading 40
	// loaded 50
	// loaded 40
}

func ExampleBarrier() {
	task.Run(context.Background(), func(ctx context.Context) error {
		b := lock.NewBarrier(2)
		g, ctx := task.NewGroup(ctx)
		for i := range 2 {
			g.Go(func() error {
				fmt.Println("first half", i)
				if _, err := b.Wait(ctx); err != nil {
					return err
				}
				fmt.Println("second half", i)
				return nil
			})
		}
		return g.Wait()
	})
	// Unordered output:
	// first half 0
	// first half 1
	// second half 0
	// second half 1
}

// A function that fails has not run: the next one tries again.
func ExampleOnce() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var once lock.Once
		tries := 0
		connect := func(ctx context.Context) error {
			if tries++; tries == 1 {
				return errors.New("refused")
			}
			return task.Yield(ctx)
		}
		for range 3 {
			fmt.Println(once.Do(ctx, connect), "tries:", tries)
		}
		return nil
	})
	// Output:
	// refused tries: 1
	// <nil> tries: 2
	// <nil> tries: 2
}
