package future_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
)

// sources are the three ways in which a future is complete, or will be.
func sources() map[string]func(v int, err error) *future.Future[int] {
	return map[string]func(v int, err error) *future.Future[int]{
		"complete": func(v int, err error) *future.Future[int] {
			f, p := future.New[int]()
			p.Complete(v, err)
			return f
		},
		"later": later,
	}
}

func TestDerivedFutures(t *testing.T) {
	other := errors.New("another error")
	calls := 0
	text := func(v int) (string, error) { calls++; return strconv.Itoa(v), nil }
	for name, c := range map[string]struct {
		derive func(f *future.Future[int]) *future.Future[string]
		v      int
		err    error
		want   string
		fails  []error
		calls  int
	}{
		"Map": {func(f *future.Future[int]) *future.Future[string] { return future.Map(f, text) }, 1, nil, "1", nil, 1},
		"Map to an error": {func(f *future.Future[int]) *future.Future[string] {
			return future.Map(f, func(v int) (string, error) { return "half", errTest })
		}, 1, nil, "half", []error{errTest}, 0},
		"Map of an error": {func(f *future.Future[int]) *future.Future[string] { return future.Map(f, text) }, 0, errTest, "", []error{errTest}, 0},
		"Then": {func(f *future.Future[int]) *future.Future[string] {
			return future.Then(f, func(v int) *future.Future[string] { return future.Map(later(v+1, nil), text) })
		}, 1, nil, "2", nil, 1},
		"Then to an error": {func(f *future.Future[int]) *future.Future[string] {
			return future.Then(f, func(v int) *future.Future[string] { return future.Failed[string](errTest) })
		}, 1, nil, "", []error{errTest}, 0},
		"Then of an error": {func(f *future.Future[int]) *future.Future[string] {
			return future.Then(f, func(v int) *future.Future[string] { calls++; return nil })
		}, 0, errTest, "", []error{errTest}, 0},
		"Catch": {func(f *future.Future[int]) *future.Future[string] {
			return future.Map(future.Catch(f, func(err error) (int, error) { return len(err.Error()), nil }), text)
		}, 0, errTest, "10", nil, 1},
		"Catch of a value": {func(f *future.Future[int]) *future.Future[string] {
			return future.Map(future.Catch(f, func(error) (int, error) { calls++; return 0, nil }), text)
		}, 5, nil, "5", nil, 1},
		"Catch to an error": {func(f *future.Future[int]) *future.Future[string] {
			return future.Map(future.Catch(f, func(err error) (int, error) { return 0, errors.Join(err, other) }), text)
		}, 0, errTest, "", []error{errTest, other}, 0},
		"Finally": {func(f *future.Future[int]) *future.Future[string] {
			return future.Map(future.Finally(f, func() { calls++ }), text)
		}, 5, nil, "5", nil, 2},
		"Finally of an error": {func(f *future.Future[int]) *future.Future[string] {
			return future.Map(future.Finally(f, func() { calls++ }), text)
		}, 5, errTest, "", []error{errTest}, 1},
		"Shield": {func(f *future.Future[int]) *future.Future[string] { return future.Map(future.Shield(f), text) }, 5, nil, "5", nil, 1},
		"Shield of an error": {func(f *future.Future[int]) *future.Future[string] {
			return future.Map(future.Shield(f), text)
		}, 5, errTest, "", []error{errTest}, 0},
		"Keep": {func(f *future.Future[int]) *future.Future[string] { return future.Map(future.Keep(f)[0], text) }, 5, nil, "5", nil, 1},
	} {
		for when, source := range sources() {
			t.Run(name+" "+when, func(t *testing.T) {
				testkit.Watch(t)
				calls = 0
				got, err := c.derive(source(c.v, c.err)).Await(context.Background())
				if got != c.want || (err == nil) != (c.fails == nil) || calls != c.calls {
					t.Errorf("got %q, %v, %d calls; want %q, %v, %d", got, err, calls, c.want, c.fails, c.calls)
				}
				testkit.ErrorIs(t, err, c.fails...)
			})
		}
	}
}

