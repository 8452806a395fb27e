package future

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"

	"github.com/corobridge/corobridge/internal/coro"
)

// Awaitable is what combinators take: a *Future[T], or what has one, as a *task.Task[T].
type Awaitable[T any] interface{ AsFuture() *Future[T] }

// Outcome is how a future has ended.
type Outcome[T any] struct {
	Value T
	Err   error
}

// All awaits every one of fs and returns their values in the order of the arguments; of none, an
// empty slice. At the first error, or when ctx ends, it cancels the others with that error, awaits
// their end, and returns it: nothing of fs is still running when All returns. Of several that have
// failed before, it is the error of the first argument.
//
// The arguments are of one type. Tasks and futures of the same result are mixed as futures:
// All(ctx, t.AsFuture(), f). An argument that is given twice has its value twice.
//
// A producer that goes on when it is cancelled is waited for as long as that takes, whatever ctx
// says. That, and how the others are ended, is the same with all combinators that cancel; Keep
// prevents it. The errors of those that it has cancelled count as retrieved, except for panics. The
// error of one that had failed by itself, and that is not part of what is returned, does not: it is
// reported as any error that nobody asks for. AllSettled and Wait are for those who want them all.
func All[T any, A Awaitable[T]](ctx context.Context, fs ...A) ([]T, error) {
	if err := all(ctx, members(fs)); err != nil {
		return nil, err
	}
	vs := make([]T, len(fs))
	for i, f := range fs {
		vs[i], _ = f.AsFuture().TryResult()
	}
	return vs, nil
}

// All2 is All for two results of different types. If there is an error, the values are zero.
func All2[A, B any](ctx context.Context, a Awaitable[A], b Awaitable[B]) (va A, vb B, err error) {
	fa, fb := a.AsFuture(), b.AsFuture()
	if err := all(ctx, []member{fa, fb}); err != nil {
		return va, vb, err
	}
	return fa.val, fb.val, nil
}

// All3 is All for three results of different types. If there is an error, the values are zero.
func All3[A, B, C any](ctx context.Context, a Awaitable[A], b Awaitable[B], c Awaitable[C]) (va A, vb B, vc C, err error) {
	fa, fb, fc := a.AsFuture(), b.AsFuture(), c.AsFuture()
	if err := all(ctx, []member{fa, fb, fc}); err != nil {
		return va, vb, vc, err
	}
	return fa.val, fb.val, fc.val, nil
}

func all(ctx context.Context, ms []member) error {
	if allSucceeded(ms) {
		coro.Spend(ctx)
		return nil
	}
	var left, failed atomic.Int64
	left.Store(int64(len(ms)))
	err := decide(ctx, ms, true, func(i int) (bool, error) {
		if err := ms[i].failure(); err != nil {
			return failed.CompareAndSwap(0, int64(i)+1), err
		}
		return left.Add(-1) == 0, nil
	})
	if i := failed.Load(); i != 0 && same(err, ms[i-1].failure()) {
		ms[i-1].retrieved()
	}
	return err
}

// same reports whether err is the failure of an argument, and not the end of the context, which may
// have come first.
func same(err, failure error) bool {
	t := reflect.TypeOf(err)
	return t == reflect.TypeOf(failure) && (!t.Comparable() || err == failure)
}

func allSucceeded(ms []member) bool {
	for _, m := range ms {
		if !m.Completed() || m.failure() != nil {
			return false
		}
	}
	return true
}

// AllSettled awaits the end of every one of fs and returns their outcomes in the order of the
// arguments; of none, an empty slice. An error of one does not matter to the others. When ctx
// ends, it cancels those that are pending and awaits them too: so there are all outcomes then as
// well, beside the error.
func AllSettled[T any, A Awaitable[T]](ctx context.Context, fs ...A) ([]Outcome[T], error) {
	var left atomic.Int64
	left.Store(int64(len(fs)))
	err := decide(ctx, members(fs), true, func(int) (bool, error) { return left.Add(-1) == 0, nil })
	all := make([]Outcome[T], len(fs))
	for i, f := range fs {
		all[i].Value, all[i].Err = f.AsFuture().TryResult()
	}
	return all, err
}

// Any returns the first value that one of fs completes with, and cancels and awaits the others. If
// all of them fail, its error joins theirs, by errors.Join, in the order of the arguments. Of none
// it returns ErrNone. When ctx ends, it cancels and awaits all, and returns the cause.
func Any[T any, A Awaitable[T]](ctx context.Context, fs ...A) (T, error) {
	ms := members(fs)
	var left, winner atomic.Int64
	left.Store(int64(len(fs)))
	err := decide(ctx, ms, false, func(i int) (bool, error) {
		if ms[i].failure() == nil {
			return winner.CompareAndSwap(0, int64(i)+1), nil
		}
		return left.Add(-1) == 0, nil
	})
	var none T
	switch w := winner.Load(); {
	case len(fs) == 0:
		return none, ErrNone
	case w != 0:
		return fs[w-1].AsFuture().TryResult()
	case err != nil:
		return none, err
	}
	errs := make([]error, len(ms))
	for i, m := range ms {
		m.retrieved()
		errs[i] = m.failure()
	}
	return none, errors.Join(errs...)
}

// Race returns the outcome of the first of fs to complete, be it a value or an error. It cancels
// the others and awaits their end. Of none it returns ErrNone. When ctx ends, it cancels and
// awaits all, and returns the cause.
func Race[T any, A Awaitable[T]](ctx context.Context, fs ...A) (T, error) {
	var winner atomic.Int64
	err := decide(ctx, members(fs), false, func(i int) (bool, error) { return winner.CompareAndSwap(0, int64(i)+1), nil })
	var none T
	switch w := winner.Load(); {
	case len(fs) == 0:
		return none, ErrNone
	case w != 0:
		return fs[w-1].AsFuture().TryResult()
	}
	return none, err
}
