package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// ErrNotAwaited is the cause for cancelling the members of a Group whose maker returned without Wait.
var ErrNotAwaited = errors.New("task: the group's maker returned without Wait")

// Group is a golang.org/x/sync/errgroup.Group whose members are tasks: it has the same methods, so that a program changes
// only the constructor. Its methods may be called from any goroutine, but not from a loop's callbacks where they wait.
//
// The first error of a member cancels the group's context, and so the other members; Wait returns it when all have ended. A
// member that panics has a *PanicError.
//
// The zero Group is valid, has no limit, and cancels nobody; its members run on the loop of the task that calls Go.
type Group struct {
	scope scope

	mu      sync.Mutex
	members int
	running int            // of those, started by Go and TryGo: what the limit counts
	limit   int            // plus one; zero for none
	slots   []*coro.Waiter // of Go, first come first served
	waiters []*coro.Waiter // of Wait
	waited  bool
	err     error
}

// NewGroup is errgroup.WithContext: tasks started by the group's Go, and those started with the returned context,
// belong to the group. That context is cancelled when a member fails, with its error as the cause, and when Wait returns.
//
// Every group must be waited for. If the task that made it returns without, the members are cancelled and
// awaited before the task ends, and that is reported to the loop's exception handler. NewGroup panics when ctx carries no loop.
func NewGroup(ctx context.Context) (*Group, context.Context) {
	sched := schedulerOf(ctx)
	if sched == nil {
		panic("task: the context given to NewGroup carries no loop; use a task's context, loop.Context() or reactor.WithLoop")
	}
	g := &Group{}
	g.scope.init(sched, ctx, ofGroup)
	g.scope.group = g
	g.scope.enter()
	if maker := maker(ctx); maker != nil {
		x := maker.more()
		x.groups = slices.DeleteFunc(x.groups, (*Group).finished)
		x.groups = append(x.groups, g)
	}
	return g, &g.scope
}

// maker returns the scope of the calling task, nil if there is none.
func maker(ctx context.Context) *scope {
	c := coro.CurrentBy(ctx)
	if c == nil {
		return nil
	}
	return c.Job().(interface{ home() *scope }).home()
}

// Scope runs fn and then waits for all tasks it has started in g, or with its context, however fn ends: it cannot be left
// while one of them runs. An error of fn cancels them. It returns the first error, fn's or a member's. If fn panics, they
// are cancelled and awaited before the panic goes on.
func Scope(ctx context.Context, fn func(ctx context.Context, g *Group) error) error {
	g, ctx := NewGroup(ctx)
	returned := false
	defer func() {
		if !returned { // a panic or a Goexit is on its way
			g.Cancel(ErrEnded)
			g.Wait()
		}
	}()
	if err := fn(ctx, g); err != nil {
		g.fail(err)
	}
	returned = true
	return g.Wait()
}

// Go starts fn as a task of the group. If the group has its limit of tasks, it first waits until one of them has ended.
func (g *Group) Go(fn func() error) {
	ctx := g.context()
	if w := g.acquire(); w != nil {
		w.Wait(context.Background()) // until a slot is handed over
		w.Release()
	}
	g.spawn(ctx, fn)
}

// TryGo starts fn as a task of the group, unless that has its limit of tasks, and reports whether it did. It never waits.
func (g *Group) TryGo(fn func() error) bool {
	ctx := g.context()
	g.mu.Lock()
	full := g.full()
	if !full {
		g.running++
	}
	g.mu.Unlock()
	if full {
		return false
	}
	g.spawn(ctx, fn)
	return true
}

// full reports whether the group has its limit of tasks. It is called under the mutex.
func (g *Group) full() bool { return g.limit > 0 && g.running >= g.limit-1 }

// acquire takes a slot, or else returns a Waiter that is enlisted for one.
func (g *Group) acquire() *coro.Waiter {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.full() {
		g.running++
		return nil
	}
	w, _ := coro.Here(context.Background(), "task: Group.Go at the group's limit")
	g.slots = append(g.slots, w)
	return w
}

// spawn starts fn, for which a slot has been taken.
func (g *Group) spawn(ctx context.Context, fn func() error) {
	t := &Task[struct{}]{fn: func(context.Context) (struct{}, error) {
		defer g.release()
		return struct{}{}, fn()
	}}
	t.scope.init(schedulerOf(ctx), ctx, ofTask)
	t.scope.group = g
	if t.start() != nil {
		g.release()
	}
}

