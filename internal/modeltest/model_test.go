package modeltest

import (
	"errors"
	"slices"
)

// model is the world of tasks on one loop, in little. A task is a goroutine, of which one runs at a
// time: that to which the loop has passed the turn, and which passes it back. What is ready runs in
// the order in which it became so. The clock moves when nothing is ready.
//
// The files of the model import none of the packages it is a model of.
type model struct {
	time   int
	timers []*alarm // by time, and those of one time in the order they were set
	ready  []func() // what the loop does next, one after the other
	me     *process // who has the turn
	root   ctx

	processes map[int]*process
	promises  [promises]outcome
	shared
	groups  []*club
	reports []string
	unasked []*process // that have failed, and nobody has asked
}

// alarm rings at a time.
type alarm struct {
	at   int
	ring func()
	off  bool
}

// verdict is why a context is done: as which of the two, and for what cause.
type verdict struct {
	as, cause error
	from      *club // of the task that was cancelled, if it was one
	over      bool  // nobody has cancelled it: its task, group or time is over
}

// err is the error of what waited with the context.
func (v *verdict) err() error {
	if errors.Is(v.cause, v.as) {
		return v.cause
	}
	return &cutShort{v.cause, v.as}
}

// cutShort is the error of a wait that was cancelled for a reason of its own: one error, of both
// kinds.
type cutShort struct{ cause, as error }

func (e *cutShort) Error() string        { return e.cause.Error() }
func (e *cutShort) Unwrap() error        { return e.cause }
func (e *cutShort) Is(target error) bool { return target == e.as }

// explains reports whether err only tells of the cancellation: if it joins several, whether each
// does.
func (v *verdict) explains(err error) bool {
	if !errors.Is(err, v.as) && !errors.Is(err, v.cause) {
		return false
	}
	for e := err; e != nil && e != v.cause; e = errors.Unwrap(e) {
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			return !slices.ContainsFunc(joined.Unwrap(), func(part error) bool { return !v.explains(part) })
		}
	}
	return true
}

// ctx is a context. Those of a loop are a tree.
type ctx struct {
	up       *ctx
	kids     []*ctx
	done     *verdict
	of       *process // whose own it is, or nil
	maker    *process // who has made it, if it is nobody's own
	club     *club    // that tasks started with it join
	veil     bool     // it only hides the end of up from what is below, and is not in the tree
	shielded bool     // the end of up does not reach it
	gone     bool
	daemon   bool // so are the tasks that are started with it
	alarm    *alarm
}

// process is a task.
type process struct {
	outcome
	scope    ctx
	turn     chan struct{}
	wait     *wait // that it is in
	isolated bool
	made     []*club
	secret   bool // it has no handle
}

// wait is one wait of a process. It ends once: by what it waits for, or by its context.
type wait struct {
	who       *process
	with      *ctx
	settled   bool
	cancelled bool

	v   int // what is wanted, or was given
	err error
}

// outcome is what will be there once, of a task or a promise.
type outcome struct {
	done  bool
	v     int
	err   error
	asked bool // somebody has been given the error
	waits []*wait
	then  []func()
	stop  func(cause error) // how a task is cancelled
}

// club is a group.
type club struct {
	ctx
	members int
	daemons []*process
	err     error
	waits   []*wait
	waited  bool
	limit   int
	used    int
	queue   []*wait // for a place
}

var (
	errCancelled  = errors.New("cancelled")
	errOver       = errors.New("over")
	errLeft       = errors.New("the task has left")
	errNotAwaited = errors.New("not awaited")
	errNone       = errors.New("none")
)

type panicked struct{ value any }

func (*panicked) Error() string { return "panic" }

func newModel() *model { return &model{processes: map[int]*process{}} }

// run runs the first task until nothing is left to do, and reports whether that has ended.
func (m *model) run(main func(*ctx) (int, error)) bool {
	m.spawn(&m.root, 0, plain, main)
	for {
		switch {
		case len(m.ready) > 0:
			next := m.ready[0]
			m.ready = m.ready[1:]
			next()
		case len(m.timers) > 0:
			m.time = m.timers[0].at
			for len(m.timers) > 0 && m.timers[0].at == m.time {
				t := m.timers[0]
				m.timers = m.timers[1:]
				if !t.off {
					t.ring()
				}
			}
		default:
			for _, p := range m.unasked {
				if !p.asked {
					m.reports = append(m.reports, "task: "+m.words().describe(p.err))
				}
			}
			return m.processes[0].done
		}
	}
}

func (m *model) now() int { return m.time }

func (m *model) after(d int, ring func()) *alarm {
	a := &alarm{at: m.time + d, ring: ring}
	i, _ := slices.BinarySearchFunc(m.timers, a.at+1, func(t *alarm, at int) int { return t.at - at })
	m.timers = slices.Insert(m.timers, i, a)
	return a
}

// Waiting.

// pass gives the turn to a process, until it gives it back.
func (m *model) pass(p *process) {
	m.me = p
	p.turn <- struct{}{}
	<-p.turn
}

// park gives the turn back, until it comes again.
func (m *model) park() {
	me := m.me
	me.turn <- struct{}{}
	<-me.turn
}

func (m *model) wait(with *ctx, list *[]*wait) error { return m.waitAs(&wait{}, with, list) }

// waitAs waits on a list until w is settled. A wait that has been cancelled leaves the list when
// the process has its next turn.
func (m *model) waitAs(w *wait, with *ctx, list *[]*wait) error {
	w.who, w.with = m.me, with
	*list = append(*list, w)
	w.who.wait = w
	m.park()
	w.who.wait = nil
	if w.cancelled {
		*list = slices.DeleteFunc(*list, func(o *wait) bool { return o == w })
		return with.done.err()
	}
	return nil
}

// settle ends a wait, and reports whether that had not been cancelled.
func (m *model) settle(w *wait) bool {
	if w.settled {
		return false
	}
	w.settled = true
	m.ready = append(m.ready, func() { m.pass(w.who) })
	return true
}

// settleAll ends all waits of a list, and returns how many.
func (m *model) settleAll(list *[]*wait) (n int) {
	for _, w := range *list {
		n += truth(m.settle(w))
	}
	*list = nil
	return n
}

// settleFirst ends the first wait of a list that has not been cancelled.
func (m *model) settleFirst(list *[]*wait) bool {
	for len(*list) > 0 {
		w := (*list)[0]
		*list = (*list)[1:]
		if m.settle(w) {
			return true
		}
	}
	return false
}

func (m *model) why(c *ctx) error {
	if c.done == nil {
		return nil
	}
	return c.done.err()
}

func (m *model) words() *words {
	w := &words{cancelled: errCancelled, ended: errOver, goexit: errLeft, notAwaited: errNotAwaited, none: errNone, shut: errShut, broken: errBroken}
	w.panicked = func(err error) (any, bool) {
		if p, ok := errors.AsType[*panicked](err); ok {
			return p.value, true
		}
		return nil, false
	}
	return w
}
