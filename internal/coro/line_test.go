package coro_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
)

// desk is the least that can be waited for: what is given to it goes to the first in line.
type desk struct {
	mu   sync.Mutex
	line coro.Line
}

func (d *desk) wait(ctx context.Context) error {
	d.mu.Lock()
	return d.line.Wait(ctx, &d.mu, "test: wait", nil)
}

func (d *desk) give() bool {
	d.mu.Lock()
	w := d.line.Claim()
	d.mu.Unlock()
	if w == nil {
		return false
	}
	w.Wake()
	return true
}

func (d *desk) giveAll() (n int, all bool) {
	var claimed coro.Claimed
	d.mu.Lock()
	all = d.line.ClaimAll(&claimed)
	d.mu.Unlock()
	claimed.Each(func(*coro.Waiter) { n++ })
	claimed.Wake()
	return n, all
}

func TestALineIsServedInOrder(t *testing.T) {
	for _, all := range []bool{false, true} {
		t.Run(fmt.Sprintf("all at once %v", all), func(t *testing.T) {
			l := newLoop(t)
			var d desk
			var got []int
			for i := range 5 {
				l.start(func() {
					if err := d.wait(context.Background()); err != nil {
						t.Errorf("waiter %d: %v, want to be served", i, err)
					}
					got = append(got, i)
				})
			}
			if all {
				if n, whole := d.giveAll(); n != 5 || !whole {
					t.Errorf("ClaimAll claimed %d, everybody %v; want 5, true", n, whole)
				}
			}
			for d.give() {
			}
			l.settle()
			if want := []int{0, 1, 2, 3, 4}; !slices.Equal(got, want) {
				t.Errorf("all at once %v: served in the order %v, want %v", all, got, want)
			}
			if !d.line.Empty() || d.line.First() != nil {
				t.Error("the line is not empty when all were served, want it empty")
			}
		})
	}
}

// Whoever gives up leaves at once, from anywhere in the line, and the others keep their order.
func TestWhoGivesUpLeavesTheLine(t *testing.T) {
	const waiters = 6
	for leaver := range waiters {
		t.Run(fmt.Sprint(leaver), func(t *testing.T) {
			l := newLoop(t)
			var d desk
			var got []int
			ctx, cancel := context.WithCancel(context.Background())
			for i := range waiters {
				wait := context.Background()
				if i == leaver {
					wait = ctx
				}
				l.start(func() {
					if err := d.wait(wait); (err != nil) != (i == leaver) {
						t.Errorf("waiter %d: %v, want an error for %d alone, which gave up", i, err, leaver)
					} else if err == nil {
						got = append(got, i)
					}
				})
			}
			cancel()
			l.until(func() bool { return l.pool.Live() == waiters-1 })
			for d.give() {
			}
			l.settle()
			want := slices.Delete([]int{0, 1, 2, 3, 4, 5}, leaver, leaver+1)
			if !slices.Equal(got, want) {
				t.Errorf("after %d has left: served %v, want %v", leaver, got, want)
			}
		})
	}
}

// A claim and the end of the context that come together: one of them wins, and what the loser
// would have taken goes to the next.
func TestClaimAgainstCancellation(t *testing.T) {
	mine := errors.New("mine")
	for _, first := range []string{"the claim", "the cancellation"} {
		t.Run(first, func(t *testing.T) {
			l := newLoop(t)
			var d desk
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			own := carrier{ctx, &l.pool}
			got, next := errors.New("not yet"), errors.New("not yet")
			var waiter *coro.Coro
			l.start(func() {
				waiter = l.pool.Running()
				got = d.wait(own)
			})
			l.start(func() { next = d.wait(context.Background()) })
			if first == "the cancellation" {
				cancel(mine)
				waiter.Recheck() // it has lost, and still is in the line
			}
			if !d.give() {
				t.Fatal("nobody was served, want the one who waits")
			}
			if first == "the claim" {
				cancel(mine)
				waiter.Recheck()
				l.settle()
				if got != nil || next == nil {
					t.Errorf("claimed first: %v and %v, want nil and a wait that goes on", got, next)
				}
				d.give()
			}
			l.settle()
			if want := map[string]error{"the claim": nil, "the cancellation": mine}[first]; !errors.Is(got, want) || next != nil {
				t.Errorf("first %s: %v and %v, want %v and nil", first, got, next, want)
			}
		})
	}
}

func TestEnterRefusesWithTheMutexUnlocked(t *testing.T) {
	newLoop(t)
	var d desk
	const text = "test: wait in a loop callback would stop the loop; use OnDone, or start a task with task.Go"
	testkit.Panics(t, text, func() { d.wait(context.Background()) })
	if !d.mu.TryLock() {
		t.Fatal("the mutex is locked after a refusal, want it unlocked")
	}
	if !d.line.Empty() {
		t.Error("a caller that was refused is in the line, want nobody there")
	}
}

