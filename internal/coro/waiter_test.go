package coro_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
)

func TestHereInACallbackPanics(t *testing.T) {
	newLoop(t)
	done, cancel := context.WithCancel(context.Background())
	cancel()
	for _, ctx := range []context.Context{context.Background(), done} {
		const text = "future: Await in a loop callback would stop the loop; use OnDone, or start a task with task.Go"
		testkit.Panics(t, text, func() { coro.Here(ctx, "future: Await") })
	}
}

// carrier is a context that knows a pool, as a task's does.
type carrier struct {
	context.Context
	pool *coro.Pool
}

func (c carrier) CoroPool() *coro.Pool { return c.pool }

// The caller is the one who waits, whatever the context says.
func TestHereKnowsItsCaller(t *testing.T) {
	l := newLoop(t)
	var other coro.Pool
	contexts := map[string]context.Context{
		"background":   context.Background(),
		"the loop's":   carrier{context.Background(), &l.pool},
		"another's":    carrier{context.Background(), &other},
		"of no pool":   carrier{context.Background(), nil},
		"behind value": context.WithValue(carrier{context.Background(), &l.pool}, l, 1),
	}
	for name, ctx := range contexts {
		l.start(func() {
			w := here(t, ctx)
			if w.Coro() != l.pool.Running() || coro.CurrentBy(ctx) != w.Coro() {
				t.Errorf("%s: Here is of %p, CurrentBy = %p; want %p, the caller", name, w.Coro(), coro.CurrentBy(ctx), l.pool.Running())
			}
			w.Release()
			var over sync.WaitGroup
			over.Go(func() {
				w := here(t, ctx)
				if w.Coro() != nil || coro.CurrentBy(ctx) != nil {
					t.Errorf("%s: Here in a goroutine is of %p, CurrentBy = %p; want nil of both", name, w.Coro(), coro.CurrentBy(ctx))
				}
				w.Release()
			})
			over.Wait()
		})
		if v := testkit.PanicOf(func() { coro.Here(ctx, "op") }); v == nil {
			t.Errorf("%s: no panic, want one in a callback", name)
		}
	}
}

func TestHereOfADoneContextFailsWithItsCause(t *testing.T) {
	l := newLoop(t)
	mine := errors.New("mine")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(mine)
	try := func() {
		w, err := coro.Here(ctx, "op")
		if w != nil || !errors.Is(err, mine) || !errors.Is(err, context.Canceled) {
			t.Errorf("Here = %v, %v; want nil and an error that is %v and %v", w, err, mine, context.Canceled)
		}
	}
	l.start(try)
	var over sync.WaitGroup
	over.Go(try)
	over.Wait()
}

func TestCauseMatchesBothErrors(t *testing.T) {
	mine := errors.New("mine")
	past, cancelPast := context.WithDeadline(context.Background(), time.Unix(0, 0))
	defer cancelPast()
	pastMine, cancelPastMine := context.WithDeadlineCause(context.Background(), time.Unix(0, 0), mine)
	defer cancelPastMine()
	cancelled := func(cause error) context.Context {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(cause)
		return ctx
	}
	tests := []struct {
		name string
		ctx  context.Context
		is   []error
		text string
	}{
		{"cancelled", cancelled(nil), []error{context.Canceled}, "context canceled"},
		{"cancelled for a reason", cancelled(mine), []error{mine, context.Canceled}, "mine"},
		{"timed out", past, []error{context.DeadlineExceeded}, "context deadline exceeded"},
		{"timed out for a reason", pastMine, []error{mine, context.DeadlineExceeded}, "mine"},
		{"a custom context", customDone{context.Background(), context.Canceled}, []error{context.Canceled}, "context canceled"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := coro.Cause(tt.ctx)
			for _, is := range tt.is {
				if !errors.Is(err, is) {
					t.Errorf("errors.Is(%v, %v) = false, want true", err, is)
				}
			}
			var timeout interface{ Timeout() bool }
			if got, want := errors.As(err, &timeout), tt.ctx.Err() == context.DeadlineExceeded; got != want {
				t.Errorf("that it is a timeout is %v, want %v", got, want)
			}
			if err.Error() != tt.text {
				t.Errorf("the text is %q, want %q", err, tt.text)
			}
		})
	}
}

// customDone is a done context that package context knows nothing of.
type customDone struct {
	context.Context
	err error
}

func (c customDone) Err() error { return c.err }

func TestWaitIsEndedByWake(t *testing.T) {
	l := newLoop(t)
	var w *coro.Waiter
	got := errors.New("not yet")
	j := l.start(func() {
		w = here(t, context.Background())
		got = w.Wait(context.Background(), nil)
		w.Release()
	})
	if j.ended || !w.Claim() || w.Claim() {
		t.Errorf("the wait has ended (%v), or the first Claim failed, or the second did not; want one Claim that succeeds", j.ended)
	}
	w.Wake()
	l.settle()
	if got != nil || w.Claim() {
		t.Errorf("Wait = %v, want nil; and then a Claim that fails", got)
	}
}

