package future

import (
	"context"
	"sync/atomic"
)

// All awaits every one of fs and returns their values in the order of the arguments; of none, an empty slice. At the
// first error, or when ctx ends, it cancels the others, awaits their end, and returns that error: nothing of fs is still
// running when All returns.
//
// The arguments are of one type. Tasks and futures of the same result are mixed as futures: All(ctx, t.AsFuture(), f).
func All[T any, A Awaitable[T]](ctx context.Context, fs ...A) ([]T, error) {
	left := atomic.Int64{}
	left.Store(int64(len(fs)))
	err := decide(ctx, fs, func(_ int, err error) (bool, error) {
		return err != nil || left.Add(-1) == 0, err
	})
	if err != nil {
		return nil, err
	}
	vs := make([]T, len(fs))
	for i, f := range fs {
		vs[i], _ = f.AsFuture().TryResult()
	}
	return vs, nil
}

// Race returns the outcome of the first of fs to complete, be it a value or an error. It cancels the others and awaits their
// end. Of none it returns ErrNone.
func Race[T any, A Awaitable[T]](ctx context.Context, fs ...A) (T, error) {
	var none T
	if len(fs) == 0 {
		return none, ErrNone
	}
	var winner atomic.Pointer[Future[T]]
	err := decide(ctx, fs, func(i int, _ error) (bool, error) {
		return winner.CompareAndSwap(nil, fs[i].AsFuture()), nil
	})
	if w := winner.Load(); w != nil {
		return w.TryResult()
	}
	return none, err
}

// decide waits until verdict, which is asked at the completion of each of fs, says that the matter is decided, or ctx ends. Then
// it cancels those still pending and awaits them.
func decide[T any, A Awaitable[T]](ctx context.Context, fs []A, verdict func(i int, err error) (decided bool, _ error)) error {
	if len(fs) == 0 {
		return nil
	}
	decision, p := New[struct{}]()
	for i, f := range fs {
		defer f.AsFuture().OnDone(Inline, func(_ T, err error) {
			if decided, err := verdict(i, err); decided {
				p.Complete(struct{}{}, err)
			}
		})()
	}
	_, err := decision.Await(ctx)
	for _, f := range fs {
		f.AsFuture().Cancel(err)
	}
	for _, f := range fs {
		f.AsFuture().Await(context.WithoutCancel(ctx))
	}
	return err
}
