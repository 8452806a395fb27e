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

func TestWait(t *testing.T) {
	type fut = *future.Future[int]
	everywhere(t, func(t *testing.T, ctx context.Context) {
		never, _ := future.New[int]()
		for name, c := range map[string]struct {
			mode          future.Mode
			fs            []fut
			done, pending []int // of fs
		}{
			"none":                         {future.AllCompleted, nil, nil, nil},
			"the first of none":            {future.FirstCompleted, nil, nil, nil},
			"all":                          {future.AllCompleted, []fut{later(1, nil), future.Failed[int](errTest), later(2, errTest)}, []int{0, 1, 2}, nil},
			"the first, there":             {future.FirstCompleted, []fut{never, future.Resolved(1), never}, []int{1}, []int{0, 2}},
			"the first, later":             {future.FirstCompleted, []fut{never, later(1, nil), never}, []int{1}, []int{0, 2}},
			"the first error, there":       {future.FirstError, []fut{future.Resolved(1), never, future.Failed[int](errTest)}, []int{0, 2}, []int{1}},
			"the first error, later":       {future.FirstError, []fut{never, future.Resolved(1), later(0, errTest)}, []int{1, 2}, []int{0}},
			"the first error, none":        {future.FirstError, []fut{later(1, nil), future.Resolved(1)}, []int{0, 1}, nil},
			"a completion is not an error": {future.FirstError, []fut{future.Resolved(1), later(1, errTest), never}, []int{0, 1}, []int{2}},
			"twice the same":               {future.FirstCompleted, []fut{never, never, future.Resolved(1)}, []int{2}, []int{0, 1}},
		} {
			done, pending, err := future.Wait(ctx, c.mode, c.fs...)
			pick := func(indices []int) (fs []fut) {
				for _, i := range indices {
					fs = append(fs, c.fs[i])
				}
				return fs
			}
			if !slices.Equal(done, pick(c.done)) || !slices.Equal(pending, pick(c.pending)) || err != nil {
				t.Errorf("%s: Wait = %v, %v, %v; want %v, %v, nil", name, done, pending, err, pick(c.done), pick(c.pending))
			}
		}
		short, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		one := future.Resolved(1)
		done, pending, err := future.Wait(short, future.AllCompleted, never, one)
		testkit.ErrorIs(t, err, context.DeadlineExceeded)
		if !slices.Equal(done, []fut{one}) || !slices.Equal(pending, []fut{never}) {
			t.Errorf("at the end of the context: %v, %v; want %v and %v", done, pending, []fut{one}, []fut{never})
		}
		if done, _, err := future.Wait(over(ctx), future.FirstCompleted, never, one); len(done) != 1 || err != nil {
			t.Errorf("Wait with one there, context done = %v, %v; want 1 future and nil", done, err)
		}
		if never.Completed() {
			t.Error("Wait has completed one, want it left pending")
		}
	})
}

func TestWaitRetrievesNoError(t *testing.T) {
	f, p := future.New[int]()
	p.Fail(errTest)
	never, _ := future.New[int]()
	future.Wait(context.Background(), future.FirstError, f, never)
	future.Wait(context.Background(), future.AllCompleted, f)
	if p.Retrieved() {
		t.Error("the error counts as retrieved, want not: Wait only looks")
	}
}

func TestWaitForWhatThereIsNot(t *testing.T) {
	testkit.Panics(t, "future: Wait with Mode(3); give AllCompleted, FirstCompleted or FirstError", func() {
		future.Wait[int, *future.Future[int]](context.Background(), 3)
	})
}

// A nil argument is found before anything is cancelled.
func TestACombinatorRefusesNil(t *testing.T) {
	for name, combine := range combinators {
		if name == "All2" || name == "All3" {
			continue
		}
		f, _ := future.New[int]()
		testkit.Panics(t, "future: a combinator was given a nil future; leave out what there is not", func() {
			combine(context.Background(), f, nil)
		})
		if f.Completed() {
			t.Errorf("%s: the other one is a %v, want it untouched", name, f)
		}
	}
}

