package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// Info is what is known of a task, as it was when somebody asked. Its methods act on the task
// itself, and may be called from any goroutine. An Info keeps the task's memory, also when that has
// ended.
type Info struct {
	// ID is a number that no other task of the loop has or had. Tasks are given theirs when
	// somebody looks, in the order of the tree.
	ID   uint64
	Name string // see task.Name; "" if it has none
	// where it was started, as "file:line (function)"; "" unless in debug mode
	Spawned string
	// since it was started; 0 unless in debug mode, or with reactor.WithProfileLabels, or an
	// Observer's TaskDone
	Age time.Duration
	// "waiting"; "ready" if it has not begun yet, or is about to go on; "running" if it has asked
	State  string
	Awaits string // what it waits for; "" unless waiting
	// tasks of its loop that wait for it, its group, or a lock that it has; but not by future.All
	// and its like
	AwaitedBy []uint64

	task coro.Task // nil in the zero Info
}

// String names the task.
func (i Info) String() string {
	if i.Name == "" {
		return fmt.Sprintf("task %d", i.ID)
	}
	return fmt.Sprintf("task %d %q", i.ID, i.Name)
}

// Cancel cancels the task's context with cause (nil: future.ErrCancelled) and reports whether it
// was not done. The function that Group.Go was given does not have that context: cancel the group.
func (i Info) Cancel(cause error) bool {
	if i.task == nil {
		return false
	}
	if cause == nil {
		cause = future.ErrCancelled
	}
	return i.task.Withdraw(cause)
}

// Stack returns the task's stack; see the method of task.Task.
func (i Info) Stack(ctx context.Context) ([]byte, error) {
	if i.task == nil {
		return nil, nil
	}
	return i.task.Stack(ctx)
}

// Current returns the task that calls it, whatever context that has; ok is false in a callback and
// in a plain goroutine. It does not look at other tasks: AwaitedBy is left to All.
func Current() (i Info, ok bool) {
	c := coro.Current()
	if c == nil {
		return Info{}, false
	}
	return infoOf(c.Job().(interface{ Inspected() *coro.Inspected }).Inspected()), true
}

// infoOf returns what is known of t without a look at other tasks.
func infoOf(t *coro.Inspected) Info {
	i := Info{ID: t.Number(), Name: t.Name, Spawned: t.Site, Age: t.Age, State: "ready", task: t.Task}
	if t.Coro != nil && t.Coro == coro.Current() {
		i.State = "running"
	}
	return i
}

// All returns the tasks of a loop, in the order of their tree: see WriteTree. Those that have ended
// are not there, and neither are those that other goroutines have started and the loop has not
// heard of.
func All(ctx context.Context, l *reactor.Loop) ([]Info, error) {
	return look(ctx, l, func(v *view) []Info {
		var all []Info
		for _, t := range v.tasks {
			all = append(all, v.info(t))
		}
		return all
	})
}

// look returns what fn sees when nothing else of the loop runs.
func look[T any](ctx context.Context, l *reactor.Loop, fn func(*view) T) (T, error) {
	f, p := future.New[T]()
	withdraw := loop.From(l.Context()).Look(func() { p.Resolve(fn(newView(l))) })
	v, err := f.Await(ctx)
	if err != nil {
		withdraw()
	}
	return v, err
}