func TestAGoroutineWaitsByItself(t *testing.T) {
	testkit.Watch(t)
	waiting := make(chan *coro.Waiter)
	result := make(chan error)
	mine := errors.New("mine")
	for _, end := range []string{"wake", "cancel", "claimed, then cancelled"} {
		ctx, cancel := context.WithCancelCause(context.Background())
		go func() {
			w := here(t, ctx)
			waiting <- w
			err := w.Wait(ctx, nil)
			w.Release()
			result <- err
		}()
		w := <-waiting
		var want error
		switch end {
		case "wake":
			w.Claim()
			w.Wake()
		case "cancel":
			cancel(mine)
			want = mine
		default:
			w.Claim()
			cancel(mine)
			w.Wake()
		}
		if err := <-result; !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", end, err, want)
		}
		cancel(nil)
	}
}

type nothing struct{}

func (nothing) Run() {}

// counted is a context that counts who watches it. It can't be compared.
type counted struct {
	context.Context
	watchers *int
	_        []int
}

// Value hides the context inside, so that package context calls AfterFunc.
func (counted) Value(any) any { return nil }

func (c counted) AfterFunc(f func()) (stop func() bool) {
	*c.watchers++
	inner := context.AfterFunc(c.Context, f)
	return func() bool { *c.watchers--; return inner() }
}

func TestAWaitAllocatesNothing(t *testing.T) {
	l := newLoop(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stop := false
	var w *coro.Waiter
	l.start(func() {
		for !stop {
			w = here(t, ctx)
			w.Wait(ctx, nil)
			w.Release()
		}
	})
	n := testing.AllocsPerRun(100, func() {
		w.Claim()
		w.Coro().Run()
	})
	if n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
	stop = true
	w.Claim()
	w.Coro().Run()
}

func TestYield(t *testing.T) {
	l := newLoop(t)
	done, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("mine"))
	for name, wrap := range map[string]func(context.Context) context.Context{
		"any context":     func(ctx context.Context) context.Context { return ctx },
		"the loop's own":  func(ctx context.Context) context.Context { return carrier{ctx, &l.pool} },
		"another's":       func(ctx context.Context) context.Context { return carrier{ctx, new(coro.Pool)} },
		"one of no value": func(ctx context.Context) context.Context { return customDone{ctx, ctx.Err()} },
	} {
		got := ""
		for _, who := range []string{"a", "b"} {
			l.start(func() {
				for range 2 {
					got += who
					if err := coro.Yield(wrap(context.Background()), "test: Yield"); err != nil {
						t.Error(err)
					}
				}
				if err := coro.Yield(wrap(done), "test: Yield"); !errors.Is(err, context.Canceled) {
					t.Errorf("%s, done: %v; want %v", name, err, context.Canceled)
				}
			})
		}
		l.settle()
		if got != "abab" {
			t.Errorf("%s: got %s, want %s", name, got, "abab")
		}
		if v, _ := testkit.PanicOf(func() { coro.Yield(wrap(context.Background()), "test: Yield") }).(string); !strings.HasPrefix(v, "test: Yield in a loop callback") {
			t.Errorf("%s: panic %q, want one that says where Yield was called", name, v)
		}
	}
	var over sync.WaitGroup
	over.Go(func() {
		if err := coro.Yield(context.Background(), "test: Yield"); err != nil {
			t.Error(err)
		}
		if err := coro.Yield(done, "test: Yield"); !errors.Is(err, context.Canceled) {
			t.Errorf("Yield with a done context = %v, want %v", err, context.Canceled)
		}
	})
	over.Wait()
}

func TestPanicErrorText(t *testing.T) {
	e := &coro.PanicError{Value: "boom", Stack: []byte("the stack")}
	if e.Error() != "panic: boom" || e.Unwrap() != nil {
		t.Errorf("Error() = %q, Unwrap() = %v; want the value, and nil", e.Error(), e.Unwrap())
	}
}

// The text is one line, for logs, and says where the panic was. The stack is there beside it.
func TestAPanicErrorTellsItsPlaceInOneLine(t *testing.T) {
	for name, end := range map[string]func(){
		"a panic":       func() { whereItPanics("boom") },
		"a nil pointer": func() { whereItReadsNil(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			j := l.start(end)
			text := j.failed.Error()
			if strings.Contains(text, "\n") || !strings.Contains(text, "coro_test.whereIt") || !strings.Contains(text, "_test.go:") {
				t.Errorf("the text is %q, want one line with the place of the panic", text)
			}
		})
	}
}

//go:noinline
func whereItReadsNil(p *int) int { return *p }
