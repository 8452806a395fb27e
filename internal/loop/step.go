package loop

import (
	"fmt"

	"github.com/corobridge/corobridge/internal/coro"
)

// Step is something that a loop runs: a callback, a step of a task, a timer, the handler of a
// descriptor.
type Step struct {
	op   string
	task string
	v    any
	fn   any // the function that v calls, if that says more than v
}

// Task returns the name of the task, "" if the step is of no task, or of one without a name.
func (s Step) Task() string { return s.task }

// String says what the step is: its task, or the place of its function.
func (s Step) String() string {
	if s.task != "" {
		return "task " + s.task
	}
	if s.fn != nil {
		return s.op + " " + placeOf(s.fn)
	}
	switch s.v.(type) {
	case *coro.Coro, Named:
		return "task"
	}
	return fmt.Sprintf("%s %T", s.op, s.v)
}

// Named is an entry of the ready queue, or the job of a coroutine, that is a task.
type Named interface {
	TaskName() string // "" if it has none
	TaskSite() string // where it was started; "" unless in debug mode
}

// Calling is an entry or a handler that is best named by the function it calls.
type Calling interface {
	// Calls returns that function, nil if there is none. op says what it is, "" for what the loop
	// would say.
	Calls() (op string, fn any)
}

// Calls returns the function itself.
func (f Callback) Calls() (op string, fn any) { return "", f }

// stepOf names v, which is about to run.
func stepOf(op string, v any) Step {
	s := Step{op: op, v: v}
	if c, ok := v.(Calling); ok {
		var own string
		if own, s.fn = c.Calls(); own != "" {
			s.op = own
		}
	}
	if c, ok := v.(*coro.Coro); ok {
		v = c.Job()
	}
	if n, ok := v.(Named); ok {
		s.task = n.TaskName()
	}
	return s
}

// Composite is an entry that consists of steps of its own. It runs them by RunStep, and is no step
// itself.
type Composite interface{ OwnSteps() }

// RunStep runs fn. It is a step of a Composite, which op and v name. It is called on the loop.
func (c *Core) RunStep(op string, v any, fn func()) {
	if !c.steps.told {
		fn()
		return
	}
	step := stepOf(op, v)
	c.steps.before(step)
	defer c.steps.after(step)
	fn()
}

// steps tells the observers of steps. It wraps an entry or a handler: the loop runs the wrapper,
// which tells the observers before and after. No step begins within another one.
type steps struct {
	core    *Core
	told    bool // an observer wants to be told
	op      string
	entry   Runnable
	handler ReadyHandler
}

// of returns r as it is to be run, next.
func (s *steps) of(op string, r Runnable) Runnable {
	s.op, s.entry = op, r
	return s
}

// ofHandler returns h as it is to be called, next.
func (s *steps) ofHandler(op string, h ReadyHandler) ReadyHandler {
	s.op, s.handler = op, h
	return s
}

// Run runs the entry.
func (s *steps) Run() {
	r := s.entry
	s.entry = nil
	step := stepOf(s.op, r)
	s.before(step)
	defer s.after(step) // the entry may panic, or call runtime.Goexit
	r.Run()
}

// Ready calls the handler.
func (s *steps) Ready(e Events) {
	h := s.handler
	s.handler = nil
	step := stepOf(s.op, h)
	s.before(step)
	defer s.after(step)
	h.Ready(e)
}

func (s *steps) before(step Step) {
	s.core.Tell(func(o *Observer) {
		if o.BeforeStep != nil {
			o.BeforeStep(step)
		}
	})
}

func (s *steps) after(step Step) {
	s.core.Tell(func(o *Observer) {
		if o.AfterStep != nil {
			o.AfterStep(step)
		}
	})
}
