package reactor_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

// BenchmarkCallSoon queues callbacks on the loop, and runs them.
func BenchmarkCallSoon(b *testing.B) {
	for name, width := range map[string]int{"one": 1, "batch of 64": 64} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			l := newLoop(b)
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
	l := started(b)
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
			l := newLoop(b)
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
	turns(b, l, 1)
}
