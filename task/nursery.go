package task

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// ErrNotAwaited is the cause for cancelling the members of a Group whose maker returned without Wait.
var ErrNotAwaited = errors.New("task: the group's maker returned without Wait")

// Scope runs fn and then waits for all tasks it has started in g, or with its context, however fn ends: it cannot be left
// while one of them runs. An error of fn cancels them. It returns the first error, fn's or a member's; after Scope, g.Errors has all of
// them. If fn panics, they are cancelled and awaited before the panic goes on. In a callback of a loop Scope panics.
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

// maker returns the scope of the calling task, nil if there is none.
func maker(ctx context.Context) *scope {
	c := coro.CurrentBy(ctx)
	if c == nil {
		return nil
	}
	return c.Job().(interface{ home() *scope }).home()
}

// roomForGroup returns the groups, with room for another one. If there was none it leaves out those that are over, so that most of the time
// nobody looks at all of them.
func (x *extra) roomForGroup() []*Group {
	if len(x.groups) < cap(x.groups) {
		return x.groups
	}
	live := slices.DeleteFunc(x.groups, (*Group).finished)
	if cap(live) > 4*len(live)+16 {
		live = slices.Clone(live)
	}
	return slices.Grow(live, len(live)+1)
}

// leaveGroups ends the groups that a task has made and not waited for.
func (s *scope) leaveGroups() {
	for _, g := range s.extra.groups {
		g.mu.Lock()
		waited, running := g.waited || len(g.waiters) > 0, g.count()
		g.mu.Unlock()
		if waited && running == 0 {
			continue
		}
		if !waited && running > 0 {
			g.Cancel(ErrNotAwaited)
		}
		if err := g.Wait(); !waited && (err != nil || running > 0) {
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

func (g *Group) finished() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waited && g.count() == 0
}
