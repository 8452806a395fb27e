package future_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
)

// later returns a future that completes soon.
func later(v int, err error) *future.Future[int] {
	f, p := future.New[int]()
	time.AfterFunc(time.Millisecond, func() { p.Complete(v, err) })
	return f
}

// over returns a context that has ended because of errTest.
func over(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(errTest)
	return ctx
}

func TestAllSettled(t *testing.T) {
	type outcome = future.Outcome[int]
	everywhere(t, func(t *testing.T, ctx context.Context) {
		if all, err := future.AllSettled[int, *future.Future[int]](ctx); len(all) != 0 || all == nil || err != nil {
			t.Errorf("AllSettled of none = %#v, %v; want an empty slice that is not nil, and nil", all, err)
		}
		twice := later(2, nil)
		all, err := future.AllSettled(ctx, twice, future.Failed[int](errTest), later(3, errTest), twice)
		if want := []outcome{{2, nil}, {0, errTest}, {3, errTest}, {2, nil}}; !slices.Equal(all, want) || err != nil {
			t.Errorf("got %v, %v; want %v and nil", all, err, want)
		}
		ended := 0
		all, err = future.AllSettled(over(ctx), future.Resolved(1), obedient(&ended))
		testkit.ErrorIs(t, err, errTest, context.Canceled)
		if len(all) != 2 || all[0] != (outcome{1, nil}) || !errors.Is(all[1].Err, errTest) || ended != 1 {
			t.Errorf("at the end of the context: %v, %d were cancelled; want %v, one of %v, and 1", all, ended, outcome{1, nil}, errTest)
		}
		if all, err := future.AllSettled(over(ctx), future.Failed[int](errTest)); len(all) != 1 || err != nil {
			t.Errorf("AllSettled of what is there, context done = %v, %v; want 1 outcome and nil", all, err)
		}
	})
}

func TestAny(t *testing.T) {
	other := errors.New("another error")
	everywhere(t, func(t *testing.T, ctx context.Context) {
		if _, err := future.Any[int, *future.Future[int]](ctx); err != future.ErrNone {
			t.Errorf("of none: %v, want %v", err, future.ErrNone)
		}
		ended := 0
		a := obedient(&ended)
		if v, err := future.Any(ctx, a, future.Failed[int](errTest), later(2, nil)); v != 2 || err != nil || ended != 1 || !a.Completed() {
			t.Errorf("Any = %v, %v, and %d were cancelled; want 2, nil and 1", v, err, ended)
		}
		twice := later(0, other)
		v, err := future.Any(ctx, twice, twice, future.Failed[int](errTest))
		testkit.ErrorIs(t, err, errTest, other)
		if want := "another error\nanother error\ntest error"; v != 0 || err.Error() != want {
			t.Errorf("Any where all have failed = %v, %q; want 0 and %q", v, err, want)
		}
		_, err = future.Any(over(ctx), obedient(&ended), future.Failed[int](other))
		if testkit.ErrorIs(t, err, errTest, context.Canceled); errors.Is(err, other) || ended != 2 {
			t.Errorf("at the end of the context: %v, %d were cancelled in all; want not %v, and 2", err, ended, other)
		}
		if v, err := future.Any(over(ctx), future.Failed[int](other), future.Resolved(1)); v != 1 || err != nil {
			t.Errorf("what is there is not returned when the context is done: %v, %v; want 1 and nil", v, err)
		}
	})
}

func TestAllOfDifferentTypes(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		n, s, b := later(1, nil), future.Resolved("two"), future.Resolved(true)
		if v, w, err := future.All2(ctx, n, s); v != 1 || w != "two" || err != nil {
			t.Errorf("All2: %v, %v, %v; want 1, %v and nil", v, w, err, "two")
		}
		if v, w, x, err := future.All3(ctx, later(1, nil), s, b); v != 1 || w != "two" || !x || err != nil {
			t.Errorf("All3 = %v, %v, %v, %v; want 1, %v, true and nil", v, w, x, err, "two")
		}
		ended := 0
		if v, w, err := future.All2(ctx, s, later(7, errTest)); v != "" || w != 0 || err != errTest {
			t.Errorf("All2 with an error: %v, %v, %v; want %v, 0 and %v", v, w, err, "", errTest)
		}
		if _, _, _, err := future.All3(ctx, obedient(&ended), s, later(7, errTest)); err != errTest || ended != 1 {
			t.Errorf("All3 with an error: %v, %d were cancelled; want %v and 1", err, ended, errTest)
		}
		_, _, err := future.All2(over(ctx), s, obedient(&ended))
		if testkit.ErrorIs(t, err, errTest, context.Canceled); ended != 2 {
			t.Errorf("%d were cancelled, want 2", ended)
		}
	})
}
