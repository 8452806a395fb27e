package task

import (
	"errors"
	"fmt"
	"slices"

	"github.com/corobridge/corobridge/internal/loop"
)

// ErrNotAwaited is the cause for cancelling the members of a Group whose maker returned without
// Wait.
var ErrNotAwaited = errors.New("task: the group's maker returned without Wait")

// madeGroup notes a group that the task has made. Each time that there are twice as many as were
// left before, those that are over are left out; so a task that makes many keeps few, and nobody
// looks at all of them each time.
func (j *job) madeGroup(g *Group) {
	x := j.more()
	if len(x.groups) >= x.enough {
		x.groups = slices.DeleteFunc(x.groups, (*Group).finished)
		x.enough = 2*len(x.groups) + 4
	}
	x.groups = append(x.groups, g)
}

// leaveGroups ends the groups that the task has made and not waited for.
func (j *job) leaveGroups() {
	for _, g := range j.extra.groups {
		g.mu.Lock()
		waited, running := g.waited || !g.waiters.Empty(), g.count()
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
			j.home().core.Report(loop.Exception{Op: "group", Name: j.name(), Err: err})
		}
	}
	j.extra.groups = nil
}

func (g *Group) finished() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.waited && g.count() == 0
}
