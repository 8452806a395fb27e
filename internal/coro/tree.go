package coro

import (
	"context"
	"fmt"
	"time"
)

// Package task keeps a tree of cancel scopes for each loop. Package task/inspect shows it, and
// knows it only by these two interfaces. Their methods are called on the loop, or while it stands
// still, unless they say otherwise.

// Node is a cancel scope in the tree.
type Node interface {
	context.Context        // is it done, and why?
	Kind() string          // "task", "group", "timeout"; "loop" for the root
	Title() string         // of a group, how many tasks it has; of others the kind
	EachBelow(func(Node))  // those right below, oldest first
	Inspected() *Inspected // nil unless it is a task
}

// Inspected is what package inspect sees of a task.
type Inspected struct {
	Task
	Coro   *Coro        // nil before it begins
	Future any          // its *future.Future; nil for a member that Group.Go has started
	Group  fmt.Stringer // which waits for it; nil for none, and for a daemon
	// what another Group.Go waits for, if this task is one that the group's limit counts
	Slot fmt.Stringer
	Name string        // "" if it has none
	Site string        // where it was started, in debug mode
	Age  time.Duration // 0 unless the loop notes when tasks start
}

// Task is what can be asked of a task at any time.
type Task interface {
	// Number returns the task's number. The first call gives it one.
	Number() uint64
	// Withdraw cancels the task, from any goroutine, and reports whether its context was not done.
	Withdraw(cause error) bool
	// Stack returns the task's stack; any goroutine may call it. See task.Task.
	Stack(ctx context.Context) ([]byte, error)
}

// Choice is something to wait for that consists of several others, such as future.All.
type Choice interface {
	// Choice returns the futures that are pending, and whether all of them are waited for, or one.
	Choice() (pending []any, every bool)
}

// SetTree tells those who look inside which tree the loop has.
func (p *Pool) SetTree(root Node) { p.tree.Store(&root) }

// Tree returns the root of the loop's tree, nil if it has none yet. Any goroutine may call it.
func (p *Pool) Tree() Node {
	if root := p.tree.Load(); root != nil {
		return *root
	}
	return nil
}
