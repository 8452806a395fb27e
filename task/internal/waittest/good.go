package waittest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/task"
)

// Good is one thing that is passed from hand to hand, such as a lock. At first nobody can have it.
type Good struct {
	Take    func(ctx context.Context) error
	Try     func() bool // Take, if that need not wait
	Give    func()
	Waiting func() int
	Check   func() bool // nil, or whether what was passed on was neither lost nor doubled
}

// Log is numbers that several goroutines note.
type Log struct {
	mu sync.Mutex
	ns []int
}

// Add notes n.
func (l *Log) Add(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ns = append(l.ns, n)
}

// Sorted returns what was noted.
func (l *Log) Sorted() []int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.ns))
}

// waiter is somebody who has called Take.
type waiter struct {
	cancel func()
	result *future.Future[struct{}]
}

// takers are the kinds of them.
var takers = map[string]func(ctx context.Context, take func(ctx context.Context) error) waiter{
	"task": func(ctx context.Context, take func(ctx context.Context) error) waiter {
		tk := task.Spawn(ctx, take)
		return waiter{func() { tk.Cancel(nil) }, tk.AsFuture()}
	},
	"task with another context": func(ctx context.Context, take func(ctx context.Context) error) waiter {
		foreign, cancel := context.WithCancel(context.Background())
		return waiter{cancel, task.Spawn(ctx, func(context.Context) error { return take(foreign) }).AsFuture()}
	},
	"goroutine": func(_ context.Context, take func(ctx context.Context) error) waiter {
		foreign, cancel := context.WithCancel(context.Background())
		return waiter{cancel, future.FromFunc(foreign, func(ctx context.Context) (struct{}, error) { return struct{}{}, take(ctx) })}
	},
}

// HandOver checks that a cancellation beside a hand-over loses nothing. Two callers wait, and the
// first is cancelled: c cancels, g gives, and t lets everybody run.
func HandOver(t *testing.T, goods func() map[string]Good) {
	for who, start := range takers {
		for _, steps := range []string{"cg", "ctg", "gc", "gtc", "tgct", "c", "cgc"} {
			for name := range goods() {
				t.Run(name+"/"+who+"/"+steps, func(t *testing.T) {
					testkit.Run(t, func(ctx context.Context) error {
						g := goods()[name]
						first := start(ctx, g.Take)
						testkit.Eventually(t, "1 in line", func() bool { return g.Waiting() == 1 })
						second := start(ctx, g.Take)
						testkit.Eventually(t, "2 in line", func() bool { return g.Waiting() == 2 })
						handOver(t, ctx, g, steps, who == "task", first, second)
						return nil
					})
				})
			}
		}
	}
}

func handOver(t *testing.T, ctx context.Context, g Good, steps string, exact bool, first, second waiter) {
	gave := 0
	for _, step := range steps {
		switch step {
		case 'c':
			first.cancel()
		case 'g':
			gave++
			g.Give()
		case 't':
			Yields(ctx, 3)
		}
	}
	_, err := first.result.Await(ctx)
	if givenFirst := steps[0] != 'c'; exact && (err == nil) != givenFirst {
		t.Errorf("the first has the error %v, want success to be %v", err, givenFirst)
	}
	if err == nil || gave == 0 {
		if second.result.Completed() {
			t.Error("both have it, want the first alone")
		}
		g.Give()
	}
	if _, err := second.result.Await(ctx); err != nil {
		t.Errorf("the second has the error %v, want none", err)
	}
	second.cancel()
	g.Give()
	if n := g.Waiting(); n != 0 {
		t.Errorf("%d are still in line, want nobody", n)
	}
	if !g.Try() || g.Try() {
		t.Error("it was lost or doubled, want to have it once")
	}
	if g.Check != nil && !g.Check() {
		t.Error("other items came out than went in, want the same")
	}
}

// hooked is a context that calls hook when it is asked whether it is done: in the midst of an
// operation.
type hooked struct {
	context.Context
	hook func()
}

func (h *hooked) Err() error {
	if hook := h.hook; hook != nil {
		h.hook = nil
		hook()
	}
	return h.Context.Err()
}

// Hooked returns a context that calls hook once, when an operation asks whether it is done.
func Hooked(hook func()) context.Context { return &hooked{context.Background(), hook} }

// GivenMeanwhile checks that what is given while Take begins is not waited for, and is taken once.
func GivenMeanwhile(t *testing.T, goods map[string]Good) {
	testkit.Watch(t)
	for name, g := range goods {
		if err := g.Take(Hooked(g.Give)); err != nil || g.Try() {
			t.Errorf("%s: Take returned %v, and it can be taken again; want it once, with no error", name, err)
		}
		g.Give()
		if !g.Try() || g.Try() {
			t.Errorf("%s was lost or doubled, want to have it once", name)
		}
	}
}

// Done checks that each operation that begins with a context that is done fails, also where it
// could succeed at once. That it has changed nothing is for the caller to check.
func Done(t *testing.T, operations map[string]func(ctx context.Context) error) {
	done, cancel := context.WithCancelCause(context.Background())
	cancel(ErrTest)
	testkit.Run(t, func(ctx context.Context) error {
		own, cancel := context.WithCancelCause(ctx)
		cancel(ErrTest)
		for name, op := range operations {
			for _, ctx := range []context.Context{done, own} {
				if err := op(ctx); !errors.Is(err, ErrTest) || !errors.Is(err, context.Canceled) {
					t.Errorf("%s returned %v, want the cause of its context", name, err)
				}
				inGoroutine := future.FromFunc(ctx, func(context.Context) (int, error) { return 0, op(ctx) })
				if _, err := inGoroutine.Await(context.Background()); !errors.Is(err, ErrTest) {
					t.Errorf("%s in a goroutine returned %v, want the cause of its context", name, err)
				}
			}
		}
		return nil
	})
}

// RefusesCallbacks checks that each operation, which has to wait, panics in a callback of a loop,
// naming itself. It is called in a callback.
func RefusesCallbacks(t *testing.T, operations map[string]func()) {
	for op, wait := range operations {
		testkit.Panics(t, op+" in a loop callback…", wait)
	}
}

// PanicsWith checks that each call panics with its sentence.
func PanicsWith(t *testing.T, calls map[string]func()) {
	for want, call := range calls {
		testkit.Panics(t, want, call)
	}
}

// LeavesOthersTheirTurn checks that a task which calls op again and again, and never has to wait,
// yields all the same, and not while held returns true.
func LeavesOthersTheirTurn(t *testing.T, operations map[string]func(ctx context.Context), held func() bool) {
	const turns = 10
	for name, op := range operations {
		t.Run(name, func(t *testing.T) {
			testkit.Run(t, func(ctx context.Context) error {
				got, stop := 0, false
				other := task.Spawn(ctx, func(ctx context.Context) error {
					for !stop {
						got++
						if held() {
							t.Error("it yielded with the lock, want it to yield before it takes that")
						}
						task.Yield(ctx)
					}
					return nil
				})
				for range turns * 130 {
					op(ctx)
				}
				if got < turns {
					t.Errorf("the other task had %d turns in %d operations, want %d", got, turns*130, turns)
				}
				stop = true
				_, err := other.Await(ctx)
				return err
			})
		})
	}
}
