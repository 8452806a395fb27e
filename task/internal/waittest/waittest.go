// Package waittest tests what tasks and goroutines can wait for: locks, queues, and what else hands
// things over. A test file of such a package describes its things (Good) and calls the checks here.
package waittest

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// ErrTest is an error that only tests give.
var ErrTest = errors.New("test error")

// Yields lets everything that is ready run n times.
func Yields(ctx context.Context, n int) {
	for range n {
		task.Yield(ctx)
	}
}

// Arrive starts tasks that each call wait, one after the other. It returns the order in which they
// have gone on so far.
func Arrive(ctx context.Context, n int, wait func(ctx context.Context, i int) error) (order *[]int, tasks []*task.Task[struct{}]) {
	order = &[]int{}
	for i := range n {
		tasks = append(tasks, task.Spawn(ctx, func(ctx context.Context) error {
			err := wait(ctx, i)
			if err == nil {
				*order = append(*order, i)
			}
			return err
		}))
	}
	Yields(ctx, 3)
	return order, tasks
}

// WantOrder checks the order that Arrive has returned.
func WantOrder(t *testing.T, order *[]int, want ...int) {
	t.Helper()
	if !slices.Equal(*order, want) {
		t.Errorf("%v have gone on, want %v", *order, want)
	}
}

// Everyone is how many callers Everywhere has.
const Everyone = 128

// Everywhere runs fn, with a number, in 64 goroutines and in 16 tasks of each of 4 loops at once.
// It waits for all of them.
func Everywhere(t *testing.T, fn func(ctx context.Context, n int)) {
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() { fn(context.Background(), i) })
	}
	for i := range 4 {
		loop := testkit.StartLoop(t)
		for k := range 16 {
			tk := task.Spawn(loop.Context(), func(ctx context.Context) error { fn(ctx, 64+16*i+k); return nil })
			all.Go(func() {
				if _, err := tk.Await(context.Background()); err != nil {
					t.Errorf("task %d of loop %d: %v, want no error", k, i, err)
				}
			})
		}
	}
	all.Wait()
}

// Sometimes returns ctx, or a context below it that is cancelled at some time.
func Sometimes(ctx context.Context, r *rand.Rand) (context.Context, context.CancelFunc) {
	switch r.IntN(6) {
	case 0:
		c, cancel := context.WithCancel(ctx)
		go cancel()
		return c, cancel
	case 1:
		return task.WithTimeout(ctx, 1)
	}
	return ctx, func() {}
}

// Random returns a maker of sources of random numbers, and has the seed printed if the test fails.
func Random(t *testing.T) func(n int) *rand.Rand {
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return func(n int) *rand.Rand { return rand.New(rand.NewPCG(seed, uint64(n))) }
}

// Rounds scales a stress test: n by default, a tenth in short mode, and less under the race
// detector.
func Rounds(n int) int {
	if testing.Short() {
		n /= 10
	}
	if RaceEnabled {
		n = n * 3 / 20
	}
	return max(n, 1)
}
