package bench

import (
	"context"
	"testing"

	"github.com/sourcegraph/conc"
	"github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"github.com/corobridge/corobridge/task"
)

// onLoop runs f as the only task of a loop.
func onLoop(b *testing.B, f func(ctx context.Context)) {
	b.Helper()
	b.ReportAllocs()
	if err := task.Run(context.Background(), func(ctx context.Context) error { f(ctx); return nil }, task.WithSignals()); err != nil {
		b.Fatal(err)
	}
}

const children = 100

// Children makes a group, starts 100 empty children in it, and waits for them.
func BenchmarkChildren(b *testing.B) {
	empty := func() error { return nil }
	b.Run("task", func(b *testing.B) {
		onLoop(b, func(ctx context.Context) {
			for b.Loop() {
				g, _ := task.NewGroup(ctx)
				for range children {
					g.Go(empty)
				}
				if err := g.Wait(); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("errgroup", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			g, _ := errgroup.WithContext(context.Background())
			for range children {
				g.Go(empty)
			}
			if err := g.Wait(); err != nil {
				b.Error(err)
			}
		}
	})
	b.Run("conc pool", func(b *testing.B) { // conc's group with errors and a context
		b.ReportAllocs()
		for b.Loop() {
			p := pool.New().WithErrors().WithContext(context.Background())
			for range children {
				p.Go(func(context.Context) error { return nil })
			}
			if err := p.Wait(); err != nil {
				b.Error(err)
			}
		}
	})
	b.Run("conc WaitGroup", func(b *testing.B) { // without errors
		b.ReportAllocs()
		for b.Loop() {
			var g conc.WaitGroup
			for range children {
				g.Go(func() {})
			}
			g.Wait()
		}
	})
}

// One starts a child that returns a value, and waits for the value.
func BenchmarkOne(b *testing.B) {
	b.Run("task", func(b *testing.B) {
		onLoop(b, func(ctx context.Context) {
			one := func(context.Context) (int, error) { return 1, nil }
			for b.Loop() {
				if v, err := task.Go(ctx, one).Await(ctx); v != 1 || err != nil {
					b.Errorf("Await = %d, %v; want 1 and nil", v, err)
				}
			}
		})
	})
	b.Run("eager task", func(b *testing.B) {
		onLoop(b, func(ctx context.Context) {
			one := func(context.Context) (int, error) { return 1, nil }
			for b.Loop() {
				if v, err := task.Go(ctx, one, task.Eager()).Await(ctx); v != 1 || err != nil {
					b.Errorf("Await = %d, %v; want 1 and nil", v, err)
				}
			}
		})
	})
	b.Run("goroutine and channel", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			done := make(chan int, 1)
			go func() { done <- 1 }()
			if v := <-done; v != 1 {
				b.Errorf("received %d, want 1", v)
			}
		}
	})
}