// A context that ends before the wait begins ends it, and is not asked under the mutex.
func TestAContextThatIsDoneAlreadyEndsTheWait(t *testing.T) {
	l := newLoop(t)
	var d desk
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	asked := asksWith{ctx, func() {
		if d.mu.TryLock() {
			d.mu.Unlock()
		} else {
			t.Error("the context is asked under the mutex, want it asked without")
		}
	}}
	ended := 0
	wait := func() {
		if err := d.wait(asked); !errors.Is(err, context.Canceled) {
			t.Errorf("a wait with a context that is done: %v, want %v", err, context.Canceled)
		}
		ended++
	}
	l.start(wait)
	l.until(func() bool { return ended == 1 })
	var other sync.WaitGroup
	other.Go(wait)
	other.Wait()
	if !d.line.Empty() {
		t.Error("all waits have ended, and somebody is in the line; want nobody there")
	}
}

// asksWith is a context that calls ask when it is asked whether it is done.
type asksWith struct {
	context.Context
	ask func()
}

func (c asksWith) Err() error { c.ask(); return c.Context.Err() }

// To leave takes the same few steps from everywhere: with steps that grew with the line this would
// take minutes.
func TestAHundredThousandGiveUpAtOnce(t *testing.T) {
	waiters := 100_000
	if testing.Short() {
		waiters /= 10
	}
	l := newLoop(t)
	var d desk
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left := 0
	for range waiters {
		l.start(func() {
			if d.wait(ctx) != nil {
				left++
			}
		})
	}
	cancel()
	l.until(func() bool { return left == waiters })
	if !d.line.Empty() {
		t.Error("everybody has given up, and the line is not empty; want it empty")
	}
}

func TestALineAllocatesNothing(t *testing.T) {
	l := newLoop(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var d desk
	stop := false
	for range 3 {
		l.start(func() {
			for !stop {
				d.wait(ctx)
			}
		})
	}
	turn := func() {
		for range 3 {
			d.line.Claim().Coro().Run()
		}
	}
	if n := testing.AllocsPerRun(100, turn); n != 0 {
		t.Errorf("%v allocations for three waits, want none", n)
	}
	stop = true
	turn()
}

// Whatever is given is taken once, by coroutines and goroutines that give up at any moment.
func TestClaimsAndCancellationsRace(t *testing.T) {
	const rounds, takers = 300, 4
	for _, who := range []string{"coroutines", "goroutines"} {
		t.Run(who, func(t *testing.T) {
			l := newLoop(t)
			var d desk
			var given, taken, over atomic.Int64
			body := func() {
				for range rounds {
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					d.mu.Lock()
					w := d.line.Enter(ctx, &d.mu, "test: wait")
					d.mu.Unlock()
					go cancel()
					w.Begin(ctx, nil).Suspend()
					if d.line.Exit(ctx, &d.mu, w) == nil {
						taken.Add(1)
					}
				}
				over.Add(1)
				l.Post(nothing{})
			}
			var helpers sync.WaitGroup
			for range takers {
				if who == "coroutines" {
					l.start(body)
				} else {
					helpers.Go(body)
				}
			}
			for i := range 3 {
				helpers.Go(func() {
					for over.Load() < takers {
						if i == 0 {
							n, _ := d.giveAll()
							given.Add(int64(n))
						} else if d.give() {
							given.Add(1)
						}
						runtime.Gosched()
					}
				})
			}
			l.until(func() bool { return over.Load() == takers })
			helpers.Wait()
			l.settle()
			if given.Load() != taken.Load() {
				t.Errorf("%d were given and %d were taken, want as many", given.Load(), taken.Load())
			}
		})
	}
}

// A Line is held to a slice, by random operations of one goroutine.
func TestALineBehavesAsASliceOfWaiters(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	l := newLoop(t)
	var d desk
	var model []int
	leave := map[int]func(){}
	var served, want []int
	gone := 0
	check := func(op string) {
		l.settle()
		if !slices.Equal(served, want) || d.line.Empty() != (len(model) == 0) {
			t.Fatalf("seed %d, after %s: served %v, want %v; in line: %v", seed, op, served, want, model)
		}
	}
	for i := range 2000 {
		op := fmt.Sprintf("operation %d", i)
		switch n := r.IntN(5); {
		case n < 2:
			ctx, cancel := context.WithCancel(context.Background())
			own := carrier{ctx, &l.pool}
			l.start(func() {
				c := l.pool.Running()
				leave[i] = func() { cancel(); c.Recheck() }
				if d.wait(own) == nil {
					served = append(served, i)
				} else {
					gone++
				}
				cancel()
			})
			model = append(model, i)
		case n == 2 && len(model) > 0:
			at := r.IntN(len(model))
			leave[model[at]]()
			model = slices.Delete(model, at, at+1)
		case n == 3 && len(model) > 0:
			d.give()
			want, model = append(want, model[0]), model[1:]
		case r.IntN(50) == 0:
			d.giveAll()
			want, model = append(want, model...), nil
		}
		check(op)
	}
	d.giveAll()
	want = append(want, model...)
	model = nil
	check("the end")
}
