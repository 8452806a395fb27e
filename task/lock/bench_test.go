package lock_test

import (
	"context"
	"runtime"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/lock"
)

// Locks and queues of tasks, each beside what goroutines use. Contended, what counts is the
// switches: each benchmark makes as many as its peer.

const contenders = 4

func BenchmarkMutex(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		var mu lock.Mutex
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
		var mu lock.Mutex
		g, ctx := task.NewGroup(ctx)
		locked(b, func(worker func()) { g.Go(func() error { worker(); return nil }) },
			func() { mu.Lock(ctx) }, func() { task.Yield(ctx) }, mu.Unlock)
		g.Wait()
	})
}

func BenchmarkMutexContendedByGoroutines(b *testing.B) {
	b.ReportAllocs()
	var mu lock.Mutex
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

// inTask runs fn as the main task of a loop.
func inTask(b *testing.B, fn func(ctx context.Context)) {
	b.ReportAllocs()
	testkit.Run(b, func(ctx context.Context) error { fn(ctx); return nil })
}
