package modeltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// world is where programs run: C is its kind of context. Tasks, promises and groups have numbers.
// All calls but those of spawn for the first task come from tasks.
type world[C any] interface {
	now() int
	spawn(ctx C, id, style int, body func(C) (int, error))
	// member starts body as a member of a group; that is no task that anybody knows.
	member(group, id int, body func(C) error)
	await(ctx C, r ref) (int, error)
	combine(ctx C, s *step, rs []ref) (int, error)
	cancel(r ref, cause error) bool
	complete(promise, v int, err error) bool
	sleep(ctx C, d int) error

	timeout(ctx C, d int, body func(C) error) error
	shield(ctx C, body func(C) error) error
	derive(ctx C, body func(C) error) error
	// group runs body in one; its form is the kind of the step.
	group(ctx C, form kind, limit int, body func(ctx C, group int) error) error

	// hold takes what the block of the step runs with, and release gives it back.
	hold(ctx C, s *step) error
	release(s *step)
	// primitive is a step that has to do with nothing else of the program. What a put puts is v.
	primitive(ctx C, s *step, v int) (int, error)

	known(task int) bool // whether a task has a handle
	ended(task int) bool
	why(ctx C) error // what a wait with the context fails with, nil if that is not done
	words() *words
}

// ref is a task or a promise.
type ref struct {
	promise bool
	n       int
}

// failure is the error of programs, and reason that of their cancellations.
type (
	failure int
	reason  int
)

func (f failure) Error() string { return fmt.Sprint("failure ", int(f)) }
func (r reason) Error() string  { return fmt.Sprint("reason ", int(r)) }

// words are the errors that a world has of its own.
type words struct {
	cancelled, ended, goexit, notAwaited, none, shut, broken error

	panicked func(error) (value any, ok bool)
}

const itself = "await of itself" // what a task panics with that does so

// describe says of an error all that errors.Is tells.
func (w *words) describe(err error) string {
	if err == nil {
		return ""
	}
	var said []string
	if v, ok := w.panicked(err); ok {
		said = append(said, fmt.Sprint("panic ", v))
	}
	if f, ok := errors.AsType[failure](err); ok {
		said = append(said, f.Error())
	}
	if r, ok := errors.AsType[reason](err); ok {
		said = append(said, r.Error())
	}
	for name, e := range map[string]error{"cancelled": w.cancelled, "ended": w.ended, "Goexit": w.goexit, "not awaited": w.notAwaited, "none": w.none, "shut": w.shut, "broken": w.broken,
		"context cancelled": context.Canceled, "deadline": context.DeadlineExceeded} {
		if errors.Is(err, e) {
			said = append(said, name)
		}
	}
	if len(said) == 0 {
		return "unknown error: " + err.Error()
	}
	slices.Sort(said)
	return strings.Join(said, ", ")
}

// machine runs a program.
type machine[C any] struct {
	world    world[C]
	calm     func(C) // called before everything is cancelled
	pause    int     // in which everything that can happen has time to happen
	patience int     // in pauses
	stuck    bool    // tasks did not end, though they were cancelled again and again

	mu    sync.Mutex
	tasks int // that were started
	over  int // whose bodies have ended
	log   []entry
	ledger
}

// entry is what one step gave.
type entry struct {
	at, task int
	what     string
	step     *step
	value    int
	err      string
}

func (e entry) String() string {
	s := fmt.Sprintf("%4d  task %d: ", e.at, e.task)
	if e.step != nil {
		s += e.step.String()
	}
	s += e.what
	if e.err != "" {
		return s + ": " + e.err
	}
	return fmt.Sprint(s, ": ", e.value)
}

// frame is where a task is.
type frame[C any] struct {
	ctx   C
	task  int
	kids  *[]int
	group int // that it is in the block of; -1 for none
}

// within is f with another context.
func (f frame[C]) within(ctx C) *frame[C] {
	f.ctx = ctx
	return &f
}

// main is the body of task 0. It starts the program, and in the end cancels everything until it has
// ended.
func (m *machine[C]) main(p program) func(C) (int, error) {
	return m.body(0, func(f *frame[C]) error {
		m.step(f, &step{kind: spawn, block: p})
		if m.calm != nil {
			m.calm(f.ctx)
		}
		for round := 0; m.world.sleep(f.ctx, m.pause) == nil && m.running(); round++ {
			if m.stuck = round == m.patience; m.stuck {
				break
			}
			for i := range promises {
				m.world.cancel(ref{true, i}, nil)
			}
			for i := 1; i < m.count(); i++ {
				if m.world.known(i) {
					m.world.cancel(ref{n: i}, reason(99))
				}
			}
		}
		return nil
	})
}

func (m *machine[C]) running() bool {
	for i := 1; i < m.count(); i++ {
		if m.world.known(i) && !m.world.ended(i) {
			return true
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.over+1 < m.tasks
}

func (m *machine[C]) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tasks
}

func (m *machine[C]) started() (id int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tasks++
	return m.tasks - 1
}

func (m *machine[C]) note(e entry) {
	e.at = m.world.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.log = append(m.log, e)
}

// steps counts what has been noted.
func (m *machine[C]) steps() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.log)
}

