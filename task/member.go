package task

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/internal/coro"
)

// member is a task that Group.Go has started: one without a result to ask for. Since fn is not
// given the task's context, nobody else has it either, except for those who look inside. So the
// memory is used again.
type member struct {
	job
	fn func() error
}

// Go starts fn as a task of the group. If the group has its limit of tasks, it first waits until
// one of them has ended.
//
// A member that calls Go may so wait for itself, which debug mode reports. Such a wait ends when
// the member and its group are cancelled, as they are when the loop closes: then fn starts in spite
// of the limit, so that its clean-up happens. In a callback of a loop Go panics if it would have to
// wait.
func (g *Group) Go(fn func() error) {
	ctx := g.context()
	if !g.tryAcquire() {
		g.acquire(ctx)
	}
	g.startMember(ctx, fn)
}

// TryGo starts fn as a task of the group, unless that has its limit of tasks, and reports whether
// it did. It never waits.
func (g *Group) TryGo(fn func() error) bool {
	ctx := g.context()
	if !g.tryAcquire() {
		return false
	}
	g.startMember(ctx, fn)
	return true
}

// SetLimit bounds the number of tasks that Go and TryGo have running at once; negative means no
// bound. Tasks started with the group's context are not counted. SetLimit panics while such tasks
// run, unless it takes the bound away.
func (g *Group) SetLimit(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running != 0 && n >= 0 {
		panic(fmt.Sprintf("task: SetLimit while %d tasks of the group run; set the limit first", g.running))
	}
	g.limit = max(n+1, 0)
}

// full reports whether the group has its limit of tasks. It is called under the mutex.
func (g *Group) full() bool { return g.limit > 0 && g.running >= g.limit-1 }

// tryAcquire counts a member in, unless the group has its limit of them.
func (g *Group) tryAcquire() bool {
	g.mu.Lock()
	free := !g.full()
	if free {
		g.countIn()
	}
	g.mu.Unlock()
	return free
}

func (g *Group) countIn() {
	g.running++
	g.members++
}

// acquire counts a member in as soon as there is a slot for it: whoever hands one over has counted
// it. A task of the group that is cancelled, as is the group, whose context is ctx, may be what
// holds the slot: then the new member is counted in without one.
func (g *Group) acquire(ctx context.Context) {
	bounds := []context.Context{context.Background()}
	if c := coro.CurrentBy(ctx); c != nil && g.contains(jobOf(c)) {
		bounds = []context.Context{&jobOf(c).scope, ctx}
	}
	for _, bound := range bounds {
		if g.awaitSlot(bound) {
			return
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.countIn()
}

// contains reports whether j, which calls, is a task of the group, or below one. Then its slot, or
// that of a task that waits for it, may be the very one that it would wait for.
func (g *Group) contains(j *job) bool {
	if j.group() == g {
		return true
	}
	for s := &j.scope; s != nil; s = s.up {
		if s == &g.scope {
			return true
		}
	}
	return false
}

// awaitSlot waits for a slot until ctx is done, and reports whether it has got one.
func (g *Group) awaitSlot(ctx context.Context) bool {
	done := ctx.Err() != nil
	g.mu.Lock()
	switch {
	case !g.full():
		g.countIn()
		g.mu.Unlock()
		return true
	case done:
		g.mu.Unlock()
		return false
	}
	return g.slots.Wait(ctx, &g.mu, "task: Group.Go at the group's limit", (*slot)(g)) == nil
}

// passOn gives the slot of an ended member to the first that waits for one, and returns that one,
// claimed; nil if there is none, or if the group has more than its limit. It is called under the
// mutex.
func (g *Group) passOn() *coro.Waiter {
	if g.limit == 0 || g.running < g.limit {
		if w := g.slots.Claim(); w != nil {
			g.members++ // here, or a Wait could return before the next member is counted in
			return w
		}
	}
	g.running--
	return nil
}

// startMember starts fn, for which a slot has been taken, and which has been counted in.
func (g *Group) startMember(ctx context.Context, fn func() error) {
	h := homeOf(ctx)
	onLoop := h.core.InLoop()
	var m *member
	if onLoop {
		m = h.newMember()
	} else {
		m = &member{}
	}
	m.fn = fn
	m.init(h, ctx, m)
	if g.scope.setting == nil { // a zero Group: ctx is the loop's, and says nothing of it
		m.scope.setting = g.settingOn(h, ctx)
	}
	m.scope.traits = limited
	m.start(onLoop)
}

// settingOn returns the setting of a zero Group's members on the loop h, whose context is ctx. The
// group keeps that of the loop where it is used first.
func (g *Group) settingOn(h *home, ctx context.Context) *setting {
	g.mu.Lock()
	defer g.mu.Unlock()
	own := setting{home: h, pool: h.pool, values: ctx, group: g}
	if g.setting.home == nil {
		g.setting = own
	}
	if g.setting.home == h {
		return &g.setting
	}
	return &own
}

func (m *member) call() { m.end(m.fn()) }

func (m *member) end(err error) {
	h := m.home()
	expected := m.over(err)
	m.fn = nil
	m.tell(err, expected)
	h.recycle(m)
}

func (m *member) refuse(err error) { m.tell(err, false) }

func (m *member) future() any { return nil }

// slot is a Group as what Go waits for.
type slot Group

func (s *slot) String() string { return "a place in a " + (*Group)(s).String() }
