package future_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/task"
)

func inBoth(b *testing.B, fn func(b *testing.B, ctx context.Context)) {
	b.Run("goroutine", func(b *testing.B) {
		b.ReportAllocs()
		fn(b, context.Background())
	})
	b.Run("task", func(b *testing.B) {
		b.ReportAllocs()
		err := task.Run(context.Background(), func(ctx context.Context) error { fn(b, ctx); return nil }, task.WithSignals())
		if err != nil {
			b.Fatal(err)
		}
	})
}

func BenchmarkAllOf100Ready(b *testing.B) {
	inBoth(b, func(b *testing.B, ctx context.Context) {
		var fs []*future.Future[int]
		for i := range 100 {
			fs = append(fs, future.Resolved(i))
		}
		for b.Loop() {
			future.All(ctx, fs...)
		}
	})
}

func BenchmarkRaceWithOneReady(b *testing.B) {
	inBoth(b, func(b *testing.B, ctx context.Context) {
		never, _ := future.New[int]()
		ready := future.Resolved(1)
		for b.Loop() {
			future.Race(ctx, future.Shield(never), ready)
		}
	})
}

// The time for a link must not depend on the length of the chain.
func BenchmarkThenChain(b *testing.B) {
	for _, n := range []int{100, 10_000, 1_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f, p := future.New[int]()
				last := f
				for range n {
					last = future.Then(last, future.Resolved[int])
				}
				p.Resolve(1)
				last.TryResult()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/link")
		})
	}
}

func BenchmarkInlineCallback(b *testing.B) {
	inBoth(b, func(b *testing.B, ctx context.Context) {
		calls := 0
		count := func(int, error) { calls++ }
		for b.Loop() {
			f, p := future.New[int]()
			f.OnDone(future.Inline, count)
			p.Resolve(1)
		}
	})
}

func BenchmarkFail(b *testing.B) {
	inBoth(b, func(b *testing.B, ctx context.Context) {
		for b.Loop() {
			_, p := future.New[int]()
			p.Fail(errTest)
		}
	})
}
