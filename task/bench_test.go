package task_test

import (
	"context"
	"iter"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// The rulers: what the rows of the speed table are multiples of.

func BenchmarkRulerPull(b *testing.B) {
	next, stop := iter.Pull(func(yield func(int) bool) {
		for yield(1) {
		}
	})
	defer stop()
	for b.Loop() {
		next()
	}
}

func BenchmarkRulerChannelPingPong(b *testing.B) {
	ping, pong := make(chan int), make(chan int)
	go func() {
		for v := range ping {
			pong <- v
		}
		close(pong)
	}()
	for b.Loop() {
		ping <- 1
		<-pong
	}
	close(ping)
	<-pong
}

func BenchmarkRulerGoroutineJoin(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		done := make(chan int, 1)
		go func() { done <- 1 }()
		<-done
	}
}

// inTask runs f as the only task of a loop.
func inTask(b *testing.B, f func(ctx context.Context)) {
	b.ReportAllocs()
	err := task.Run(context.Background(), func(ctx context.Context) error { f(ctx); return nil }, task.WithSignals())
	if err != nil {
		b.Fatal(err)
	}
}

func BenchmarkAwaitReady(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		f := future.Resolved(1)
		for b.Loop() {
			f.Await(ctx)
		}
	})
}

// The context does not tell who waits, as one of package context or of tracing.
func BenchmarkAwaitReadyForeignContext(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		f := future.Resolved(1)
		foreign := context.WithValue(ctx, spanKey{}, 1)
		for b.Loop() {
			f.Await(foreign)
		}
	})
}

func BenchmarkYield(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		for b.Loop() {
			task.Yield(ctx)
		}
	})
}

func BenchmarkYieldTwoTasks(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		stop := false
		other := task.Spawn(ctx, func(ctx context.Context) error {
			for !stop {
				task.Yield(ctx)
			}
			return nil
		})
		for i := 0; i < b.N/2+1; i++ {
			task.Yield(ctx)
		}
		stop = true
		other.Await(ctx)
	})
}

func BenchmarkGoAwait(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		empty := func(context.Context) (int, error) { return 1, nil }
		for b.Loop() {
			task.Go(ctx, empty).Await(ctx)
		}
	})
}

// resolver completes a fresh promise from the ready queue.
type resolver struct{ p *future.Promise[int] }

func (r *resolver) Run() { r.p.Resolve(1) }

func awaitPending(b *testing.B, ctxs func(ctx context.Context) []context.Context) {
	inTask(b, func(ctx context.Context) {
		loop, _ := reactor.FromContext(ctx)
		cs := ctxs(ctx)
		r, inside := &resolver{}, coreOf(loop)
		i := 0
		for b.Loop() {
			var f *future.Future[int]
			f, r.p = future.New[int]()
			inside.Post(r)
			f.Await(cs[i%len(cs)])
			i++
		}
	})
}

func BenchmarkAwaitPending(b *testing.B) {
	awaitPending(b, func(ctx context.Context) []context.Context { return []context.Context{ctx} })
}

func BenchmarkAwaitPendingForeignContext(b *testing.B) {
	x, cancel := context.WithCancel(context.Background())
	defer cancel()
	awaitPending(b, func(context.Context) []context.Context { return []context.Context{x} })
}

func BenchmarkAwaitPendingTwoForeignContexts(b *testing.B) {
	x, cancel := context.WithCancel(context.Background())
	defer cancel()
	y, cancel := context.WithCancel(context.Background())
	defer cancel()
	awaitPending(b, func(context.Context) []context.Context { return []context.Context{x, y} })
}

func BenchmarkGroupOf100(b *testing.B) {
	inTask(b, func(ctx context.Context) {
		for b.Loop() {
			g, _ := task.NewGroup(ctx)
			for range 100 {
				g.Go(func() error { return nil })
			}
			g.Wait()
		}
	})
}

func BenchmarkRulerErrgroupOf100(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		g, _ := errgroup.WithContext(context.Background())
		for range 100 {
			g.Go(func() error { return nil })
		}
		g.Wait()
	}
}
