package inspect

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// WriteTree writes the tasks of a loop as a tree, one line for each, for people to read: what it
// waits for, where it was started (in debug mode), and why its context is done, if it is. Below a
// task are the groups and timeouts that it has made, and the tasks that it has started; below a
// group are its members. What an ended task has started is one step up. Cycles of tasks that wait
// for each other come last.
//
// It returns the cause if ctx ends first, or the error of w.
func WriteTree(ctx context.Context, w io.Writer, l *reactor.Loop) error {
	t, err := look(ctx, l, (*view).tree)
	if err != nil {
		return err
	}
	_, err = w.Write(t.text())
	return err
}

// MarshalTree is WriteTree for programs: JSON, whose fields stay as they are, though there may be
// more of them. Those that have no value are left out.
//
//	scopes       the tree; each has
//	  kind         "task", "group" or "timeout"
//	  id, name, spawned, state, awaits, awaited_by
//	               of a task, as in Info
//	  awaits_tasks the IDs of the tasks that it waits for
//	  age_ns       its age in nanoseconds
//	  cancelled    why its context is done
//	  children     the scopes below
//	deadlocks    the IDs of the tasks of each cycle
func MarshalTree(ctx context.Context, l *reactor.Loop) ([]byte, error) {
	t, err := look(ctx, l, (*view).tree)
	if err != nil {
		return nil, err
	}
	return json.Marshal(t)
}

type tree struct {
	Scopes    []*node    `json:"scopes"`
	Deadlocks [][]uint64 `json:"deadlocks,omitempty"`

	cycles []*DeadlockError
}

type node struct {
	Kind        string   `json:"kind"`
	ID          uint64   `json:"id,omitempty"`
	Name        string   `json:"name,omitempty"`
	Spawned     string   `json:"spawned,omitempty"`
	AgeNS       int64    `json:"age_ns,omitempty"`
	State       string   `json:"state,omitempty"`
	Awaits      string   `json:"awaits,omitempty"`
	AwaitsTasks []uint64 `json:"awaits_tasks,omitempty"`
	AwaitedBy   []uint64 `json:"awaited_by,omitempty"`
	Cancelled   string   `json:"cancelled,omitempty"`
	Children    []*node  `json:"children,omitempty"`

	title string // in the text
}

func (v *view) tree() *tree {
	t := &tree{Scopes: []*node{}, cycles: v.cycles()}
	if v.root != nil {
		t.Scopes = v.below(v.root)
	}
	for _, c := range t.cycles {
		t.Deadlocks = append(t.Deadlocks, c.ids())
	}
	return t
}

// below returns what is below n.
func (v *view) below(n coro.Node) []*node {
	all := []*node{}
	n.EachBelow(func(k coro.Node) {
		one := v.node(k)
		one.Children = v.below(k)
		all = append(all, one)
	})
	return all
}

func (v *view) node(of coro.Node) *node {
	n := &node{Kind: of.Kind(), title: of.Title()}
	if t := v.nodes[of]; t != nil {
		i := v.info(t)
		n.title = i.String()
		n.ID, n.Name, n.Spawned, n.AgeNS = i.ID, i.Name, i.Spawned, int64(i.Age)
		n.State, n.Awaits, n.AwaitedBy = i.State, i.Awaits, i.AwaitedBy
		n.AwaitsTasks = numbers(t.awaits)
	}
	if of.Err() != nil {
		n.Cancelled = context.Cause(of).Error()
	}
	return n
}

func (t *tree) text() []byte {
	var b bytes.Buffer
	for _, n := range t.Scopes {
		n.write(&b, "", "")
	}
	if len(t.Scopes) == 0 {
		b.WriteString("no tasks\n")
	}
	for _, c := range t.cycles {
		fmt.Fprintln(&b, c.sentence())
	}
	return b.Bytes()
}

// write writes the node, whose line begins with first, and what is below it, whose lines begin with
// rest.
func (n *node) write(b *bytes.Buffer, first, rest string) {
	b.WriteString(first + n.title)
	switch {
	case n.Awaits != "":
		b.WriteString(": awaits " + n.Awaits)
	case n.State != "":
		b.WriteString(": " + n.State)
	}
	if n.Cancelled != "" {
		b.WriteString("; cancelled: " + n.Cancelled)
	}
	if n.Spawned != "" {
		b.WriteString("; started at " + n.Spawned)
	}
	b.WriteByte('\n')
	for i, k := range n.Children {
		if i < len(n.Children)-1 {
			k.write(b, rest+"├── ", rest+"│   ")
		} else {
			k.write(b, rest+"└── ", rest+"    ")
		}
	}
}
