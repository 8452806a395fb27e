package task

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// Info is what is known of a task, as it was when somebody asked. Its methods act on the task itself, and may be called from any
// goroutine. An Info keeps the task's memory, also when that has ended.
type Info struct {
	ID        uint64        // no other task of the loop has or had it; they are given to tasks when somebody looks, in the order of the tree
	Name      string        // see the option Name; "" if it has none
	Spawned   string        // where it was started, as "file:line (function)"; "" unless in debug mode
	Age       time.Duration // since it was started; 0 unless in debug mode, or with reactor.WithProfileLabels, or an Observer's TaskDone
	State     string        // "waiting"; "ready" if it has not begun yet, or is about to go on; "running" if it has asked
	Awaits    string        // what it waits for; "" unless waiting
	AwaitedBy []uint64      // tasks of its loop that wait for it, its group, or a lock that it has; but not by future.All and its like

	scope *scope
}

// String names the task.
func (i Info) String() string {
	if i.Name == "" {
		return fmt.Sprintf("task %d", i.ID)
	}
	return fmt.Sprintf("task %d %q", i.ID, i.Name)
}

// Cancel cancels the task's context with cause (nil: future.ErrCancelled) and reports whether it was not done. The function that
// Group.Go was given does not have that context: cancel the group.
func (i Info) Cancel(cause error) bool {
	if i.scope == nil || i.scope.Err() != nil {
		return false
	}
	if cause == nil {
		cause = future.ErrCancelled
	}
	i.scope.withdraw(cause)
	return true
}

// Stack is the task's Stack.
func (i Info) Stack(ctx context.Context) ([]byte, error) {
	if i.scope == nil {
		return nil, nil
	}
	return i.scope.askStack(ctx)
}

// Stack returns the task's stack, as a dump of all goroutines has it: what it waits in comes first. It is empty for a task that has not begun, or
// has ended. It costs some microseconds of the loop's time, and nothing unless it is called.
//
// It waits as All does. Of a loop that nobody runs it returns an error: stacks are told by the goroutine that runs the loop.
func (t *Task[T]) Stack(ctx context.Context) ([]byte, error) { return t.scope.askStack(ctx) }

func (s *scope) askStack(ctx context.Context) ([]byte, error) {
	f, p := future.New[[]byte]()
	var untold error
	s.sched.loop.Look(func() {
		var stack []byte
		switch {
		case s.coro == nil:
		case s.sched.loop.InLoop():
			stack = s.stack()
		default:
			untold = errors.New("task: nobody runs the loop, and so nobody can tell the stack of a task")
		}
		p.Resolve(stack)
	})
	stack, err := f.Await(ctx)
	if err != nil {
		return nil, err
	}
	return stack, untold
}

// stack returns the stack of a task that has begun.
func (s *scope) stack() []byte {
	if s.coro == coro.Current() {
		return debug.Stack()
	}
	return s.coro.Stack()
}

// Current returns the task that calls it, whatever context that has; ok is false in a callback and in a plain goroutine. It does not look at
// other tasks: AwaitedBy is left to All.
func Current() (i Info, ok bool) {
	c := coro.Current()
	if c == nil {
		return Info{}, false
	}
	return homeOf(c.Job()).info(), true
}

// All returns the tasks of a loop, in the order of their tree: see WriteTree. Those that have ended are not there, and neither are those that
// other goroutines have started and the loop has not heard of.
//
// On the loop, and for a loop that nobody runs, it answers at once. Elsewhere it waits, as Await does, until the loop has done what it is
// at; if ctx ends first it returns the cause. So a loop that is stalled gives no answer: give ctx a deadline that does not depend on that
// loop. A closed loop has no tasks.
func All(ctx context.Context, l *reactor.Loop) ([]Info, error) {
	return look(ctx, l, func(v *view) []Info {
		var all []Info
		for _, s := range v.tasks {
			all = append(all, v.info(s))
		}
		return all
	})
}

// look returns what fn sees when nothing else of the loop runs.
func look[T any](ctx context.Context, l *reactor.Loop, fn func(*view) T) (T, error) {
	f, p := future.New[T]()
	sched := schedulerFor(loop.From(l.Context()))
	sched.loop.Look(func() { p.Resolve(fn(newView(sched))) })
	return f.Await(ctx)
}

// info returns what is known of a task without a look at the others.
func (s *scope) info() Info {
	i := Info{ID: s.number(), Name: s.name(), Spawned: s.site(), State: "ready", scope: s}
	if s.coro != nil && s.coro == coro.Current() {
		i.State = "running"
	}
	if s.sched.inspection != nil {
		i.Age = s.sched.loop.World().Now() - s.extra.born
	}
	return i
}

// number returns the task's ID.
func (s *scope) number() uint64 {
	x := s.more()
	if x.id == 0 {
		s.sched.ids++
		x.id = s.sched.ids
	}
	return x.id
}
