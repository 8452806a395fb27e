package inspect

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
)

// view is the tasks of a loop and which of them wait for which. It is made and used while nothing
// else of the loop runs.
type view struct {
	pool  *coro.Pool
	root  coro.Node // nil if the loop never had a task
	tasks []*seen   // in the order of the tree
	// by what the end of a task ends: its future, its group, its slot in that
	ends  map[any][]*seen
	known map[coro.Task]*seen // by the task itself
	nodes map[coro.Node]*seen // by its scope
}

// seen is a task in a view.
type seen struct {
	*coro.Inspected
	on     fmt.Stringer // what it waits for: other goroutines may end that at any time
	awaits []*seen      // the tasks that it waits for …
	oneOf  bool         // … and whether one of them is enough
	by     []*seen      // the tasks that wait for it
}

func newView(l *reactor.Loop) *view {
	v := &view{ends: map[any][]*seen{}, known: map[coro.Task]*seen{}, nodes: map[coro.Node]*seen{}}
	v.pool = loop.From(l.Context()).Coroutines()
	if v.root = v.pool.Tree(); v.root == nil {
		return v
	}
	v.root.EachBelow(v.enter)
	for _, t := range v.tasks {
		v.find(t)
		for _, a := range t.awaits {
			a.by = append(a.by, t)
		}
	}
	return v
}

// enter notes a scope and what is below it.
func (v *view) enter(n coro.Node) {
	if i := n.Inspected(); i != nil {
		t := &seen{Inspected: i}
		i.Number() // in the order of the tree
		if i.Coro != nil && i.Coro.Waiting() {
			t.on = waited(i.Coro)
		}
		v.tasks = append(v.tasks, t)
		v.known[i.Task], v.nodes[n] = t, t
		if i.Future != nil {
			v.ends[i.Future] = []*seen{t}
		}
		if i.Group != nil {
			v.ends[i.Group] = append(v.ends[i.Group], t)
		}
		if i.Slot != nil {
			v.ends[i.Slot] = append(v.ends[i.Slot], t)
		}
	}
	n.EachBelow(v.enter)
}

// something is what a task waits for that does not say.
type something struct{}

func (something) String() string { return "something" }

func waited(c *coro.Coro) fmt.Stringer {
	if on := c.Awaits(); on != nil {
		return on
	}
	return something{}
}

// find finds the tasks that t waits for.
func (v *view) find(t *seen) {
	switch on := t.on.(type) {
	case nil:
	case coro.Held:
		if h := v.holder(on); h != nil {
			t.awaits = []*seen{h}
		}
	case coro.Choice:
		futures, every := on.Choice()
		t.awaits, t.oneOf = v.each(futures), !every
	default:
		t.awaits = v.endedBy(on)
		t.oneOf = len(t.awaits) > 1 && t.awaits[0].Slot == on
	}
}

// endedBy returns the tasks whose end can end a wait for on.
func (v *view) endedBy(on any) []*seen {
	if reflect.TypeOf(on).Kind() != reflect.Pointer {
		return nil
	}
	return v.ends[on]
}

// each returns the tasks that futures are of, each once.
func (v *view) each(futures []any) (tasks []*seen) {
	found := map[*seen]bool{}
	for _, f := range futures {
		for _, t := range v.endedBy(f) {
			if !found[t] {
				found[t] = true
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}

// holder returns the task that has a lock, nil if that is unknown, has ended, or is on another
// loop, whose coroutines are not to be looked at from here.
func (v *view) holder(lock coro.Held) *seen {
	job := lock.HeldBy().Job(v.pool)
	if job == nil {
		return nil
	}
	return v.known[job.(interface{ Inspected() *coro.Inspected }).Inspected().Task]
}

func (v *view) info(t *seen) Info {
	i := infoOf(t.Inspected)
	if t.on != nil {
		i.State, i.Awaits = "waiting", v.nameOf(t)
	}
	i.AwaitedBy = numbers(t.by)
	return i
}

func numbers(tasks []*seen) (ids []uint64) {
	for _, t := range tasks {
		ids = append(ids, t.Number())
	}
	return ids
}

// nameOf names what t waits for.
func (v *view) nameOf(t *seen) string {
	switch on := t.on.(type) {
	case coro.Held:
		if len(t.awaits) > 0 {
			return fmt.Sprintf("%v held by %s", on, t.awaits[0].nameFor(t))
		}
	case coro.Choice:
		if len(t.awaits) > 0 {
			return on.(fmt.Stringer).String() + ": " + namesFor(t.awaits, t)
		}
	default:
		if len(t.awaits) == 1 && t.awaits[0].Future == any(on) {
			return t.awaits[0].nameFor(t)
		}
	}
	return t.on.String()
}

// namesFor names the first few of tasks.
func namesFor(tasks []*seen, other *seen) string {
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

func (t *seen) nameFor(other *seen) string {
	if t == other {
		return "itself"
	}
	return infoOf(t.Inspected).String()
}
