package task_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/task"
)

// Locks and queues of tasks, each beside what goroutines use. Contended, what counts is the switches: each benchmark makes as many as its peer.

const contenders = 4

func BenchmarkMutex(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		var mu task.Mutex
		for b.Loop() {
			mu.Lock(ctx)
			mu.Unlock()
		}
	})
}

func BenchmarkRulerSyncMutex(b *testing.B) {
	var mu sync.Mutex
	for b.Loop() {
		mu.Lock()
		//lint:ignore SA2001 the pair of calls is what is measured
		mu.Unlock()
	}
}

// locked has tasks lock and unlock, each b.N / contenders times.
func locked(b *testing.B, start func(worker func()), lock, yield, unlock func()) {
	for i := range contenders {
		n := (b.N + i) / contenders
		start(func() {
			for range n {
				lock()
				yield() // so that the others find it locked
				unlock()
			}
		})
	}
}

func BenchmarkMutexContended(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		var mu task.Mutex
		g, ctx := task.NewGroup(ctx)
		locked(b, func(worker func()) { g.Go(func() error { worker(); return nil }) },
			func() { mu.Lock(ctx) }, func() { task.Yield(ctx) }, mu.Unlock)
		g.Wait()
	})
}

func BenchmarkMutexContendedByGoroutines(b *testing.B) {
	b.ReportAllocs()
	var mu task.Mutex
	var g sync.WaitGroup
	locked(b, g.Go, func() { mu.Lock(context.Background()) }, runtime.Gosched, mu.Unlock)
	g.Wait()
}

func BenchmarkRulerSyncMutexContended(b *testing.B) {
	b.ReportAllocs()
	var mu sync.Mutex
	var g sync.WaitGroup
	locked(b, g.Go, mu.Lock, runtime.Gosched, mu.Unlock)
	g.Wait()
}

func BenchmarkQueueTry(b *testing.B) {
	b.ReportAllocs()
	var q task.Queue[int]
	for b.Loop() {
		q.TryPut(1)
		q.TryGet()
	}
}

func BenchmarkQueueReady(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		var q task.Queue[int]
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
				q := task.NewQueue[int](size)
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
			loop := background(b)
			q := task.NewQueue[int](size)
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
