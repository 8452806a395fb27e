//go:build unix || windows

package loop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// A simulation steps a loop some thousand times a second: a task must cost there what it costs in a
// run.
func TestATaskThatIsSteppedAllocatesLittle(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	l := testkit.NewLoop(t)
	ended := 0
	fn := func(ctx context.Context) (int, error) { defer func() { ended++ }(); return 7, task.Yield(ctx) }
	testkit.Check(core(l).Steps(func(step func(time.Duration) bool) {
		allocs := testing.AllocsPerRun(100, func() {
			before := ended
			task.Go(l.Context(), fn)
			for ended == before {
				step(0)
			}
		})
		if allocs > 2 {
			t.Errorf("%v allocations for a task, want 2 at most", allocs)
		}
	}))
}

func TestEachStepIsOneTurn(t *testing.T) {
	l := testkit.NewLoop(t)
	var order []int
	l.CallSoon(func() {
		order = append(order, 1)
		l.CallSoon(func() { order = append(order, 3) })
	})
	l.CallSoon(func() { order = append(order, 2) })
	testkit.Check(core(l).Steps(func(step func(time.Duration) bool) {
		for _, want := range []int{0, 2, 3} {
			if len(order) != want {
				t.Errorf("ran %v, want %d callbacks by now", order, want)
			}
			if !step(0) {
				t.Error("the loop is to stop, says a step, but nobody wants that")
			}
		}
	}))
	if n := counts(l).Turns; n != 3 {
		t.Errorf("%d turns, want 3", n)
	}
}

func TestStepsEndWithTheLoop(t *testing.T) {
	l := testkit.NewLoop(t)
	l.CallSoon(l.Stop)
	steps := 0
	testkit.Check(core(l).Steps(func(step func(time.Duration) bool) {
		for steps = 1; step(-1); steps++ {
		}
		if step(-1) { // and does not wait
			t.Error("a step after the last = true, want false")
		}
	}))
	if steps != 1 {
		t.Errorf("%d steps until the loop stopped, want 1", steps)
	}
	l.CallSoon(func() { l.Close() })
	err := core(l).Steps(func(step func(time.Duration) bool) {
		for step(-1) {
		}
	})
	if !errors.Is(err, reactor.ErrClosed) {
		t.Errorf("Steps of a loop that closes: %v, want ErrClosed", err)
	}
	if err := core(l).Steps(nil); !errors.Is(err, reactor.ErrClosed) {
		t.Errorf("Steps of a closed loop: %v, want ErrClosed", err)
	}
}
