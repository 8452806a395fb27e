package future_test

import (
	"context"
	"errors"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

var errOther = errors.New("other error")

// leaveEarly breaks out of a loop over AsCompleted at the first.
func leaveEarly(ctx context.Context, fs ...*future.Future[int]) error {
	for range future.AsCompleted(ctx, fs...) {
		break
	}
	return nil
}

// A task that had failed by itself, and whose error a combinator does not return, is reported, as
// if there had been no combinator. One that is returned, in whatever form, is not.
func TestTheFailureOfALoserThatNobodyCancelledIsReported(t *testing.T) {
	ok := func(context.Context) (int, error) { return 1, nil }
	fail := func(context.Context) (int, error) { return 0, errTest }
	failOther := func(context.Context) (int, error) { return 0, errOther }
	type fn = func(context.Context) (int, error)
	for name, c := range map[string]struct {
		combine func(ctx context.Context, fs ...*future.Future[int]) error
		fns     []fn
		reports int
	}{
		"Race, the loser has failed":            {combinators["Race"], []fn{ok, fail}, 1},
		"Race, two losers have failed":          {combinators["Race"], []fn{ok, fail, failOther}, 2},
		"Race, the winner has failed":           {combinators["Race"], []fn{fail, ok}, 0},
		"All, the first error is returned":      {combinators["All"], []fn{fail, ok}, 0},
		"All, the second one is nobody's":       {combinators["All"], []fn{fail, failOther}, 1},
		"All2":                                  {combinators["All2"], []fn{fail, failOther}, 1},
		"All3, with one that is given twice":    {combinators["All3"], []fn{fail, failOther}, 1},
		"Any, one has failed before":            {combinators["Any"], []fn{fail, ok}, 1},
		"Any, all have failed":                  {combinators["Any"], []fn{fail, failOther}, 0},
		"AllSettled":                            {combinators["AllSettled"], []fn{fail, ok, failOther}, 0},
		"AsCompleted":                           {combinators["AsCompleted"], []fn{fail, ok, failOther}, 0},
		"AsCompleted, left early":               {leaveEarly, []fn{ok, fail, failOther}, 2},
		"AsCompleted, left after the only fail": {leaveEarly, []fn{fail, ok}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			all := inMode(t, false, func(ctx context.Context, _ *testkit.Exceptions) {
				var fs []*future.Future[int]
				for _, fn := range c.fns {
					fs = append(fs, task.Go(ctx, fn).AsFuture())
				}
				future.Wait(ctx, future.AllCompleted, fs...)
				c.combine(ctx, fs...)
			})
			if len(all) != c.reports {
				t.Errorf("%d reports, want %d: %v", len(all), c.reports, all)
			}
		})
	}
}

// What a loser returns after its cancellation is a consequence of that; a panic is a fault.
func TestWhatALoserEndsWithAfterItsCancellation(t *testing.T) {
	for name, c := range map[string]struct {
		end     func() error
		reports int
	}{
		"an error of its clean-up": {func() error { return errOther }, 0},
		"no error":                 {func() error { return nil }, 0},
		"a panic":                  {func() error { panic(errOther) }, 1},
	} {
		for how, combine := range combinators {
			if how == "AllSettled" || how == "AsCompleted" { // they give everything
				continue
			}
			t.Run(name+" after "+how, func(t *testing.T) {
				all := inMode(t, false, func(ctx context.Context, _ *testkit.Exceptions) {
					loser := task.Go(ctx, func(ctx context.Context) (int, error) {
						pendingFuture().Await(ctx)
						return 0, c.end()
					})
					short, cancel := context.WithCancel(ctx)
					task.Spawn(ctx, func(context.Context) error { cancel(); return nil })
					never := pendingFuture()
					combine(short, never, loser.AsFuture())
				})
				if len(all) != c.reports {
					t.Errorf("%d reports, want %d: %v", len(all), c.reports, all)
				}
				for _, e := range all {
					testkit.ErrorIs(t, e.Err, errOther)
				}
			})
		}
	}
}

func pendingFuture() *future.Future[int] { f, _ := future.New[int](); return f }
