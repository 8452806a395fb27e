package task

import (
	"fmt"
	"reflect"
	"strings"
	"unsafe"

	"github.com/corobridge/corobridge/internal/coro"
)

// view is the tasks of a loop and who waits for whom. It is made and used while nothing else of the loop runs.
type view struct {
	sched   *scheduler
	tasks   []*scope                // in the order of the tree
	on      map[*scope]fmt.Stringer // what each that waits waits for: other goroutines may end that at any time
	futures map[uintptr]*scope      // by the address of their future
	members map[*Group][]*scope
	awaits  map[*scope][]*scope // those that a task waits for …
	oneOf   map[*scope]bool     // … and whether one of them is enough
	waiters map[*scope][]*scope // the reverse
}

func newView(sched *scheduler) *view {
	v := &view{
		sched: sched, on: map[*scope]fmt.Stringer{}, futures: map[uintptr]*scope{}, members: map[*Group][]*scope{},
		awaits: map[*scope][]*scope{}, oneOf: map[*scope]bool{}, waiters: map[*scope][]*scope{},
	}
	sched.root.eachKid(v.enter)
	for _, s := range v.tasks {
		for _, t := range v.awaited(s) {
			v.awaits[s] = append(v.awaits[s], t)
			v.waiters[t] = append(v.waiters[t], s)
		}
	}
	return v
}

func (s *scope) eachKid(f func(*scope)) {
	if s.kids == nil {
		return
	}
	for k := s.kids; ; k = k.next {
		if f(k); k.next == s.kids {
			return
		}
	}
}

// enter notes a scope and what is below it.
//
// A task is found by its future, which knows nothing of tasks: a Task's promise, and so its future, lies right after its scope, or aligned to 8
// bytes, which on some machines depends on the type of the result. The addresses are only compared.
func (v *view) enter(s *scope) {
	if s.kind == ofTask {
		v.tasks = append(v.tasks, s)
		s.number()
		if s.coro != nil && s.coro.Waiting() {
			v.on[s] = s.coro.Awaits()
		}
		end := reflect.ValueOf(s).Pointer() + unsafe.Sizeof(*s)
		v.futures[end], v.futures[(end+7)&^7] = s, s
		if g := s.group; g != nil && !s.is(daemon) { // a daemon is not waited for: it is cancelled when the others have ended
			v.members[g] = append(v.members[g], s)
		}
	}
	s.eachKid(v.enter)
}

// awaited returns the tasks that s waits for.
func (v *view) awaited(s *scope) []*scope {
	switch on := v.on[s].(type) {
	case nil:
	case *Group:
		return v.members[on]
	case coro.Held:
		if t := v.holder(on); t != nil {
			return []*scope{t}
		}
	case choice:
		futures, every := on.Choice()
		v.oneOf[s] = !every
		return v.tasksOf(futures)
	default:
		if t := v.taskOf(on); t != nil {
			return []*scope{t}
		}
	}
	return nil
}

// taskOf returns the task whose future f is, nil if there is none of this loop.
func (v *view) taskOf(f any) *scope {
	if p := reflect.ValueOf(f); p.Kind() == reflect.Pointer {
		return v.futures[p.Pointer()]
	}
	return nil
}

// choice is what a combinator of futures waits for.
type choice interface {
	Choice() (futures []any, every bool)
}

// tasksOf returns those of this loop, each once.
func (v *view) tasksOf(futures []any) (tasks []*scope) {
	seen := map[*scope]bool{}
	for _, f := range futures {
		if t := v.taskOf(f); t != nil && !seen[t] {
			seen[t] = true
			tasks = append(tasks, t)
		}
	}
	return tasks
}

// holder returns the task that has a lock, nil if that is unknown, has ended, or is on another loop, whose coroutines are not to be looked at
// from here.
func (v *view) holder(lock coro.Held) *scope {
	if job := lock.HeldBy().Job(v.sched.pool); job != nil {
		return homeOf(job)
	}
	return nil
}

func homeOf(job coro.Job) *scope { return job.(interface{ home() *scope }).home() }

func (v *view) info(s *scope) Info {
	i := s.info()
	if on, waits := v.on[s]; waits {
		i.State, i.Awaits = "waiting", v.nameOf(on, s)
	}
	i.AwaitedBy = numbers(v.waiters[s])
	return i
}

func numbers(tasks []*scope) (ids []uint64) {
	for _, s := range tasks {
		ids = append(ids, s.number())
	}
	return ids
}

// nameOf names what s waits for.
func (v *view) nameOf(on fmt.Stringer, s *scope) string {
	if on == nil {
		return "something"
	}
	if lock, ok := on.(coro.Held); ok {
		if t := v.holder(lock); t != nil {
			return fmt.Sprintf("%v held by %s", on, t.nameFor(s))
		}
	} else if t := v.taskOf(on); t != nil {
		return t.nameFor(s)
	} else if _, ok := on.(choice); ok && len(v.awaits[s]) > 0 {
		return on.String() + ": " + namesFor(v.awaits[s], s)
	}
	return on.String()
}

// namesFor names the first few of tasks.
func namesFor(tasks []*scope, other *scope) string {
	const few = 3
	var names []string
	for _, t := range tasks[:min(few, len(tasks))] {
		names = append(names, t.nameFor(other))
	}
	if len(tasks) > few {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

func (s *scope) nameFor(other *scope) string {
	if s == other {
		return "itself"
	}
	return s.info().String()
}
