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
func (g *Group) Go(fn func() error) {
	ctx := g.context()
	if w := g.acquire(); w != nil {
		w.Wait(context.Background(), (*slot)(g)) // until one is handed over
		w.Release()
	}
	g.startMember(ctx, fn)
}

// TryGo starts fn as a task of the group, unless that has its limit of tasks, and reports whether
// it did. It never waits.
func (g *Group) TryGo(fn func() error) bool {
	ctx := g.context()
	g.mu.Lock()
	full := g.full()
	if !full {
		g.running++
		g.members++
	}
	g.mu.Unlock()
	if full {
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

// acquire counts a member in that has a slot, or else returns a Waiter that is enlisted for one:
// whoever hands that over has counted the member in.
func (g *Group) acquire() *coro.Waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.full() {
		g.running++
		g.members++
		return nil
	}
	w, _ := coro.Here(context.Background(), "task: Group.Go at the group's limit")
	g.slots = append(g.slots, w)
	return w
}

// passOn gives the slot of an ended member to the first that waits for one, and returns that one,
// claimed. It is called under the mutex.
func (g *Group) passOn() *coro.Waiter {
	for len(g.slots) > 0 {
		w := g.slots[0]
		g.slots = g.slots[1:]
		if w.Claim() {
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
	var m *member
	if h.core.InLoop() {
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
	m.start()
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
