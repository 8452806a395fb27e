package queue_test

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/queue"
)

// Workers share a queue that holds two items: who puts waits for them. Shutdown lets them finish
// what is there.
func ExampleQueue() {
	task.Run(context.Background(), func(ctx context.Context) error {
		jobs := queue.New[int](2)
		done := 0
		g, ctx := task.NewGroup(ctx)
		for range 3 {
			g.Go(func() error {
				for _, err := range jobs.All(ctx) {
					if err != nil {
						return err // the context's
					}
					if err := task.Yield(ctx); err != nil { // work
						return err
					}
					done++
				}
				return nil
			})
		}
		for i := range 10 {
			if err := jobs.Put(ctx, i); err != nil {
				return err
			}
		}
		jobs.Shutdown()
		err := g.Wait()
		fmt.Println(done, err)
		return nil
	})
	// Output: 10 <nil>
}

// Join waits until the work on each item is done.
func ExampleQueue_Join() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var jobs queue.Queue[string]
		task.Spawn(ctx, func(ctx context.Context) error {
			for job, err := range jobs.All(ctx) {
				if err != nil {
					return err
				}
				task.Yield(ctx)
				fmt.Println(job, "is done")
				jobs.TaskDone()
			}
			return nil
		})
		for _, job := range []string{"wash", "dry"} {
			if err := jobs.Put(ctx, job); err != nil {
				return err
			}
		}
		err := jobs.Join(ctx)
		fmt.Println("all is done", err)
		jobs.Shutdown()
		return nil
	})
	// Output:
	// wash is done
	// dry is done
	// all is done <nil>
}

// A queue passes items between goroutines and tasks, whoever is which.
func ExampleQueue_goroutine() {
	task.Run(context.Background(), func(ctx context.Context) error {
		var q queue.Queue[int]
		go func() {
			for i := range 3 {
				q.TryPut(i)
			}
			q.Shutdown()
		}()
		sum := 0
		for n, err := range q.All(ctx) { // suspends the task
			if err != nil {
				return err
			}
			sum += n
		}
		fmt.Println(sum)
		return nil
	})
	// Output: 3
}

func ExampleNewPriority() {
	type job struct {
		urgency int
		name    string
	}
	q := queue.NewPriority(0, func(a, b job) bool { return a.urgency > b.urgency })
	for _, j := range []job{{1, "sweep"}, {9, "put out the fire"}, {1, "dust"}} {
		q.TryPut(j)
	}
	q.Shutdown()
	for j := range q.All(context.Background()) {
		fmt.Println(j.name)
	}
	// Output:
	// put out the fire
	// sweep
	// dust
}

func ExampleNewLIFO() {
	q := queue.NewLIFO[string](0)
	for _, page := range []string{"home", "news", "weather"} {
		q.TryPut(page)
	}
	back, err := q.TryGet()
	fmt.Println(back, err)
	// Output: weather <nil>
}

// Each subscriber has what is sent after its subscription. One whose buffer is full when a value
// comes is cut off, and knows.
func ExampleBroadcast() {
	var news queue.Broadcast[string]
	news.Send("nobody hears this")
	patient, slow := news.Subscribe(0), news.Subscribe(1)
	news.Send("one")
	news.Send("two")
	news.Shutdown()
	for name, q := range map[string]*queue.Queue[string]{"patient": patient, "slow": slow} {
		for item, err := range q.All(context.Background()) {
			fmt.Println(name, item, err)
		}
	}
	// Unordered output:
	// patient one <nil>
	// patient two <nil>
	// slow one <nil>
	// slow  queue: the subscriber was too slow, and has missed items
}
