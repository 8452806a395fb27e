package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"runtime/pprof"
	"runtime/trace"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/task/inspect"
)

// shows is what a loop's tasks do for those who look inside. A loop that nobody looks at has none.
type shows struct{ labels bool } // in profiles

func newShows(c *loop.Core) *shows {
	told := c.Watched(func(o *loop.Observer) bool { return o.TaskDone != nil })
	if !c.NamesTasks() && !told && !c.Debug() {
		return nil
	}
	return &shows{labels: c.NamesTasks()}
}

// note remembers where and when a task was started, and gives it a setting of its own, for show. It
// is called before the loop knows of the task.
func (j *job) note() {
	own := *j.scope.setting
	j.scope.setting = &own
	j.scope.traits |= noted
	if j.home().shows != nil {
		x := j.more()
		x.site, x.born = j.home().core.Site(), j.home().core.World().Now()
	}
}

func (j *job) name() string {
	if j.extra == nil {
		return ""
	}
	return j.extra.name
}

// site is where a task was started, "" unless in debug mode.
func (j *job) site() string {
	if j.extra == nil {
		return ""
	}
	return j.extra.site
}

// TaskName is part of reactor.Named. A task without a name has that of the place where it was
// started, in debug mode.
func (j *job) TaskName() string {
	if name := j.name(); name != "" || j.site() == "" {
		return name
	}
	return "started at " + j.site()
}

// TaskSite is part of reactor.Named.
func (j *job) TaskSite() string { return j.site() }

func (j *job) age() time.Duration { return j.home().core.World().Now() - j.extra.born }

// doShown is Do while somebody looks.
func (j *job) doShown() {
	defer j.show()()
	j.scope.job.call()
}

// show tells the profiler and the tracer which task the coroutine runs, until hide is called. Both
// go through the context too, so that what the task starts, or measures with it, is told apart as
// part of the task. (A task that was started before the trace was, and shares its setting, does not
// pass the trace's task on.)
func (j *job) show() (hide func()) {
	set := j.scope.setting
	labelled := j.home().shows != nil && j.home().shows.labels
	title, above := j.TaskName(), &parent{set.values}
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
	if j.is(noted) {
		set.values = shown(set.values, own)
	}
	above.Context = context.Background()
	return func() {
		end()
		if labelled { // they stick to the coroutine, which the next task has
			pprof.SetGoroutineLabels(context.Background())
		}
	}
}

// shownContext is the values of a task that is shown: below are those that it has anyway, and own
// the labels and the task of the trace. Those of the task above are replaced, not hidden. Otherwise
// a chain of tasks that each start the next one would keep them all.
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

// parent is what labels and a trace's task are derived from: the values of the task above, until
// that is done.
type parent struct{ context.Context }

func (p *parent) String() string { return fmt.Sprint(p.Context) }

// Number is part of coro.Task.
func (j *job) Number() uint64 {
	x := j.more()
	if x.number == 0 {
		j.home().numbers++
		x.number = j.home().numbers
	}
	return x.number
}

// Inspected is what package task/inspect sees of the task.
func (j *job) Inspected() *coro.Inspected {
	i := &coro.Inspected{
		Task: j, Coro: j.scope.coro, Future: j.scope.job.future(), Name: j.name(), Site: j.site(),
	}
	if g := j.group(); g != nil && !j.is(daemon) {
		i.Group = g
		if j.is(limited) {
			i.Slot = (*slot)(g)
		}
	}
	if j.home().shows != nil {
		i.Age = j.age()
	}
	return i
}

// Stack is part of coro.Task; see Task.
func (j *job) Stack(ctx context.Context) ([]byte, error) {
	f, p := future.New[[]byte]()
	c := j.home().core
	var untold error
	withdraw := c.Look(func() {
		var stack []byte
		switch on := j.scope.coro; {
		case on == nil:
		case on == coro.Current():
			stack = debug.Stack()
		case c.InLoop():
			stack = on.Stack()
		default:
			untold = errors.New("task: nobody runs the loop, and so nobody can tell the stack of a task")
		}
		p.Resolve(stack)
	})
	stack, err := f.Await(ctx)
	if err != nil {
		withdraw()
		return nil, err
	}
	return stack, untold
}

// vigil looks, in debug mode, at the tasks of a loop that is about to sleep.
type vigil struct {
	steps uint64          // of the pool, at the last look
	told  map[string]bool // the cycles that there were at the last look
	idle  bool            // told that the loop sleeps for ever
	next  time.Duration   // when the next look may be, after one that took long
}

// A look at many tasks takes long. It is not to take more than a twentieth of the time: then the
// next one comes later.
const (
	longLook = time.Millisecond
	lookRest = 20
)

// beforeSleep is called each time that the loop is about to sleep.
func (h *home) beforeSleep() {
	v := &h.vigil
	forever := h.core.SleepsForever() && !v.idle
	if v.steps == h.pool.Steps() && !forever {
		return // nobody has begun to wait since
	}
	clock := h.core.World()
	began := clock.Now()
	if began < v.next {
		h.core.LookAgain(v.next - began)
		return
	}
	h.lookOut(forever)
	now := clock.Now()
	if took := now - began; took >= longLook {
		v.next = now + lookRest*took
	}
}

// lookOut reports the cycles of awaits that are new, and if forever is true, that all tasks wait.
func (h *home) lookOut(forever bool) {
	v := &h.vigil
	v.steps = h.pool.Steps()
	cycles, _ := inspect.Deadlocks(h.core.Context(), h.owner()) // on the loop it answers at once
	now := map[string]bool{}
	for _, e := range cycles {
		var key string
		for _, i := range e.Tasks {
			key += fmt.Sprint(i.ID, " ")
		}
		if now[key] = true; !v.told[key] {
			h.core.Report(loop.Exception{Op: "deadlock", Name: e.Tasks[0].Name, Err: e, Site: e.Tasks[0].Spawned})
		}
	}
	v.told = now
	if forever && len(cycles) == 0 && h.root.kids != nil {
		h.reportIdle()
	}
}

// reportIdle reports what the tasks wait for, unless one of them is about to go on.
func (h *home) reportIdle() {
	var tree bytes.Buffer
	inspect.WriteTree(h.core.Context(), &tree, h.owner())
	tasks := 0
	if h.root.allWait(&tasks) && tasks > 0 {
		h.vigil.idle = true
		h.core.Report(loop.Exception{Op: "idle", Err: fmt.Errorf(idleHint, tasks, tree.String())})
	}
}

const idleHint = "task: the loop sleeps, and what its tasks (%d) wait for only another goroutine can bring:\n%s"

// allWait counts the tasks below s, and reports whether all of them still wait, since other
// goroutines do not stand still, and none of them until a deadline, which package context keeps:
// the loop has no timer.
func (s *scope) allWait(tasks *int) bool {
	all := true
	s.eachKid(func(k *scope) {
		if k.kind == ofTask {
			*tasks++
			all = all && k.coro != nil && k.coro.Waiting() && !k.coro.Bounded()
		}
		all = k.allWait(tasks) && all
	})
	return all
}
