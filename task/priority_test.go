package task_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

func TestATaskStartsAndGoesOnInItsClass(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		var order []string
		var promises []*future.Promise[int]
		g, gctx := task.NewGroup(ctx)
		for class := 2; class >= 0; class-- {
			f, p := future.New[int]()
			promises = append(promises, p)
			task.Spawn(gctx, func(ctx context.Context) error {
				order = append(order, fmt.Sprint("start ", class))
				_, err := f.Await(ctx)
				order = append(order, fmt.Sprint("go on ", class))
				return err
			}, task.Priority(class))
		}
		yields(ctx, 2)
		for _, p := range promises {
			p.Resolve(1)
		}
		if err := g.Wait(); err != nil {
			return err
		}
		want := []string{"start 0", "start 1", "start 2", "go on 0", "go on 1", "go on 2"}
		if !slices.Equal(order, want) {
			t.Errorf("ran %v, want %v", order, want)
		}
		return nil
	}, reactor.WithPriorities(3, 10))
}

func TestTasksHaveTheClassOfWhoStartedThem(t *testing.T) {
	type key struct{}
	for name, derive := range map[string]func(ctx context.Context) context.Context{
		"the task's context": func(ctx context.Context) context.Context { return ctx },
		"a group's":          func(ctx context.Context) context.Context { g, ctx := task.NewGroup(ctx); defer g.Wait(); return ctx },
		"one with a value":   func(ctx context.Context) context.Context { return context.WithValue(ctx, key{}, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				var order []string
				note := func(name string) func(context.Context) error {
					return func(context.Context) error { order = append(order, name); return nil }
				}
				_, err := task.Spawn(ctx, func(ctx context.Context) error {
					inner := derive(ctx)
					all := []*task.Task[struct{}]{
						task.Spawn(inner, note("as the one that starts it")),
						task.Spawn(inner, note("own class"), task.Priority(1)),
						task.Spawn(inner, note("most urgent"), task.Priority(0)),
					}
					for _, tk := range all {
						tk.Await(ctx)
					}
					return nil
				}, task.Priority(2)).Await(ctx)
				want := []string{"most urgent", "own class", "as the one that starts it"}
				if !slices.Equal(order, want) {
					t.Errorf("ran %v, want %v", order, want)
				}
				return err
			}, reactor.WithPriorities(3, 10))
		})
	}
}

func TestPriorityOutOfRangePanics(t *testing.T) {
	for _, class := range []int{-1, 256} {
		want := fmt.Sprintf("task: Priority(%d): give a class from 0, the most urgent, to 255", class)
		testkit.Panics(t, want, func() { task.Priority(class) })
	}
}

const both = "Await and Checkpoint, which share a budget"

// operations are those that need not wait, and count for the budget of a task: 128 of them, and the
// next one lets others have their turn.
func operations(ctx context.Context) map[string]func() {
	ready := future.Resolved(1)
	foreign, cancel := context.WithCancel(context.Background())
	context.AfterFunc(ctx, cancel)
	timeout, _ := task.WithTimeout(ctx, 1<<40)
	return map[string]func(){
		"Await of a ready future":            func() { ready.Await(ctx) },
		"the same with a timeout's context":  func() { ready.Await(timeout) },
		"Checkpoint":                         func() { task.Checkpoint(ctx) },
		"Checkpoint with a foreign context":  func() { task.Checkpoint(foreign) },
		"Checkpoint with the background one": func() { task.Checkpoint(context.Background()) },
		both:                                 func() { ready.Await(ctx); task.Checkpoint(foreign) },
	}
}

func TestATaskThatNeverHasToWaitLetsOthersHaveTheirTurn(t *testing.T) {
	const budget = 128
	testkit.Run(t, func(ctx context.Context) error {
		for name, op := range operations(ctx) {
			over, served := false, 0
			other := task.Spawn(ctx, func(ctx context.Context) error {
				for ; !over; task.Yield(ctx) {
					served++
				}
				return nil
			})
			const calls = 100 * budget
			for range calls {
				op()
			}
			each := 1
			if name == both {
				each = 2
			}
			if want := each * calls / (budget + 1); served < want || served > want+1 {
				t.Errorf("%s: another task was served %d times in %d calls, want %d", name, served, calls, want)
			}
			over = true
			other.Await(ctx)
		}
		return nil
	})
}

func TestAWaitBeginsTheBudgetAnew(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		for range 5 {
			task.Yield(ctx)
			before := statsOf(loop).TaskSteps
			for range 128 {
				task.Checkpoint(ctx)
			}
			if n := statsOf(loop).TaskSteps; n != before {
				t.Errorf("it was resumed %d times within its budget, want 0", n-before)
			}
		}
		return nil
	})
}

func TestCheckpointOfADoneContextReturnsTheCause(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		for name, c := range map[string]context.Context{"own": doneScope(ctx), "foreign": doneForeign()} {
			for range 1000 {
				if err := task.Checkpoint(c); err == nil {
					t.Fatalf("%s: Checkpoint = nil, want the cause", name)
				}
			}
		}
		return nil
	})
	if err := task.Checkpoint(doneForeign()); err != context.Canceled {
		t.Errorf("in a goroutine: %v, want %v", err, context.Canceled)
	}
}

func doneForeign() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func doneScope(ctx context.Context) context.Context {
	ctx, cancel := task.WithTimeout(ctx, 1<<40)
	cancel()
	return ctx
}

// In a callback, and in a plain goroutine, there is nobody to be let in.
func TestNothingIsSpentOutsideTasks(t *testing.T) {
	testkit.Run(t, func(ctx context.Context) error {
		loop, _ := reactor.FromContext(ctx)
		f, p := future.New[int]()
		ready := future.Resolved(1)
		spend := func() {
			for range 1000 {
				if err := task.Checkpoint(ctx); err != nil {
					t.Error(err)
				}
				if v, err := ready.Await(ctx); v != 1 || err != nil {
					t.Errorf("Await = %v, %v; want 1 and nil", v, err)
				}
			}
		}
		loop.CallSoon(func() {
			spend()
			p.Resolve(1)
		})
		if _, err := f.Await(ctx); err != nil {
			return err
		}
		_, err := task.Blocking(ctx, func(context.Context) (int, error) { spend(); return 0, nil })
		return err
	})
}
