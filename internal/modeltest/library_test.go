package modeltest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
	"github.com/corobridge/corobridge/task/inspect"
	"github.com/corobridge/corobridge/task/lock"
	"github.com/corobridge/corobridge/task/queue"
)

// handle is a *task.Task, or the future of a goroutine.
type handle interface {
	future.Awaitable[int]
	Await(ctx context.Context) (int, error)
	TryResult() (int, error)
	Completed() bool
	Cancel(cause error) bool
}

// library is the world of packages future and task.
type library struct {
	// if there are several, tasks take turns on them, and now and then one is a goroutine
	loops []*reactor.Loop
	unit  time.Duration // of programs' times

	promises [promises]*future.Promise[int]
	things

	mu      sync.Mutex
	tasks   map[int]handle
	groups  []*task.Group
	ctxs    []context.Context // the groups'
	reports []string
}

func newLibrary(unit time.Duration, loops ...*reactor.Loop) *library {
	l := &library{loops: loops, unit: unit, tasks: map[int]handle{}}
	for i := range l.promises {
		_, l.promises[i] = future.New[int]()
	}
	l.things.init()
	return l
}

// report notes what nobody could be told.
func (l *library) report(_ *reactor.Loop, e reactor.Exception) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = append(l.reports, e.Op+": "+l.words().describe(e.Err))
}

func (l *library) now() int { return int(loop.From(l.loops[0].Context()).World().Now() / l.unit) }

func (l *library) spawn(ctx context.Context, id, style int, body func(context.Context) (int, error)) {
	if crowd := len(l.loops) + 1; crowd > 2 {
		if id%crowd == 1 {
			l.know(id, future.FromFunc(ctx, body))
			return
		}
		ctx = reactor.WithLoop(ctx, l.loops[id%crowd%len(l.loops)])
	}
	var opts []task.Option
	switch style {
	case isolated:
		opts = append(opts, task.Isolated())
	case daemon:
		opts = append(opts, task.Daemon())
	case eager:
		opts = append(opts, task.Eager())
	}
	l.know(id, task.Go(ctx, body, opts...))
}

func (l *library) know(id int, h handle) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tasks[id] = h
}

func (l *library) member(group, _ int, body func(context.Context) error) {
	l.mu.Lock()
	g, ctx := l.groups[group], l.ctxs[group]
	l.mu.Unlock()
	g.Go(func() error { return body(ctx) })
}

func (l *library) task(id int) handle {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tasks[id]
}

func (l *library) known(id int) bool { return l.task(id) != nil }
func (l *library) ended(id int) bool { return l.task(id).Completed() }

func (l *library) future(r ref) *future.Future[int] {
	if r.promise {
		return l.promises[r.n].Future()
	}
	return l.task(r.n).AsFuture()
}

func (l *library) futures(rs []ref) (fs []*future.Future[int]) {
	for _, r := range rs {
		fs = append(fs, l.future(r))
	}
	return fs
}

func (l *library) await(ctx context.Context, r ref) (int, error) {
	if r.promise {
		return l.future(r).Await(ctx)
	}
	return l.task(r.n).Await(ctx)
}

func (l *library) combine(ctx context.Context, s *step, rs []ref) (v int, err error) {
	fs := l.futures(rs)
	switch s.kind {
	case all:
		vs, err := future.All(ctx, fs...)
		for _, one := range vs {
			v = l.words().digest(v, one, nil)
		}
		return v, err
	case race:
		return future.Race(ctx, fs...)
	case first:
		return future.Any(ctx, fs...)
	case settled:
		os, err := future.AllSettled(ctx, fs...)
		for _, o := range os {
			v = l.words().digest(v, o.Value, o.Err)
		}
		return v, err
	}
	done, _, err := future.Wait(ctx, future.Mode(mode(s)), fs...)
	return len(done), err
}

func (l *library) cancel(r ref, cause error) bool {
	if r.promise {
		return l.future(r).Cancel(cause)
	}
	return l.task(r.n).Cancel(cause)
}

func (l *library) complete(promise, v int, err error) bool {
	if err != nil {
		return l.promises[promise].Fail(err)
	}
	return l.promises[promise].Resolve(v)
}

func (l *library) sleep(ctx context.Context, d int) error {
	return task.Sleep(ctx, time.Duration(d)*l.unit)
}

func (l *library) timeout(ctx context.Context, d int, body func(context.Context) error) error {
	ctx, cancel := task.WithTimeout(ctx, time.Duration(d)*l.unit)
	defer cancel()
	return body(ctx)
}

func (l *library) shield(ctx context.Context, body func(context.Context) error) error {
	return body(context.WithoutCancel(ctx))
}

// derive tells of the end of the context through a goroutine. When that comes is not determined, so
// that is for several loops only.
func (l *library) derive(ctx context.Context, body func(context.Context) error) error {
	if len(l.loops) > 1 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithCancel(ctx)
		defer cancel()
	}
	return body(ctx)
}

func (l *library) group(ctx context.Context, form kind, limit int, body func(context.Context, int) error) error {
	if form == loose {
		g, ctx := task.NewGroup(ctx)
		if _, ok := inspect.Current(); !ok {
			defer g.Cancel(nil) // the end of a goroutine, unlike that of a task, ends no group
		}
		return body(ctx, l.groupNumber(g, ctx))
	}
	return task.Scope(ctx, func(ctx context.Context, g *task.Group) error {
		if form == limited {
			g.SetLimit(limit)
		}
		return body(ctx, l.groupNumber(g, ctx))
	})
}

func (l *library) groupNumber(g *task.Group, ctx context.Context) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.groups, l.ctxs = append(l.groups, g), append(l.ctxs, ctx)
	return len(l.groups) - 1
}

func (l *library) why(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return task.Yield(ctx) // which does not yield
}

func (l *library) words() *words {
	return &words{cancelled: future.ErrCancelled, ended: task.ErrEnded, goexit: task.ErrGoexit, notAwaited: task.ErrNotAwaited, none: future.ErrNone,
		shut: queue.ErrShutdown, broken: lock.ErrBroken,
		panicked: func(err error) (any, bool) {
			p, ok := errors.AsType[*task.PanicError](err)
			if !ok {
				return nil, false
			}
			if text, ok := p.Value.(string); ok && strings.Contains(text, "awaits itself") {
				return itself, true
			}
			return p.Value, true
		}}
}
