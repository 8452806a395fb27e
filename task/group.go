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

// Group is a golang.org/x/sync/errgroup.Group whose members are tasks: it has the same methods, so
// that a program changes only the constructor. Its methods may be called from any goroutine, but
// not from a loop's callbacks where they wait.
//
// The first error of a member cancels the group's context, and so the other members; Wait returns
// it when all have ended. A member that panics has a *PanicError. A member that was cancelled by
// its own Cancel, and returns the error of that, has not failed.
//
// The zero Group is valid, has no limit, and cancels nobody; its members run on the loop of the
// task that calls Go.
type Group struct {
	// Guarded by mu, which comes first so that no context that consists of a *Group is taken for
	// scope.
	mu      sync.Mutex
	members int       // not counting daemons; with those to come that have been given a slot
	daemons []*job    // not yet dismissed, oldest first
	leaving int       // daemons dismissed, still running
	running int       // of the members, those that the limit counts
	limit   int       // plus one; zero for none
	slots   coro.Line // of Go
	waiters coro.Line // of Wait
	waited  bool
	err     error   // the first
	errs    []error // of failures, in their order

	scope   scope   // has no setting in a zero Group
	setting setting // of the scope
}

// NewGroup is errgroup.WithContext: tasks started by the group's Go, and those started with the
// returned context, belong to the group. That context is cancelled when a member fails, with its
// error as the cause, and when Wait returns.
//
// Every group must be waited for. If the task that made it returns without, the members are
// cancelled and awaited before the task ends, and that is reported to the loop's exception handler.
// NewGroup panics when ctx carries no loop.
func NewGroup(ctx context.Context) (*Group, context.Context) {
	h := homeOf(ctx)
	if h == nil {
		panic("task: the context given to NewGroup carries no loop; use a task's context, loop.Context() or reactor.WithLoop")
	}
	g := &Group{}
	s := &g.scope
	s.init(h, ctx, ofGroup)
	g.setting = *s.setting
	g.setting.group = g
	s.setting, s.traits = &g.setting, 0
	s.madeBy(ctx)
	s.enter()
	if c := coro.CurrentBy(ctx); c != nil {
		jobOf(c).madeGroup(g)
	}
	return g, s
}

// Scope runs fn and then waits for all tasks it has started in g, or with its context, however fn
// ends: it cannot be left while one of them runs. An error of fn cancels them. Scope returns the
// first error, fn's or a member's; after that, g.Errors has all of them. If fn panics, they are
// cancelled and awaited before the panic goes on. In a callback of a loop Scope panics.
func Scope(ctx context.Context, fn func(ctx context.Context, g *Group) error) error {
	coro.Who(ctx, "task: Scope") // before there is anything to undo
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

const opWait = "task: Group.Wait"

// context is what the contexts of members derive from: the group's, or for a zero Group that of the
// loop that the caller runs on.
func (g *Group) context() context.Context {
	if g.scope.setting != nil {
		return &g.scope
	}
	p := coro.CurrentPool()
	if p == nil {
		panic("task: the zero Group was used outside a loop; make the group with task.NewGroup")
	}
	return p.Owner().(*loop.Core).Context()
}

// Wait waits until every member has ended, and returns the first error. It takes no context, as
// errgroup's: the members have the group's, and it ends with them. Members that are daemons are
// cancelled when the others have ended, and awaited too.
func (g *Group) Wait() error { return g.wait(context.Background()) }

func (g *Group) wait(ctx context.Context) error {
	if err := g.join(ctx); err != nil {
		return err
	}
	if g.scope.setting != nil {
		g.scope.leave()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.waited = true
	return g.err
}

// join waits until there are no members, and dismisses the daemons when it is their time.
func (g *Group) join(ctx context.Context) error {
	done := ctx.Err() != nil
	g.mu.Lock()
	switch {
	case g.count() == 0:
		g.mu.Unlock()
		coro.Spend(ctx)
		return nil
	case done:
		g.mu.Unlock()
		coro.Who(ctx, opWait) // a callback is told that it may not wait
		return coro.Cause(ctx)
	}
	w := g.waiters.Enter(ctx, &g.mu, opWait)
	dismissed := g.superfluous()
	g.mu.Unlock()
	dismiss(dismissed)
	w.Begin(ctx, g).Suspend()
	return g.waiters.Exit(ctx, &g.mu, w)
}

// Errors returns the failures of all members, joined by errors.Join in the order in which they
// failed; nil if none has. It is for after Wait: before, it knows of those that have failed
// already.
//
// An error that only says that the group was cancelled, as those of the members that the first
// failure has cancelled, is no failure, and neither is one of a member that is Isolated, or whose
// own Cancel was called, or of a daemon that the end of the others has cancelled. So Errors is nil
// for a group that was cancelled from outside, and whose Wait returns the cause.
func (g *Group) Errors() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return errors.Join(g.errs...)
}

// Cancel cancels the group's context with cause (nil: future.ErrCancelled). It does nothing to a
// zero Group.
func (g *Group) Cancel(cause error) {
	if cause == nil {
		cause = future.ErrCancelled
	}
	if g.scope.setting != nil {
		g.scope.cancel(finished(context.Canceled, cause))
	}
}

// String tells how many members have not ended.
func (g *Group) String() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprintf("group of %d running tasks", g.count())
}

// count is how many members there are. It is called under the mutex.
func (g *Group) count() int { return g.members + len(g.daemons) + g.leaving }

// add counts in a task that was started with the group's context.
func (g *Group) add(j *job) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if j.is(daemon) {
		g.daemons = append(g.daemons, j)
	} else {
		g.members++
	}
}

// done counts out a member that has ended with err, as far as that is the group's concern.
func (g *Group) done(j *job, err error) {
	if err != nil {
		g.fail(err)
	}
	g.mu.Lock()
	if !j.is(daemon) {
		g.members--
	} else if i := slices.Index(g.daemons, j); i >= 0 {
		g.daemons = slices.Delete(g.daemons, i, i+1)
	} else {
		g.leaving--
	}
	var woken coro.Claimed
	if j.is(limited) {
		woken.Add(g.passOn())
	}
	dismissed := g.superfluous()
	if g.count() == 0 {
		g.waiters.ClaimAll(&woken)
	}
	g.mu.Unlock()
	woken.Wake()
	dismiss(dismissed)
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
	if g.scope.setting == nil || g.scope.Err() == nil {
		return false
	}
	cause := context.Cause(&g.scope)
	return says(err, cause, func(err error) bool { return errors.Is(err, g.scope.Err()) || errors.Is(cause, err) })
}

// superfluous returns the daemons that are to be dismissed, each of them once: if nobody else is
// left and somebody waits for that. It is called under the mutex.
func (g *Group) superfluous() []*job {
	if g.members > 0 || g.waiters.Empty() {
		return nil
	}
	dismissed := g.daemons
	g.leaving += len(dismissed)
	g.daemons = nil
	return dismissed
}

// dismiss cancels daemons, in the order in which they were started.
func dismiss(daemons []*job) {
	for _, d := range daemons {
		d.Withdraw(ErrEnded)
	}
}
