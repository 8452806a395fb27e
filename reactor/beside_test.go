package reactor_test

import (
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// A loop whose wait keeps the processor is asked for it once by a signal. Then it gives it back,
// and sleeps until there is something to do.
func TestAnIdleLoopSleeps(t *testing.T) {
	l := testkit.NewLoop(t)
	before := uint64(0)
	l.CallSoon(func() { before = stats(l).Polls })
	l.CallLater(300*time.Millisecond, l.Stop)
	testkit.Check(l.Run(t.Context()))
	if n := stats(l).Polls - before; n > 10 {
		t.Errorf("%d polls of an idle loop in 300 ms, want about 2", n)
	}
}

// These measure what a loop costs other goroutines of the program: one that is idle, and one that
// waits 200 µs at a time. The figures are medians.
func BenchmarkBesideALoop(b *testing.B) {
	besides := map[string]func() time.Duration{
		"stop the world": func() time.Duration {
			var m runtime.MemStats
			start := time.Now()
			runtime.ReadMemStats(&m)
			return time.Since(start)
		},
		"late timer": func() time.Duration {
			start := time.Now()
			time.Sleep(time.Millisecond)
			return time.Since(start) - time.Millisecond
		},
	}
	for _, load := range []struct {
		name  string
		every time.Duration
	}{{"idle", 0}, {"busy", 200 * time.Microsecond}} {
		for name, measure := range besides {
			b.Run(load.name+"/"+name, func(b *testing.B) {
				besideLoop(b, load.every, func(*reactor.Loop) { reportMedian(b, measure) })
			})
		}
		b.Run(load.name+"/goroutine made ready by a callback", func(b *testing.B) {
			besideLoop(b, load.every, func(l *reactor.Loop) {
				reportMedian(b, func() time.Duration {
					late := make(chan time.Duration)
					l.CallSoon(func() {
						start := time.Now()
						go func() { late <- time.Since(start) }()
					})
					return <-late
				})
			})
		})
		b.Run(load.name+"/computing", func(b *testing.B) {
			besideLoop(b, load.every, func(*reactor.Loop) { reportComputing(b) })
		})
	}
}

// besideLoop calls f while a loop runs in another goroutine, which has something to do each so
// often (0: never).
func besideLoop(b *testing.B, every time.Duration, f func(l *reactor.Loop)) {
	l := testkit.Must(reactor.New())
	l.Start()
	if every > 0 {
		l.Every(every, func() {})
	}
	time.Sleep(50 * time.Millisecond) // so that an idle loop is
	f(l)
	testkit.Check(l.Close())
}

// reportMedian reports the median of what measure returns. Between two calls lies a millisecond.
func reportMedian(b *testing.B, measure func() time.Duration) {
	var all []time.Duration
	for b.Loop() {
		all = append(all, measure())
		time.Sleep(time.Millisecond)
	}
	slices.Sort(all)
	b.ReportMetric(float64(all[len(all)/2].Microseconds()), "µs/median")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds()), "µs/p99")
}

// reportComputing reports how much of its processors a program gets done that keeps all of them
// busy: as many goroutines compute as there are processors.
func reportComputing(b *testing.B) {
	var done atomic.Int64
	var stop atomic.Bool
	n := runtime.GOMAXPROCS(0)
	over := make(chan struct{})
	for range n {
		go func() {
			for x := uint64(1); !stop.Load(); {
				for range 10_000 {
					x = x*6364136223846793005 + 1
				}
				done.Add(1)
			}
			over <- struct{}{}
		}()
	}
	start, first := time.Now(), done.Load()
	for b.Loop() {
		time.Sleep(time.Millisecond)
	}
	b.ReportMetric(float64(done.Load()-first)/time.Since(start).Seconds(), "steps/s")
	stop.Store(true)
	for range n {
		<-over
	}
}
