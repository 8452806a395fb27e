package queue_test

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/queue"
)

func BenchmarkQueueTry(b *testing.B) {
	b.ReportAllocs()
	var q queue.Queue[int]
	for b.Loop() {
		q.TryPut(1)
		q.TryGet()
	}
}

func BenchmarkQueueReady(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		var q queue.Queue[int]
		for b.Loop() {
			q.Put(ctx, 1)
			q.Get(ctx)
		}
	})
}

func BenchmarkRulerChannelReady(b *testing.B) {
	c := make(chan int, 1)
	for b.Loop() {
		c <- 1
		<-c
	}
}

var sizes = map[string]int{"1": 1, "64": 64}

func BenchmarkQueueContended(b *testing.B) {
	for name, size := range sizes {
		b.Run(name, func(b *testing.B) {
			inTask(b, func(ctx context.Context) {
				q := queue.New[int](size)
				producer := task.Spawn(ctx, func(ctx context.Context) error {
					for i := range b.N {
						if err := q.Put(ctx, i); err != nil {
							return err
						}
					}
					return nil
				})
				for range b.N {
					q.Get(ctx)
				}
				producer.Await(ctx)
			})
		})
	}
}

func BenchmarkRulerChannelContended(b *testing.B) {
	for name, size := range sizes {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			c := make(chan int, size)
			go func() {
				for i := range b.N {
					c <- i
				}
			}()
			for range b.N {
				<-c
			}
		})
	}
}

// Between loops, or goroutines on two processors, each hand-over may wake a thread.
func BenchmarkQueueBetweenLoops(b *testing.B) {
	for name, size := range sizes {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			loop := testkit.StartLoop(b)
			q := queue.New[int](size)
			producer := task.Spawn(loop.Context(), func(ctx context.Context) error {
				for i := range b.N {
					if err := q.Put(ctx, i); err != nil {
						return err
					}
				}
				return nil
			})
			inTask(b, func(ctx context.Context) {
				for range b.N {
					q.Get(ctx)
				}
				producer.Await(ctx)
			})
		})
	}
}

// inTask runs fn as the main task of a loop.
func inTask(b *testing.B, fn func(ctx context.Context)) {
	b.ReportAllocs()
	testkit.Run(b, func(ctx context.Context) error { fn(ctx); return nil })
}
