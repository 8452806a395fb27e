package task

import (
	"context"
	"fmt"
	"runtime/pprof"
	"runtime/trace"

	"github.com/corobridge/corobridge/internal/loop"
)

// inspection is what the loop's tasks do for those who look inside: nil for a loop that nobody looks at.
type inspection struct {
	labels bool
	told   bool // an observer wants to know of the end of tasks
	vigil  vigil
}

func newInspection(l *loop.Core) *inspection {
	i := &inspection{labels: l.NamesTasks(), told: l.Watched(func(o *loop.Observer) bool { return o.TaskDone != nil })}
	if !i.labels && !i.told && !l.Debug() {
		return nil
	}
	return i
}

// note remembers where and when a task was started. It is called before the loop knows of it.
func (s *scope) note() {
	x := s.more()
	x.site, x.born = s.sched.loop.Site(), s.sched.loop.World().Now()
}

// TaskName is part of loop.Named. A task without a name has that of the place where it was started, in debug mode.
func (b *body[T]) TaskName() string { return b.scope.title() }

// TaskSite is part of loop.Named.
func (b *body[T]) TaskSite() string { return b.scope.site() }

func (s *scope) title() string {
	if name := s.name(); name != "" || s.site() == "" {
		return name
	}
	return "started at " + s.site()
}

// site is where a task was started, "" unless in debug mode.
func (s *scope) site() string {
	if s.extra == nil {
		return ""
	}
	return s.extra.site
}

// doSeen is Do while somebody looks.
func (b *body[T]) doSeen() {
	defer b.scope.show()()
	v, err := b.fn(&b.scope)
	b.end(v, err)
}

// show tells the profiler and the tracer which task the coroutine runs, until hide is called. Both go through the context too, so
// that what the task starts, or measures with it, is told apart as part of the task.
func (s *scope) show() (hide func()) {
	labelled := s.sched.inspection != nil && s.sched.labels
	title, above := s.title(), &parent{s.values}
	own := context.Context(above)
	if labelled {
		if title != "" {
			own = pprof.WithLabels(own, pprof.Labels("task", title))
		}
		pprof.SetGoroutineLabels(own)
	}
	end := func() {}
	if trace.IsEnabled() {
		if title == "" {
			title = "task"
		}
		var t *trace.Task
		own, t = trace.NewTask(own, title)
		r := trace.StartRegion(own, "run")
		end = func() { r.End(); t.End() }
	}
	s.values = shown(s.values, own)
	above.Context = context.Background()
	return func() {
		end()
		if labelled { // they stick to the coroutine, which the next task has
			pprof.SetGoroutineLabels(context.Background())
		}
	}
}

// shownContext is the values of a task that is shown: below are those that it has anyway, and own the labels and the task of the
// trace. Those of the task above are replaced, not hidden: or a chain of tasks that each start the next one would keep them all.
type shownContext struct {
	context.Context
	own context.Context
}

func shown(below, own context.Context) context.Context {
	if s, ok := below.(*shownContext); ok {
		below = s.Context
	}
	return &shownContext{below, own}
}

func (s *shownContext) Value(key any) any {
	if v := s.own.Value(key); v != nil {
		return v
	}
	return s.Context.Value(key)
}

// String describes the context, as contexts do.
func (s *shownContext) String() string { return fmt.Sprintf("%v shown with %v", s.Context, s.own) }

// parent is what labels and a trace's task are derived from: the values of the task above, until that is done.
type parent struct{ context.Context }

func (p *parent) String() string { return fmt.Sprint(p.Context) }

// tellDone tells the observers that a task has ended.
func (s *scope) tellDone(err error) {
	i := s.sched.inspection
	if i != nil && i.told {
		s.sched.loop.TaskDone(s.title(), err, s.sched.loop.World().Now()-s.extra.born)
	}
}
