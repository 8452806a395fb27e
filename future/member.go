package future

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// member is an argument of a combinator: a Future of any type.
type member interface {
	Completed() bool
	Cancel(cause error) bool
	add(r coro.Runnable, inline bool) bool
	remove(r coro.Runnable) bool
	failure() error
	retrieved()
}

func members[T any, A Awaitable[T]](fs []A) []member {
	ms := make([]member, len(fs))
	for i, f := range fs {
		m := f.AsFuture()
		if m == nil {
			panic("future: a combinator was given a nil future; leave out what there is not")
		}
		ms[i] = m
	}
	return ms
}

// failure returns the error of a completed future to somebody who only looks: it counts as not
// retrieved.
func (f *Future[T]) failure() error { return f.err }

// decide awaits verdict as observe does. Then it cancels those of ms that are pending and awaits
// them.
func decide(ctx context.Context, ms []member, every bool, verdict func(i int) (bool, error)) error {
	if len(ms) == 0 {
		coro.Spend(ctx)
		return nil
	}
	err := observe(ctx, ms, every, verdict)
	end(ctx, ms, err)
	return err
}

// observe asks verdict at the completion of each of ms, by its index, until that says that the
// matter is decided, and how. It fails with the cause if ctx ends before that. It may ask from
// several goroutines at once, and a last time when it has returned. every says that as long as all
// goes well, all of ms decide.
func observe(ctx context.Context, ms []member, every bool, verdict func(i int) (decided bool, err error)) error {
	decision, p := New[struct{}]()
	notices := make([]notice, len(ms))
	defer withdraw(ms, notices)
	notify(ms, notices, func(i int) {
		if decided, err := verdict(i); decided {
			p.Complete(struct{}{}, err)
		}
	})
	_, err := decision.awaitAs(ctx, &choice{ms, every})
	return err
}

// choice is what a combinator waits for, to those who look inside.
type choice struct {
	members []member
	every   bool
}

// String tells how many futures there are.
func (c *choice) String() string {
	if c.every {
		return fmt.Sprintf("all of %d futures", len(c.members))
	}
	return fmt.Sprintf("one of %d futures", len(c.members))
}

// Choice returns the futures that are pending, and whether every one is waited for, or one. It is
// for package task.
func (c *choice) Choice() (pending []any, every bool) {
	for _, m := range c.members {
		if !m.Completed() {
			pending = append(pending, m)
		}
	}
	return pending, c.every
}

// awaitAs is Await that tells those who look inside that on is awaited.
func (f *Future[T]) awaitAs(ctx context.Context, on fmt.Stringer) (T, error) {
	if f.done.Load() {
		return f.Await(ctx)
	}
	w, err := f.queueUp(ctx)
	if w != nil {
		w.Begin(ctx, on).Suspend()
		err = f.line.Exit(ctx, &f.mu, w)
	}
	if err != nil {
		var none T
		return none, err
	}
	return f.outcome()
}

// notice is a callback that tells of the completion of a combinator's argument, by its index. It
// needs not be run Inline: it completes nothing that has callbacks.
type notice struct {
	i  int
	fn func(i int)
}

func (n *notice) Run() { n.fn(n.i) }

func notify(ms []member, notices []notice, fn func(i int)) {
	for i, m := range ms {
		notices[i] = notice{i, fn}
		if !m.add(&notices[i], false) {
			fn(i)
		}
	}
}

func withdraw(ms []member, notices []notice) {
	for i, m := range ms {
		m.remove(&notices[i])
	}
}

// end cancels those of ms that are pending, with cause, and awaits them: also when what is to be
// cancelled panics. The error of one that it has cancelled counts as retrieved, since it is a
// consequence, unless that is a panic. The error of one that had failed before does not: it is
// reported, if at all, as if nobody had looked.
func end(ctx context.Context, ms []member, cause error) {
	if allCompleted(ms) {
		return
	}
	told := make([]bool, len(ms))
	defer func() {
		awaitAll(context.WithoutCancel(ctx), ms)
		for i, m := range ms {
			if told[i] && m.failure() != nil && !isPanic(m.failure()) {
				m.retrieved()
			}
		}
	}()
	cancel(ms, told, cause)
}

func allCompleted(ms []member) bool {
	for _, m := range ms {
		if !m.Completed() {
			return false
		}
	}
	return true
}

// awaitAll awaits the end of all of ms, and only looks: no error counts as retrieved.
func awaitAll(ctx context.Context, ms []member) {
	var left atomic.Int64
	left.Store(int64(len(ms)))
	observe(ctx, ms, true, func(int) (bool, error) { return left.Add(-1) == 0, nil })
}

// isPanic reports whether err is that of a panic: a fault in the program, whoever caused it.
func isPanic(err error) bool {
	var p *PanicError
	return errors.As(err, &p)
}

// cancel cancels all of ms, also when what one of them has for that panics. It notes in told which
// had not ended.
func cancel(ms []member, told []bool, cause error) {
	i := 0
	defer func() {
		if i < len(ms) {
			told[i] = true
			cancel(ms[i+1:], told[i+1:], cause)
		}
	}()
	for ; i < len(ms); i++ {
		told[i] = ms[i].Cancel(cause)
	}
}
