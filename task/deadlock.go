package task

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// ErrDeadlock is what a *DeadlockError is, by errors.Is.
var ErrDeadlock = errors.New("task: deadlock")

// DeadlockError tells of a cycle of awaits: each of Tasks waits for the next one, and the last one for the first, or the only one for
// itself. A task waits for another one when it awaits its result, a group that it is a member of, or a lock that it has. Unless
// somebody cancels one of them, or unlocks a lock that another has locked, none goes on.
//
// In debug mode it is reported to the loop's exception handler, with Op "deadlock", once, when the loop is about to sleep. WriteTree and
// MarshalTree tell it in any mode. Cycles over several loops, through plain goroutines, through futures derived by Map and its like, and through those of which one is enough, as with Race, are not seen.
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

// refuseItself panics in the task of s. (Others may have its context.)
func (s *scope) refuseItself() {
	if c := coro.CurrentBy(s); c != nil && homeOf(c.Job()) == s {
		panic("task: a task that awaits itself waits for ever; return the result, and let others await it")
	}
}

// cycles returns the cycles of awaits, each beginning with its oldest task. Of those that have tasks in common it may leave out some, but
// one.
func (v *view) cycles() (found []*DeadlockError) {
	at := map[*scope]int{} // 1 and more: its place on the path; -1: all that it waits for has been looked at
	var path []step
	enter := func(s *scope) {
		path = append(path, step{s, v.needs(s)})
		at[s] = len(path)
	}
	for _, s := range v.tasks {
		if at[s] == 0 {
			enter(s)
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

// needs returns the tasks without which s does not go on.
func (v *view) needs(s *scope) []*scope {
	if v.oneOf[s] {
		return nil
	}
	return v.awaits[s]
}

// step is a task on a path of awaits, and those that it waits for and that have not been looked at.
type step struct {
	task *scope
	next []*scope
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

// vigil looks, in debug mode, at the tasks of a loop that is about to sleep.
type vigil struct {
	steps uint64          // of the pool, at the last look
	told  map[string]bool // of the cycles that there were at the last look
	idle  bool            // told that the loop sleeps for ever
	next  time.Duration   // when the next look may be, after one that took long
}

// A look at many tasks takes long. It is not to take more than a twentieth of the time: then the next one comes later.
const (
	longLook = time.Millisecond
	lookRest = 20
)

// beforeSleep is called by the loop when it is about to block.
func (s *scheduler) beforeSleep() {
	w := &s.inspection.vigil
	forever := s.loop.SleepsForever() && !w.idle
	if w.steps == s.pool.Steps() && !forever {
		return // nobody has begun to wait since
	}
	clock := s.loop.World()
	began := clock.Now()
	if began < w.next {
		s.loop.LookAgain(w.next - began)
		return
	}
	s.lookOut(forever)
	now := clock.Now()
	if took := now - began; took >= longLook {
		w.next = now + lookRest*took
	}
}

// lookOut reports the cycles that are new, and if forever is true, that all wait.
func (s *scheduler) lookOut(forever bool) {
	w := &s.inspection.vigil
	w.steps = s.pool.Steps()
	v := newView(s)
	cycles := v.cycles()
	now := map[string]bool{}
	for _, e := range cycles {
		key := fmt.Sprint(e.ids())
		if now[key] = true; !w.told[key] {
			s.loop.Report(reactor.Exception{Op: "deadlock", Name: e.Tasks[0].Name, Err: e, Site: e.Tasks[0].Spawned})
		}
	}
	w.told = now
	if forever && len(cycles) == 0 && len(v.tasks) > 0 {
		tree := v.tree().text()
		if v.allWait() {
			w.idle = true
			s.loop.Report(reactor.Exception{Op: "idle", Err: fmt.Errorf(idleHint, len(v.tasks), tree)})
		}
	}
}

const idleHint = "task: the loop sleeps, and what its tasks (%d) wait for only another goroutine can bring:\n%s"

// allWait reports whether all tasks still wait, since other goroutines do not stand still, and none of them until a deadline, which package
// context keeps: the loop has no timer.
func (v *view) allWait() bool {
	return !slices.ContainsFunc(v.tasks, func(s *scope) bool { return s.coro == nil || !s.coro.Waiting() || s.coro.Bounded() })
}