func TestWhatPanicsInADerivedFuture(t *testing.T) {
	var own *future.Future[int]
	for name, c := range map[string]struct {
		derive func(f *future.Future[int]) *future.Future[int]
		err    error
		value  any
	}{
		"Map": {func(f *future.Future[int]) *future.Future[int] {
			return future.Map(f, func(int) (int, error) { panic(1) })
		}, nil, 1},
		"Then": {func(f *future.Future[int]) *future.Future[int] {
			return future.Then(f, func(int) *future.Future[int] { panic(1) })
		}, nil, 1},
		"Catch": {func(f *future.Future[int]) *future.Future[int] {
			return future.Catch(f, func(error) (int, error) { panic(1) })
		}, errTest, 1},
		"Finally": {func(f *future.Future[int]) *future.Future[int] {
			return future.Finally(f, func() { panic(1) })
		}, nil, 1},
		"Finally of an error": {func(f *future.Future[int]) *future.Future[int] {
			return future.Finally(f, func() { panic(1) })
		}, errTest, 1},
		"Then to nil": {func(f *future.Future[int]) *future.Future[int] {
			return future.Then(f, func(int) *future.Future[int] { return nil })
		}, nil, "future: the function given to Then returned nil; return a future, as Resolved or Failed make one"},
		"Then to itself": {func(f *future.Future[int]) *future.Future[int] {
			own = future.Then(f, func(int) *future.Future[int] { return own })
			return own
		}, nil, "future: the function given to Then returned the future that waits for it"},
	} {
		t.Run(name, func(t *testing.T) {
			f, p := future.New[int]()
			d := c.derive(f)
			p.Complete(0, c.err)
			_, err := d.TryResult()
			var panicked *future.PanicError
			if !errors.As(err, &panicked) || panicked.Value != c.value || len(panicked.Stack) == 0 {
				t.Errorf("TryResult's error = %v, want a PanicError of %v with a stack", err, c.value)
			}
			if name == "Finally of an error" {
				testkit.ErrorIs(t, err, errTest)
			}
		})
	}
}

func TestGoexitInADerivedFuture(t *testing.T) {
	for name, derive := range map[string]func(f *future.Future[int]) *future.Future[int]{
		"Map": func(f *future.Future[int]) *future.Future[int] {
			return future.Map(f, func(int) (int, error) { runtime.Goexit(); return 0, nil })
		},
		"Then": func(f *future.Future[int]) *future.Future[int] {
			return future.Then(f, func(int) *future.Future[int] { runtime.Goexit(); return nil })
		},
		"Finally": func(f *future.Future[int]) *future.Future[int] { return future.Finally(f, func() { runtime.Goexit() }) },
	} {
		testkit.Watch(t)
		f, p := future.New[int]()
		d := derive(f)
		// What derive does to f must not keep f's value from a later Map.
		after := future.Map(f, func(v int) (int, error) { return v, nil })
		var gone sync.WaitGroup
		gone.Go(func() {
			p.Resolve(1)
			t.Errorf("%s: Resolve has returned, want it to go on with the callback's Goexit", name)
		})
		gone.Wait()
		want(t, d, 0, future.ErrGoexit)
		want(t, after, 1, nil)
	}
}

