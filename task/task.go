package task

import (
	"context"
	"errors"
	"reflect"
	"runtime/trace"
	"slices"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/reactor"
)

// PanicError is the error of a task that has panicked. Its fields are Value, what panic was called with, and Stack []byte, the task's
// stack at the panic, as debug.Stack formats it. If Value is an error, errors.Is and errors.As find it.
type PanicError = coro.PanicError

// ErrGoexit is the error of a task that called runtime.Goexit.
var ErrGoexit = coro.ErrGoexit

// Task is a coroutine on a loop. It has a future of its result, and that one's methods; AsFuture gives the future itself to what
// takes one. Its methods may be called from any goroutine.
type Task[T any] struct {
	scope   scope // its size tells where the promise is: see view
	promise future.Promise[T]
	fn      func(context.Context) (T, error)
}

// Option configures Go and Spawn.
type Option func(*scope)

// Name names the task, in what the loop's exception handler is told of it, and for who looks inside (see reactor.WithDebug).
func Name(name string) Option { return func(s *scope) { s.more().name = name } }

// Go starts fn as a task, on the loop that ctx carries, and returns at once; fn's first step comes in a later turn. The
// task's context derives from ctx. It joins the Group that ctx carries, else the loop's root group. It
// may be called from any goroutine.
//
// A task that is cancelled before its first step still runs, with a context that is done. On a closed loop the task fails
// with reactor.ErrClosed and does not run. Go panics when ctx carries no loop.
func Go[T any](ctx context.Context, fn func(ctx context.Context) (T, error), opts ...Option) *Task[T] {
	sched := schedulerOf(ctx)
	if sched == nil {
		panic("task: the context given to Go carries no loop; use a task's context, loop.Context() or reactor.WithLoop")
	}
	t := &Task[T]{fn: fn}
	t.scope.init(sched, ctx, ofTask)
	for _, o := range opts {
		o(&t.scope)
	}
	t.start()
	return t
}

// Spawn is Go for a function without a result. An error of it that nobody retrieves goes to the loop's exception handler, at
// the latest when the loop is closed; unless the task is a member of a Group, whose Wait returns it, or was cancelled and returned
// the error of that.
func Spawn(ctx context.Context, fn func(ctx context.Context) error, opts ...Option) *Task[struct{}] {
	return Go(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }, opts...)
}

// start queues the task. On a closed loop it ends it.
func (t *Task[T]) start() error {
	s := &t.scope
	if s.sched.inspection != nil {
		s.note()
	}
	if g := s.group; g != nil {
		g.add(s)
	}
	if s.sched.loop.InLoop() {
		s.link()
		if s.is(eager) {
			startNow(s, (*body[T])(t))
			return nil
		}
	}
	err := s.sched.loop.Post((*body[T])(t))
	if err != nil {
		var none T
		s.settle()
		t.promise.Complete(none, err)
		err = s.failure(err, false)
		if g := s.group; g != nil {
			g.done(s, err)
		}
	}
	return err
}

// Await returns the task's result, as future.Future's Await does: it suspends the calling task or blocks the calling
// goroutine until the task has ended, or ctx is done. It never cancels the task.
//
// A task that awaits itself would wait for ever. If it does that with its own context, Await panics; otherwise see DeadlockError.
func (t *Task[T]) Await(ctx context.Context) (T, error) {
	if s, ok := ctx.(*scope); ok && s == &t.scope && !t.Completed() {
		s.refuseItself()
	}
	return t.promise.Future().Await(ctx)
}

// TryResult returns the outcome, or future.ErrPending.
func (t *Task[T]) TryResult() (T, error) { return t.promise.Future().TryResult() }

// Completed reports whether the task has ended.
func (t *Task[T]) Completed() bool { return t.promise.Future().Completed() }

// Done returns a channel that is closed when the task has ended.
func (t *Task[T]) Done() <-chan struct{} { return t.promise.Future().Done() }

