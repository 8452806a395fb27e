package task

import (
	"context"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
)

// PanicError is the error of a task that has panicked. Its fields are Value, what panic was called
// with, and Stack []byte, the task's stack at the panic, as debug.Stack formats it. If Value is an
// error, errors.Is and errors.As find it.
type PanicError = coro.PanicError

// ErrGoexit is the error of a task that called runtime.Goexit.
var ErrGoexit = coro.ErrGoexit

// Task is a coroutine on a loop. It has a future of its result, and that future's methods; AsFuture
// gives the future itself to what takes one. Its methods may be called from any goroutine.
type Task[T any] struct{ body body[T] }

// body is a task as its loop and its coroutine see it.
//
// fn comes first so that the scope has another address than the Task: a context of a user's own
// that consists of a *Task is then not taken for the task's.
type body[T any] struct {
	fn func(context.Context) (T, error)
	job
	promise future.Promise[T]
}

// Go starts fn as a task, on the loop that ctx carries, and returns at once; fn's first step comes
// in a later turn. The task's context derives from ctx. The task joins the Group that ctx carries,
// or else the loop's root group. Go may be called from any goroutine.
//
// A task that is cancelled before its first step still runs, with a context that is done. On a
// closed loop the task fails with reactor.ErrClosed and does not run. Go panics when ctx carries no
// loop.
func Go[T any](ctx context.Context, fn func(ctx context.Context) (T, error), opts ...Option) *Task[T] {
	h := homeOf(ctx)
	if h == nil {
		panic("task: the context given to Go carries no loop; use a task's context, loop.Context() or reactor.WithLoop")
	}
	t := &Task[T]{}
	b := &t.body
	b.fn = fn
	b.init(h, ctx, b)
	for _, o := range opts {
		o(&b.job)
	}
	b.start(h.core.InLoop())
	return t
}

// Spawn is Go for a function without a result. An error that nobody retrieves goes to the loop's
// exception handler, when the loop is closed or before. That is not so for a member of a Group,
// whose Wait returns the error, nor for a task that was cancelled and returned the error of that.
func Spawn(ctx context.Context, fn func(ctx context.Context) error, opts ...Option) *Task[struct{}] {
	return Go(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }, opts...)
}

// Await returns the task's result, as future.Future's Await does: it suspends the calling task, or
// blocks the calling goroutine, until the task has ended or ctx is done. It never cancels the task.
//
// A task that awaits itself would wait for ever. If it does that with its own context, Await
// panics; otherwise see inspect.DeadlockError.
func (t *Task[T]) Await(ctx context.Context) (T, error) {
	if s, ok := ctx.(*scope); ok && s == &t.body.scope && !t.Completed() {
		t.body.refuseItself()
	}
	return t.body.promise.Future().Await(ctx)
}

// TryResult returns the outcome, or future.ErrPending.
func (t *Task[T]) TryResult() (T, error) { return t.body.promise.Future().TryResult() }

// Completed reports whether the task has ended.
func (t *Task[T]) Completed() bool { return t.body.promise.Future().Completed() }

// Done returns a channel that is closed when the task has ended.
func (t *Task[T]) Done() <-chan struct{} { return t.body.promise.Future().Done() }

// OnDone queues fn on ex when the task has ended; see future.Future.
func (t *Task[T]) OnDone(ex future.Executor, fn func(T, error)) (remove func() bool) {
	return t.body.promise.Future().OnDone(ex, fn)
}

// AsFuture returns the task as a plain future, whose Cancel is the task's.
func (t *Task[T]) AsFuture() *future.Future[T] {
	f := t.body.promise.Future()
	if !f.Completed() {
		t.body.promise.OnCancel(func(cause error) { t.body.Withdraw(cause) })
	}
	return f
}

// Cancel cancels the task's context with cause (nil: future.ErrCancelled) and reports whether the
// task had not ended. The task ends when fn returns.
func (t *Task[T]) Cancel(cause error) bool {
	if t.Completed() {
		return false
	}
	if cause == nil {
		cause = future.ErrCancelled
	}
	t.body.Withdraw(cause)
	return true
}

// Stack returns the task's stack, as a dump of all goroutines has it: what it waits in comes first.
// It is empty for a task that has not begun, or has ended. It costs some microseconds of the loop's
// time, and nothing unless it is called.
//
// It waits as inspect.All does. If nobody runs the loop it returns an error: only the goroutine
// that runs the loop can tell stacks.
func (t *Task[T]) Stack(ctx context.Context) ([]byte, error) { return t.body.Stack(ctx) }

// refuseItself panics in the task of j. (Others may have its context.)
func (j *job) refuseItself() {
	if c := coro.CurrentBy(&j.scope); c != nil && jobOf(c) == j {
		panic("task: a task that awaits itself waits for ever; return the result, and let others await it")
	}
}

// jobOf returns the job that c runs.
func jobOf(c *coro.Coro) *job { return c.Job().(work).base() }

func (b *body[T]) call() { b.finish(b.fn(&b.scope)) }

func (b *body[T]) end(err error) {
	var none T
	b.finish(none, err)
}

func (b *body[T]) finish(v T, err error) {
	expected := b.over(err)
	b.fn = nil
	defer b.tell(err, expected) // also if a callback panics
	if loss := b.owed(err, expected); loss != nil {
		b.promise.CompleteOwed(v, loss)
	} else {
		b.promise.Complete(v, err)
	}
}

func (b *body[T]) refuse(err error) {
	var none T
	b.promise.Complete(none, err)
	b.tell(err, false)
}

func (b *body[T]) future() any { return b.promise.Future() }