func TestCancelOfADerivedFuture(t *testing.T) {
	one := func(v int) (int, error) { return v + 1, nil }
	for name, derive := range map[string]func(f *future.Future[int]) *future.Future[int]{
		"Map":  func(f *future.Future[int]) *future.Future[int] { return future.Map(f, one) },
		"Then": func(f *future.Future[int]) *future.Future[int] { return future.Then(f, future.Resolved[int]) },
		"Catch": func(f *future.Future[int]) *future.Future[int] {
			return future.Catch(f, func(err error) (int, error) { return 0, err })
		},
		"Finally": func(f *future.Future[int]) *future.Future[int] { return future.Finally(f, func() {}) },
		"a chain": func(f *future.Future[int]) *future.Future[int] {
			return future.Finally(future.Map(future.Map(f, one), one), func() {})
		},
		"the second half of Then": func(f *future.Future[int]) *future.Future[int] {
			return future.Then(future.Resolved(1), func(int) *future.Future[int] { return f })
		},
	} {
		var asked []error
		f, p := future.New[int]()
		p.OnCancel(func(cause error) { asked = append(asked, cause) })
		d := derive(f)
		if !d.Cancel(errTest) || d.Completed() || !slices.Equal(asked, []error{errTest}) {
			t.Errorf("%s: the source was asked %v (completed: %v), want %v once and the future pending", name, asked, d.Completed(), errTest)
		}
		p.Fail(errTest)
		want(t, d, 0, errTest)
		if d.Cancel(nil) {
			t.Errorf("%s: Cancel of a completed future = true, want false", name)
		}
	}

	// A source that succeeds after all is not lost; what comes after it is cancelled.
	f, p := future.New[int]()
	p.OnCancel(func(error) {})
	var asked []error
	second, q := future.New[int]()
	q.OnCancel(func(cause error) { asked = append(asked, cause); q.Fail(cause) })
	mapped, then := future.Map(f, one), future.Then(f, func(int) *future.Future[int] { return second })
	mapped.Cancel(errTest)
	then.Cancel(errTest)
	p.Resolve(1)
	want(t, mapped, 2, nil)
	want(t, then, 0, errTest)
	if len(asked) != 1 {
		t.Errorf("the second half was asked %v, want it asked once", asked)
	}
}

func TestShieldAndKeepStopACancellation(t *testing.T) {
	for name, shield := range map[string]func(f *future.Future[int]) *future.Future[int]{
		"Shield": func(f *future.Future[int]) *future.Future[int] { return future.Shield(f) },
		"Keep":   func(f *future.Future[int]) *future.Future[int] { return future.Keep(f)[0] },
	} {
		f, p := future.New[int]()
		p.OnCancel(func(error) { t.Errorf("%s: the source was asked to stop, want it left alone", name) })
		s, other := shield(f), shield(f)
		if !s.Cancel(errTest) || s.Cancel(nil) || f.Completed() {
			t.Errorf("%s: not cancelled at once, want only the first Cancel to work and the source pending", name)
		}
		want(t, s, 0, errTest)
		p.Resolve(1)
		want(t, s, 0, errTest)
		want(t, other, 1, nil)
		if shield(f) != f {
			t.Errorf("%s of what is complete is another future, want the same", name)
		}
	}
	if fs := future.Keep[int, *future.Future[int]](); len(fs) != 0 {
		t.Errorf("Keep of none = %v, want no futures", fs)
	}
}

func TestACancelledShieldLeavesNothingBehind(t *testing.T) {
	f, p := future.New[int]()
	for range 3 {
		future.Shield(f).Cancel(nil)
	}
	if n := future.Callbacks(f); n != 0 {
		t.Errorf("%d callbacks are left, want 0", n)
	}
	future.Shield(f).Cancel(nil)
	p.Fail(errTest)
	if p.Retrieved() {
		t.Error("the error counts as retrieved, want not: no shield has passed it on")
	}
}

// A loser that was kept goes on.
func TestCombinatorsOfWhatIsKept(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		f, p := future.New[int]()
		p.OnCancel(func(error) { t.Error("what is kept was asked to stop, want it left alone") })
		if v, err := future.Race(ctx, future.Keep(f, later(1, nil))...); v != 1 || err != nil {
			t.Errorf("got %v, %v; want 1 and nil", v, err)
		}
		if _, err := future.All(ctx, future.Keep(f, later(1, errTest))...); err != errTest {
			t.Errorf("got %v, want %v", err, errTest)
		}
		if n := future.Callbacks(f); n != 0 || f.Completed() {
			t.Errorf("%d callbacks are left (completed: %v), want 0 on a pending future", n, f.Completed())
		}
	})
}
