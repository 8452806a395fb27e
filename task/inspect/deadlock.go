package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/corobridge/corobridge/reactor"
)

// ErrDeadlock is what a *DeadlockError is, by errors.Is.
var ErrDeadlock = errors.New("task: deadlock")

// DeadlockError tells of a cycle of awaits: each of Tasks waits for the next one, and the last one
// for the first, or the only one for itself. A task waits for another one when it awaits its
// result, a group that it is a member of, a lock that it has, or the one slot of a group that it
// has. Unless somebody cancels one of them, or unlocks a lock that another has locked, none goes
// on.
//
// In debug mode it is reported to the loop's exception handler, with Op "deadlock", once, when the
// loop is about to sleep. Deadlocks, WriteTree and MarshalTree tell it in any mode. These are not
// seen: cycles over several loops, through plain goroutines, through futures derived by Map and its
// like, and through several of which one is enough, as with Race.
type DeadlockError struct{ Tasks []Info }

// Error names the tasks, and where they were started, in debug mode.
func (e *DeadlockError) Error() string { return "task: " + e.sentence() }

// Is reports whether target is ErrDeadlock.
func (e *DeadlockError) Is(target error) bool { return target == ErrDeadlock }

func (e *DeadlockError) ids() (ids []uint64) {
	for _, i := range e.Tasks {
		ids = append(ids, i.ID)
	}
	return ids
}

func (e *DeadlockError) sentence() string {
	var parts []string
	for k, i := range e.Tasks {
		next := "itself"
		if len(e.Tasks) > 1 {
			next = e.Tasks[(k+1)%len(e.Tasks)].String()
		}
		part := i.String()
		if i.Spawned != "" {
			part += fmt.Sprintf(" (started at %s)", i.Spawned)
		}
		if part += " awaits " + i.Awaits; !strings.HasSuffix(i.Awaits, next) {
			part += ", " + next + " among them"
		}
		parts = append(parts, part)
	}
	return "deadlock: " + strings.Join(parts, "; ")
}

// Deadlocks returns the cycles of awaits of a loop, each beginning with its oldest task. Of cycles
// that have tasks in common it may leave out some, but one.
func Deadlocks(ctx context.Context, l *reactor.Loop) ([]*DeadlockError, error) {
	return look(ctx, l, (*view).cycles)
}

// cycles searches in depth: path is the tasks from where it began to where it is at.
func (v *view) cycles() (found []*DeadlockError) {
	// 1 and more: its place on the path; -1: all that it waits for has been looked at
	at := map[*seen]int{}
	var path []step
	enter := func(t *seen) {
		path = append(path, step{t, t.needs()})
		at[t] = len(path)
	}
	for _, t := range v.tasks {
		if at[t] == 0 {
			enter(t)
		}
		for len(path) > 0 {
			last := &path[len(path)-1]
			if len(last.next) == 0 {
				at[last.task] = -1
				path = path[:len(path)-1]
				continue
			}
			t := last.next[0]
			last.next = last.next[1:]
			if k := at[t]; k > 0 {
				found = append(found, v.deadlock(path[k-1:]))
			} else if k == 0 {
				enter(t)
			}
		}
	}
	return found
}

// needs returns the tasks without which t does not go on.
func (t *seen) needs() []*seen {
	if t.oneOf {
		return nil
	}
	return t.awaits
}

// step is a task on a path of awaits, and those that it waits for and that have not been looked at.
type step struct {
	task *seen
	next []*seen
}

func (v *view) deadlock(cycle []step) *DeadlockError {
	e := &DeadlockError{}
	first := 0
	for k, s := range cycle {
		e.Tasks = append(e.Tasks, v.info(s.task))
		if e.Tasks[k].ID < e.Tasks[first].ID {
			first = k
		}
	}
	e.Tasks = slices.Concat(e.Tasks[first:], e.Tasks[:first])
	return e
}