// OnDone queues fn on ex when the task has ended; see future.Future.
func (t *Task[T]) OnDone(ex future.Executor, fn func(T, error)) (remove func() bool) {
	return t.promise.Future().OnDone(ex, fn)
}

// AsFuture returns the task as a plain future, whose Cancel is the task's.
func (t *Task[T]) AsFuture() *future.Future[T] {
	if f := t.promise.Future(); f.Completed() {
		return f
	}
	t.promise.OnCancel(t.scope.withdraw)
	return t.promise.Future()
}

// Cancel cancels the task's context with cause (nil: future.ErrCancelled) and reports whether the task had not ended. The task ends
// when fn returns.
func (t *Task[T]) Cancel(cause error) bool {
	if t.Completed() {
		return false
	}
	if cause == nil {
		cause = future.ErrCancelled
	}
	t.scope.withdraw(cause)
	return true
}

// body is a task as its loop and its coroutine see it: an entry of the ready queue, and a coro.Job.
type body[T any] Task[T]

// Run starts the task.
func (b *body[T]) Run() {
	s := &b.scope
	if s.next == nil { // it came through the door
		s.link()
	}
	s.sched.pool.Take(b).Run()
}

// Do runs the task.
func (b *body[T]) Do() {
	b.scope.coro = b.scope.sched.pool.Running()
	if b.scope.sched.inspection != nil || trace.IsEnabled() {
		b.doSeen()
		return
	}
	v, err := b.fn(&b.scope)
	b.end(v, err)
}

// Failed ends a task whose fn did not return.
func (b *body[T]) Failed(err error) {
	if b.promise.Future().Completed() { // fn has; it was a callback, run Inline at the end of the task
		b.scope.sched.loop.Report(reactor.Exception{Op: "callback", Name: b.scope.name(), Err: err, Site: b.scope.site()})
		return
	}
	var none T
	b.end(none, err)
}

// Covers is part of coro.Job.
func (b *body[T]) Covers(ctx context.Context) bool {
	s, ok := ctx.(*scope)
	return ok && s.covers(&b.scope)
}

func (b *body[T]) home() *scope { return &b.scope }

func (b *body[T]) end(v T, err error) {
	s := &b.scope
	if s.extra != nil && len(s.extra.groups) > 0 {
		s.leaveGroups()
	}
	expected := err == nil || s.explains(err)
	s.coro, b.fn = nil, nil
	if s.sched.inspection != nil {
		s.tellDone(err)
	}
	s.end()
	defer b.leave(err, expected) // also if a callback panics
	if (s.group == nil || s.is(isolated)) && !expected {
		b.promise.CompleteOwed(v, s.sched.pool.NewLoss("task", s.name(), s.site(), err))
	} else {
		b.promise.Complete(v, err)
	}
}

// leave tells of the end of a task those who did not wait for the task itself.
func (b *body[T]) leave(err error, expected bool) {
	s := &b.scope
	if err != nil || s.extra != nil {
		err = s.failure(err, expected)
	}
	if g := s.group; g != nil {
		g.done(s, err)
	}
}

// explains reports whether err says no more than that the task was cancelled, which is known to who did that.
func (s *scope) explains(err error) bool {
	if s.Err() == nil {
		return false
	}
	cause := context.Cause(s)
	return says(err, cause, func(err error) bool { return errors.Is(err, s.Err()) || errors.Is(err, cause) })
}

// says reports whether known does of err, and of each of the errors that err joins: who is cancelled, and then fails to close a file, may
// return both. What cause joins is known.
func says(err, cause error, known func(error) bool) bool {
	if !known(err) {
		return false
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if reflect.TypeOf(e).Comparable() && e == cause {
			return true
		}
		if joined, ok := e.(interface{ Unwrap() []error }); ok {
			return !slices.ContainsFunc(joined.Unwrap(), func(part error) bool { return !says(part, cause, known) })
		}
	}
	return true
}

func (s *scope) name() string {
	if s.extra == nil {
		return ""
	}
	return s.extra.name
}