// context is what the contexts of members derive from: the group's, or for a zero Group that of the loop that the caller runs
// on.
func (g *Group) context() context.Context {
	if g.scope.sched != nil {
		return &g.scope
	}
	p := coro.CurrentPool()
	if p == nil {
		panic("task: the zero Group was used outside a loop; make the group with task.NewGroup")
	}
	return p.Owner().(*reactor.Loop).Context()
}

// release gives the slot of an ended member to the first that waits for one.
func (g *Group) release() {
	g.mu.Lock()
	for len(g.slots) > 0 {
		w := g.slots[0]
		g.slots = slices.Delete(g.slots, 0, 1)
		if w.Claim() {
			g.mu.Unlock()
			w.Wake()
			return
		}
	}
	g.running--
	g.mu.Unlock()
}

// SetLimit bounds the number of tasks that Go and TryGo have running at once; negative means no bound. Tasks started with
// the group's context are not counted. It panics while such tasks run.
func (g *Group) SetLimit(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running != 0 {
		panic(fmt.Sprintf("task: SetLimit while %d tasks of the group run; set the limit first", g.running))
	}
	g.limit = max(n+1, 0)
}

// Wait waits until every member has ended, and returns the first error. It takes no context, as errgroup's: the members
// have the group's, and it ends with them.
func (g *Group) Wait() error { return g.wait(context.Background()) }

func (g *Group) wait(ctx context.Context) error {
	w, err := g.enlist(ctx)
	if w != nil {
		if err = w.Wait(ctx); err != nil {
			g.delist(w)
		}
		w.Release()
	}
	if err != nil {
		return err
	}
	if g.scope.sched != nil {
		g.scope.leave()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waited = true
	return g.err
}

// enlist returns a Waiter for the end of all members, nil if there are none.
func (g *Group) enlist(ctx context.Context) (*coro.Waiter, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.members == 0 {
		return nil, nil
	}
	w, err := coro.Here(ctx, "task: Group.Wait")
	if err == nil {
		g.waiters = append(g.waiters, w)
	}
	return w, err
}

func (g *Group) delist(w *coro.Waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiters = slices.DeleteFunc(g.waiters, func(v *coro.Waiter) bool { return v == w })
}

// Cancel cancels the group's context with cause (nil: future.ErrCancelled). It does nothing to a zero Group.
func (g *Group) Cancel(cause error) {
	if cause == nil {
		cause = future.ErrCancelled
	}
	if g.scope.sched != nil {
		g.scope.cancel(finished(context.Canceled, cause))
	}
}

func (g *Group) add() {
	g.mu.Lock()
	g.members++
	g.mu.Unlock()
}

// done counts a member out.
func (g *Group) done(err error) {
	if err != nil {
		g.fail(err)
	}
	g.mu.Lock()
	g.members--
	var wake []*coro.Waiter
	if g.members == 0 {
		wake = slices.DeleteFunc(g.waiters, func(w *coro.Waiter) bool { return !w.Claim() })
		g.waiters = nil
	}
	g.mu.Unlock()
	for _, w := range wake {
		w.Wake()
	}
}

// fail records the first error, and cancels the rest.
func (g *Group) fail(err error) {
	g.mu.Lock()
	first := g.err == nil
	if first {
		g.err = err
	}
	g.mu.Unlock()
	if first {
		g.Cancel(err)
	}
}

func (g *Group) finished() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waited && g.members == 0
}

// leaveGroups ends the groups that a task has made and not waited for.
func (s *scope) leaveGroups() {
	for _, g := range s.extra.groups {
		g.mu.Lock()
		waited, members := g.waited || len(g.waiters) > 0, g.members
		g.mu.Unlock()
		if waited && members == 0 {
			continue
		}
		if !waited && members > 0 {
			g.Cancel(ErrNotAwaited)
		}
		if err := g.Wait(); !waited && (err != nil || members > 0) {
			if err == nil {
				err = ErrNotAwaited
			} else if !errors.Is(err, ErrNotAwaited) {
				err = fmt.Errorf("%w: %w", ErrNotAwaited, err)
			}
			s.sched.loop.Report(reactor.Exception{Op: "group", Name: s.name(), Err: err})
		}
	}
	s.extra.groups = nil
}