// body is the body of task id.
func (m *machine[C]) body(id int, run func(*frame[C]) error) func(C) (int, error) {
	return func(ctx C) (int, error) {
		returned := false
		defer func() {
			m.mu.Lock()
			m.over++
			m.mu.Unlock()
			if !returned {
				m.note(entry{task: id, what: "did not return"})
			}
		}()
		m.note(entry{task: id, what: "runs"})
		err := run(&frame[C]{ctx: ctx, task: id, kids: new([]int), group: -1})
		returned = true
		m.note(entry{task: id, what: "returns", value: result(id), err: m.world.words().describe(err)})
		return result(id), err
	}
}

// result is what a task returns.
func result(id int) int { return 100 + id }

// block runs steps until one that must not fails.
func (m *machine[C]) block(f *frame[C], p program) error {
	for i := range p {
		s := &p[i]
		v, err := m.step(f, s)
		m.note(entry{task: f.task, step: s, value: v, err: m.world.words().describe(err)})
		if err != nil && (s.must || s.kind == fail) {
			return err
		}
	}
	return nil
}

func (m *machine[C]) step(f *frame[C], s *step) (v int, err error) {
	w := m.world
	switch s.kind {
	case spawn:
		for range min(copies(s), mostTasks-m.count()) {
			id := m.started()
			w.spawn(f.ctx, id, style(s), m.body(id, func(f *frame[C]) error { return m.block(f, s.block) }))
			*f.kids = append(*f.kids, id)
		}
	case member:
		if f.group < 0 || m.count() >= mostTasks {
			return -1, nil
		}
		id := m.started()
		body := m.body(id, func(f *frame[C]) error { return m.block(f, s.block) })
		w.member(f.group, id, func(ctx C) error { _, err := body(ctx); return err })
		return id, nil
	case await:
		if id := m.someone(s); w.known(id) {
			return m.await(f, ref{n: id})
		}
	case receive:
		return m.await(f, ref{true, s.a})
	case all, race, first, settled, watch:
		return w.combine(f.ctx, s, m.some(f, s))
	case cancel:
		if id := m.someone(s); w.known(id) {
			return truth(w.cancel(ref{n: id}, cause(s.b))), nil
		}
	case cancelPromise:
		return truth(w.cancel(ref{true, s.a}, cause(s.b))), nil
	case resolve:
		return truth(w.complete(s.a, s.b, nil)), nil
	case reject:
		return truth(w.complete(s.a, 0, failure(s.b))), nil
	case sleep:
		return 0, w.sleep(f.ctx, s.a)
	case fail:
		return 0, failure(s.a)
	case crash:
		panic(s.a)
	case leave:
		runtime.Goexit()
	case timeout:
		return 0, w.timeout(f.ctx, bound(s), func(ctx C) error { return m.block(f.within(ctx), s.block) })
	case shield:
		return 0, w.shield(f.ctx, func(ctx C) error { return m.block(f.within(ctx), s.block) })
	case derive:
		return 0, w.derive(f.ctx, func(ctx C) error { return m.block(f.within(ctx), s.block) })
	case scope, limited, loose:
		return 0, w.group(f.ctx, s.kind, limit(s), func(ctx C, group int) error {
			f := f.within(ctx)
			f.group = group
			return m.block(f, s.block)
		})
	case mutex, read, write, take:
		done := m.ledger.wait(s.kind, s.a)
		err := w.hold(f.ctx, s)
		if err == nil {
			m.enter(s)
		}
		if done(); err != nil {
			return 0, err
		}
		defer w.release(s)
		defer m.exit(s)
		m.note(entry{task: f.task, step: s, what: " has it"})
		return 0, m.block(f, s.block)
	case put:
		defer m.ledger.wait(s.kind, s.a)()
		item := m.newItem()
		_, err := w.primitive(f.ctx, s, item)
		if err == nil {
			m.hasPut(item)
		}
		return item, err
	case get:
		defer m.ledger.wait(s.kind, s.a)()
		item, err := w.primitive(f.ctx, s, 0)
		if err == nil {
			m.hasGot(item)
		}
		return item, err
	case waitSet, meet:
		defer m.ledger.wait(s.kind, s.a)()
		return w.primitive(f.ctx, s, 0)
	default:
		return w.primitive(f.ctx, s, 0)
	}
	return 0, nil
}

func (m *machine[C]) await(f *frame[C], r ref) (int, error) {
	if r.promise {
		defer m.ledger.wait(receive, r.n)()
	} else {
		defer m.ledger.wait(await, r.n)()
	}
	v, err := m.world.await(f.ctx, r)
	m.sawResult(r, m.outcome(v, err), m.outcome(0, m.world.why(f.ctx)))
	return v, err
}

// outcome is a result in words.
func (m *machine[C]) outcome(v int, err error) string {
	if err != nil {
		return m.world.words().describe(err)
	}
	return fmt.Sprint(v)
}

// someone is a task other than the first.
func (m *machine[C]) someone(s *step) int { return 1 + s.a%(m.count()-1) }

// some are the task's latest children, and perhaps a promise: a task that waits for no other can't
// wait for itself.
func (m *machine[C]) some(f *frame[C], s *step) (rs []ref) {
	kids := *f.kids
	for _, id := range kids[max(0, len(kids)-s.a%4):] {
		rs = append(rs, ref{n: id})
	}
	if s.b&1 != 0 {
		rs = append(rs, ref{true, s.b / 2})
	}
	return rs
}

// digest makes one number of the results of several.
func (w *words) digest(sum, v int, err error) int { return (sum*31+v)%1_000_000 + len(w.describe(err)) }

func cause(n int) error {
	if n%3 == 0 {
		return nil
	}
	return reason(n)
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
