//go:build unix || windows

package reactor_test

import (
	"context"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// BenchmarkCallSoon queues callbacks on the loop, and runs them.
func BenchmarkCallSoon(b *testing.B) {
	for name, width := range map[string]int{"one": 1, "batch of 64": 64} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := testkit.NewLoop(b)
			left := b.N
			var fn func()
			fn = func() {
				if left--; left > 0 {
					l.CallSoon(fn)
				} else {
					l.Stop()
				}
			}
			for range width {
				l.CallSoon(fn)
			}
			b.ResetTimer()
			l.Run(b.Context())
		})
	}
}

// BenchmarkCallSoonFromOutside posts bursts from another goroutine, and waits for each to have run.
func BenchmarkCallSoonFromOutside(b *testing.B) {
	const burst = 1000
	b.ReportAllocs()
	l := testkit.StartLoop(b)
	fn := func() {}
	done := make(chan struct{})
	last := func() { done <- struct{}{} }
	for i := 0; i < b.N; i += burst {
		for range burst - 1 {
			l.CallSoon(fn)
		}
		l.CallSoon(last)
		<-done
	}
}

// BenchmarkTimer adds a timer and stops it, on the loop, beside a million that are pending.
func BenchmarkTimer(b *testing.B) {
	for name, pending := range map[string]int{"alone": 0, "beside a million": 1_000_000} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := testkit.NewLoop(b)
			inLoopOf(b, l, func() {
				fn := func() {}
				rnd := rand.New(rand.NewPCG(1, 2))
				timeouts := make([]time.Duration, 4096)
				for i := range timeouts {
					timeouts[i] = time.Minute + time.Duration(rnd.Int64N(int64(time.Hour)))
				}
				for i := range pending {
					l.CallLater(timeouts[i%len(timeouts)], fn)
				}
				i := 0
				for b.Loop() {
					l.CallLater(timeouts[i%len(timeouts)], fn).Stop()
					i++
				}
			})
		})
	}
}

// inLoopOf runs fn on the loop, on this goroutine.
func inLoopOf(b *testing.B, l *reactor.Loop, fn func()) {
	l.CallSoon(fn)
	testkit.Turns(b, l, 1)
}

// BenchmarkYield measures a coroutine's way through the ready queue, beside the least that a switch
// there and back can cost.
func BenchmarkYield(b *testing.B) {
	b.Run("ruler", func(b *testing.B) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for yield(1) {
			}
		})
		defer stop()
		for b.Loop() {
			next()
		}
	})
	for name, tasks := range map[string]int{"one task": 1, "64 tasks": 64} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := testkit.NewLoop(b)
			var ctx context.Context = carrier{b.Context(), l}
			left := b.N
			for range tasks {
				start(l, func() {
					for left > 0 {
						left--
						coro.Yield(ctx, "benchmark")
					}
					l.Stop()
				})
			}
			b.ResetTimer()
			l.Run(b.Context())
		})
	}
}

// carrier is a context that knows its loop, as a task's does.
type carrier struct {
	context.Context
	loop *reactor.Loop
}

func (c carrier) CoroPool() *coro.Pool { return core(c.loop).Coroutines() }
func (carrier) Err() error             { return nil }
