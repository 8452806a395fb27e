package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
)

// Group is a golang.org/x/sync/errgroup.Group whose members are tasks: it has the same methods, so that a program changes
// only the constructor. Its methods may be called from any goroutine, but not from a loop's callbacks where they wait.
//
// The first error of a member cancels the group's context, and so the other members; Wait returns it when all have ended. A
// member that panics has a *PanicError. A member that was cancelled by its own Cancel, and returns the error of that, has not failed.
//
// The zero Group is valid, has no limit, and cancels nobody; its members run on the loop of the task that calls Go.
type Group struct {
	scope scope

	mu      sync.Mutex
	members int            // but for the daemons
	daemons []*scope       // in the order they were started, but for those that are
	leaving int            // dismissed, and have not ended
	running int            // of the members, started by Go and TryGo: what the limit counts
	limit   int            // plus one; zero for none
	slots   []*coro.Waiter // of Go, first come first served
	waiters []*coro.Waiter // of Wait
	waited  bool
	err     error   // the first
	errs    []error // of failures, in their order
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
	g.scope.group, g.scope.traits = g, 0
	g.scope.madeBy(ctx)
	g.scope.enter()
	if maker := maker(ctx); maker != nil {
		x := maker.more()
		x.groups = append(x.roomForGroup(), g)
	}
	return g, &g.scope
}

// Go starts fn as a task of the group. If the group has its limit of tasks, it first waits until one of them has ended.
func (g *Group) Go(fn func() error) {
	ctx := g.context()
	if w := g.acquire(); w != nil {
		w.Wait(context.Background(), (*slot)(g)) // until one is handed over
		w.Release()
	}
	startMember(g, ctx, fn)
}

// TryGo starts fn as a task of the group, unless that has its limit of tasks, and reports whether it did. It never waits.
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
	startMember(g, ctx, fn)
	return true
}

// full reports whether the group has its limit of tasks. It is called under the mutex.
func (g *Group) full() bool { return g.limit > 0 && g.running >= g.limit-1 }

// acquire counts a member in that has a slot, or else returns a Waiter that is enlisted for one: whoever hands that over has counted
// the member in.
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
	return p.Owner().(*loop.Core).Context()
}

// SetLimit bounds the number of tasks that Go and TryGo have running at once; negative means no bound. Tasks started with
// the group's context are not counted. It panics while such tasks run, unless it takes the bound away.
func (g *Group) SetLimit(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running != 0 && n >= 0 {
		panic(fmt.Sprintf("task: SetLimit while %d tasks of the group run; set the limit first", g.running))
	}
	g.limit = max(n+1, 0)
}

// Wait waits until every member has ended, and returns the first error. It takes no context, as errgroup's: the members
// have the group's, and it ends with them. Members that are daemons are cancelled when the others have ended, and awaited too.
func (g *Group) Wait() error { return g.wait(context.Background()) }

func (g *Group) wait(ctx context.Context) error {
	w, dismissed, err := g.enlist(ctx)
	dismiss(dismissed)
	if w != nil {
		if err = w.Wait(ctx, g); err != nil {
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

// enlist returns a Waiter for the end of all members, nil if there are none, and the daemons that are to be dismissed.
func (g *Group) enlist(ctx context.Context) (*coro.Waiter, []*scope, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.count() == 0 {
		return nil, nil, nil
	}
	w, err := coro.Here(ctx, "task: Group.Wait")
	if err != nil {
		return nil, nil, err
	}
	g.waiters = append(g.waiters, w)
	return w, g.superfluous(), nil
}

func (g *Group) delist(w *coro.Waiter) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waiters = slices.DeleteFunc(g.waiters, func(v *coro.Waiter) bool { return v == w })
}

// Errors returns the failures of all members, joined by errors.Join in the order in which they failed; nil if none has. It is for after
// Wait: before, it knows of those that have failed already.
//
// An error that only says that the group was cancelled, as those of the members that the first failure has cancelled, is no failure, and
// neither is one of a member that is Isolated, or whose own Cancel was called, or of a daemon that the end of the others has
// cancelled. So Errors is nil for a group that was cancelled from outside, and whose Wait returns the cause.
func (g *Group) Errors() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.errs...)
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

// fail records an error, and cancels the rest if it is the first.
func (g *Group) fail(err error) {
	echo := g.echoes(err)
	g.mu.Lock()
	first := g.err == nil
	if first {
		g.err = err
	}
	if !echo {
		g.errs = append(g.errs, err)
	}
	g.mu.Unlock()
	if first {
		g.Cancel(err)
	}
}

// echoes reports whether err only says that the group was cancelled: why, is known already.
func (g *Group) echoes(err error) bool {
	if g.scope.sched == nil || g.scope.Err() == nil {
		return false
	}
	cause := context.Cause(&g.scope)
	return says(err, cause, func(err error) bool { return errors.Is(err, g.scope.Err()) || errors.Is(cause, err) })
}

// String tells how many members have not ended.
func (g *Group) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf("group of %d running tasks", g.count())
}

// slot is a Group as what Go waits for.
type slot Group

func (s *slot) String() string { return "a place in a " + (*Group)(s).String() }
