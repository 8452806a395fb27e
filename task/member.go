package task

import (
	"context"
	"runtime/trace"
	"slices"

	"github.com/corobridge/corobridge/internal/coro"
)

// groupMember is what Group.Go starts: a task without a result to ask for. Since fn is not given the task's context, nobody else has it
// either, unless he looks inside. So the memory is used again.
type groupMember struct {
	scope scope
	fn    func() error
}

// maxSpare bounds the memory kept for members to come.
const maxSpare = 256

// newMember is called on the loop.
func (sched *scheduler) newMember() *groupMember {
	n := len(sched.spare)
	if n == 0 {
		return &groupMember{}
	}
	m := sched.spare[n-1]
	sched.spare[n-1] = nil
	sched.spare = sched.spare[:n-1]
	return m
}

// recycle takes back a member that has ended, and that nothing leads to but its coroutine, which is about to forget it: who has looked
// at it has noted that in extra.
func (sched *scheduler) recycle(m *groupMember) {
	if m.scope.extra == nil && len(sched.spare) < maxSpare {
		*m = groupMember{}
		sched.spare = append(sched.spare, m)
	}
}

// startMember starts fn, for which a slot has been taken, and which has been counted in.
func startMember(g *Group, ctx context.Context, fn func() error) {
	sched := schedulerOf(ctx)
	inLoop := sched.loop.InLoop()
	var m *groupMember
	if inLoop {
		m = sched.newMember()
	} else {
		m = &groupMember{}
	}
	m.fn = fn
	s := &m.scope
	s.init(sched, ctx, ofTask)
	s.group, s.traits = g, member
	if sched.inspection != nil {
		s.note()
	}
	if inLoop {
		s.link()
	}
	if err := sched.loop.Post(m); err != nil {
		s.settle()
		g.done(s, err)
	}
}

// Run starts the task.
func (m *groupMember) Run() {
	s := &m.scope
	if s.next == nil { // it came through the door
		s.link()
	}
	s.sched.pool.Take(m).Run()
}

// Do runs the task.
func (m *groupMember) Do() {
	m.scope.coro = m.scope.sched.pool.Running()
	if m.scope.sched.inspection != nil || trace.IsEnabled() {
		m.doSeen()
		return
	}
	m.end(m.fn())
}

func (m *groupMember) doSeen() {
	defer m.scope.show()()
	m.end(m.fn())
}

// Failed ends a task whose fn did not return.
func (m *groupMember) Failed(err error) { m.end(err) }

func (m *groupMember) end(err error) {
	s := &m.scope
	if s.extra != nil && len(s.extra.groups) > 0 {
		s.leaveGroups()
	}
	s.coro, m.fn = nil, nil
	if s.sched.inspection != nil {
		s.tellDone(err)
	}
	s.end()
	s.group.done(s, err)
	s.sched.recycle(m)
}

// Covers is part of coro.Job.
func (m *groupMember) Covers(ctx context.Context) bool {
	s, ok := ctx.(*scope)
	return ok && s.covers(&m.scope)
}

func (m *groupMember) home() *scope { return &m.scope }

// Class is asked for by the loop, as that of a Task.
func (m *groupMember) Class() int { return int(m.scope.class) }

// TaskName is part of loop.Named.
func (m *groupMember) TaskName() string { return m.scope.title() }

// TaskSite is part of loop.Named.
func (m *groupMember) TaskSite() string { return m.scope.site() }

// count is how many members there are. It is called under the mutex.
func (g *Group) count() int { return g.members + len(g.daemons) + g.leaving }

// add counts a Task in.
func (g *Group) add(s *scope) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if s.is(daemon) {
		g.daemons = append(g.daemons, s)
	} else {
		g.members++
	}
}

// done counts a member out that has ended with err, as far as that is the group's concern.
func (g *Group) done(s *scope, err error) {
	if err != nil {
		g.fail(err)
	}
	g.mu.Lock()
	if !s.is(daemon) {
		g.members--
	} else if i := slices.Index(g.daemons, s); i >= 0 {
		g.daemons = slices.Delete(g.daemons, i, i+1)
	} else {
		g.leaving--
	}
	var next *coro.Waiter
	if s.is(member) {
		next = g.passOn()
	}
	var wake []*coro.Waiter
	dismissed := g.superfluous()
	if g.count() == 0 && len(g.waiters) > 0 {
		wake = slices.DeleteFunc(g.waiters, func(w *coro.Waiter) bool { return !w.Claim() })
		g.waiters = nil
	}
	g.mu.Unlock()
	if next != nil {
		next.Wake()
	}
	dismiss(dismissed)
	for _, w := range wake {
		w.Wake()
	}
}

// passOn gives the slot of an ended member to the first that waits for one, and returns that one, claimed. It is called under
// the mutex.
func (g *Group) passOn() *coro.Waiter {
	for len(g.slots) > 0 {
		w := g.slots[0]
		g.slots = slices.Delete(g.slots, 0, 1)
		if w.Claim() {
			g.members++ // here, or a Wait could return before the next member is counted in
			return w
		}
	}
	g.running--
	return nil
}