func TestAsCompleted(t *testing.T) {
	type seen struct {
		i   int
		out future.Outcome[int]
	}
	collect := func(ctx context.Context, fs ...*future.Future[int]) (all []seen) {
		for i, out := range future.AsCompleted(ctx, fs...) {
			all = append(all, seen{i, out})
		}
		return all
	}
	everywhere(t, func(t *testing.T, ctx context.Context) {
		if all := collect(ctx); len(all) != 0 {
			t.Errorf("AsCompleted of none yielded %v, want nothing", all)
		}
		a, p := future.New[int]()
		b, q := future.New[int]()
		c := future.Failed[int](errTest)
		b.OnDone(future.Inline, func(int, error) { p.Resolve(1) })
		time.AfterFunc(time.Millisecond, func() { q.Resolve(2) })
		fs := []*future.Future[int]{a, b, c, c, a}
		all := collect(ctx, fs...)
		wanted := []seen{{2, future.Outcome[int]{Err: errTest}}, {3, future.Outcome[int]{Err: errTest}}}
		if len(all) != 5 || !slices.Equal(all[:2], wanted) || all[2].i != 1 && all[2].i != 0 {
			t.Errorf("AsCompleted yielded %v, want 5: first %v, then one of the two that came", all, wanted)
		}
		if again := collect(ctx, fs...); len(again) != 5 || again[0].i != 0 || again[4].i != 4 {
			t.Errorf("AsCompleted of what is there yielded %v, want all 5 in the order given", again)
		}
	})
}

func TestAsCompletedIsInTheOrderOfCompletion(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		const n = 10
		var fs []*future.Future[int]
		var ps []*future.Promise[int]
		for range n {
			f, p := future.New[int]()
			fs, ps = append(fs, f), append(ps, p)
		}
		time.AfterFunc(time.Millisecond, func() { ps[n-1].Resolve(n - 1) })
		next := n - 1
		for i, out := range future.AsCompleted(ctx, fs...) {
			if i != next || out.Value != i {
				t.Fatalf("%d came with %v, want %d with its own number", i, out, next)
			}
			if next--; next >= 0 {
				ps[next].Resolve(next)
			}
		}
	})
}

func TestAsCompletedThatIsLeft(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		for name, leave := range map[string]func(){
			"break":   func() {},
			"a panic": func() { panic(errTest) },
		} {
			ended := 0
			a, b := obedient(&ended), obedient(&ended)
			testkit.PanicOf(func() {
				for i, out := range future.AsCompleted(ctx, a, future.Resolved(1), b) {
					if i != 1 || out.Value != 1 {
						t.Errorf("%s: first %d, %v; want 1 and the value 1", name, i, out)
					}
					leave()
					break
				}
			})
			if ended != 2 || !a.Completed() || !b.Completed() {
				t.Errorf("%s: %d were cancelled, want both", name, ended)
			}
			want(t, a, 0, future.ErrCancelled)
		}
	})
}

func TestAsCompletedWhoseContextEnds(t *testing.T) {
	everywhere(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		ended, first := 0, true
		stubborn, p := future.New[int]()
		p.OnCancel(func(error) { time.AfterFunc(2*time.Millisecond, func() { p.Resolve(3) }) })
		outcomes := map[int]future.Outcome[int]{}
		for i, out := range future.AsCompleted(ctx, obedient(&ended), future.Resolved(1), stubborn) {
			if outcomes[i] = out; first != (i == 1) {
				t.Errorf("%d came (the first: %v), want 1 to come first and only once", i, first)
			}
			first = false
			cancel(errTest)
		}
		if len(outcomes) != 3 || !errors.Is(outcomes[0].Err, errTest) || outcomes[1].Value != 1 || outcomes[2].Value != 3 || ended != 1 {
			t.Errorf("got %v, %d were cancelled; want %v, then the values 1 and 3, and 1 cancelled", outcomes, ended, errTest)
		}
	})
}
