package coro_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
)

//go:noinline
func waitHere(t *testing.T, ctx context.Context, wait func()) { wait() }

type awaited string

func (a awaited) String() string { return string(a) }

// A coroutine that is asked for its stack tells it from each place where it can be suspended, on
// an ordinary thread and on a locked one, however often it is asked, and hears nothing of it.
func TestTheStackOfASuspendedCoroutine(t *testing.T) {
	for name, wait := range map[string]func(t *testing.T, ctx context.Context){
		"Wait": func(t *testing.T, ctx context.Context) {
			w := here(t, ctx)
			if err := w.Wait(ctx, awaited("x")); err != nil {
				t.Error(err)
			}
			w.Release()
		},
		"Begin, Suspend, End": func(t *testing.T, ctx context.Context) {
			w := here(t, ctx)
			w.Begin(ctx, awaited("x")).Suspend()
			if err := w.End(ctx); err != nil {
				t.Error(err)
			}
			w.Release()
		},
		"Yield":        func(_ *testing.T, ctx context.Context) { coro.Yield(ctx, "test") },
		"Coro's Yield": func(_ *testing.T, ctx context.Context) { coro.Current().Yield() },
	} {
		for _, locked := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				if locked {
					runtime.LockOSThread()
					defer runtime.UnlockOSThread()
				}
				l := newLoop(t)
				defer l.pool.Drain() // while the thread is locked
				l.start(func() {})   // the coroutine that is reused
				for range 3 {
					var c *coro.Coro
					goneOn := 0
					l.start(func() {
						c = coro.Current()
						waitHere(t, context.Background(), func() { wait(t, context.Background()); goneOn++ })
					})
					before := l.pool.Steps()
					first := string(c.Stack())
					again := string(c.Stack())
					var other string
					l.start(func() { other = string(c.Stack()) })
					if goneOn != 0 || l.pool.Steps() != before+1 {
						t.Fatalf("Stack let the coroutine go on (%d times; %d steps), want it to stay suspended", goneOn, l.pool.Steps()-before)
					}
					if !strings.Contains(first, "coro_test.waitHere(") || !strings.Contains(first, " [coroutine") {
						t.Errorf("the stack is %s, want one of a coroutine, in waitHere", first)
					}
					if top := strings.Split(first, "\n")[1]; strings.Contains(top, "debug.Stack(") || strings.Contains(top, "resumed(") || strings.Contains(top, ").End(") {
						t.Errorf("the stack begins with %s, want the frame that suspended", top)
					}
					if again != first || other != first {
						t.Errorf("asked again: %s\nby a coroutine: %s\nwant both as the first time: %s", again, other, first)
					}
					l.end(c, &goneOn)
				}
			})
		}
	}
}

// end ends the wait of c, or its Yield.
func (l *loop) end(c *coro.Coro, goneOn *int) {
	if c.Waiting() {
		w := c.Waiter()
		w.Claim()
		if c.Waiting() {
			l.t.Error("after the claim Waiting() = true, want false: it has come")
		}
		w.Wake()
	}
	l.settle()
	if *goneOn != 1 {
		l.t.Errorf("it went on %d times, want 1", *goneOn)
	}
}

// While another goroutine ends the wait, nothing is lost.
func TestTheStackIsToldWhileTheWaitEnds(t *testing.T) {
	l := newLoop(t)
	for range 200 {
		var c *coro.Coro
		over := false
		l.start(func() {
			w := here(t, context.Background())
			c = w.Coro()
			w.Wait(context.Background(), awaited("x"))
			w.Release()
			over = true
		})
		go func() {
			if w := c.Waiter(); w.Claim() {
				w.Wake()
			}
		}()
		for range 3 {
			if !strings.Contains(string(c.Stack()), "TestTheStackIsTold") {
				t.Fatalf("the stack is not its own, want one in this test:\n%s", c.Stack())
			}
		}
		l.until(func() bool { return over })
	}
}

// An interrupted coroutine, which waits for the first step of what it has started, tells its stack
// too.
func TestTheStackOfAnInterruptedCoroutine(t *testing.T) {
	l := newLoop(t)
	var order []string
	l.start(func() {
		c := coro.Current()
		waitHere(t, context.Background(), func() {
			c.Before(&job{do: func() {
				if !strings.Contains(string(c.Stack()), "coro_test.waitHere(") {
					t.Errorf("the stack is not its own, want one in waitHere:\n%s", c.Stack())
				}
				order = append(order, "first step")
			}})
		})
		order = append(order, "started")
	})
	l.settle()
	if !slices.Equal(order, []string{"first step", "started"}) {
		t.Errorf("the order is %v, want %v", order, []string{"first step", "started"})
	}
}

// The next job of a coroutine is another tenant.
func TestATenantIsACoroutineInOneJob(t *testing.T) {
	l := newLoop(t)
	var other coro.Pool
	var first, second coro.Tenant
	l.start(func() {
		first = coro.Current().Tenant()
		if first.Job(&l.pool) == nil || first.Job(&other) != nil {
			t.Errorf("Job = %v of its pool and %v of another, want a job and nil", first.Job(&l.pool), first.Job(&other))
		}
	})
	l.settle()
	l.start(func() {
		second = coro.Current().Tenant()
		if first.Job(&l.pool) != nil || second.Job(&l.pool) == nil {
			t.Errorf("in the second job: Job = %v of the first tenant and %v of the second, want nil and a job", first.Job(&l.pool), second.Job(&l.pool))
		}
	})
	l.settle()
	if second.Job(&l.pool) != nil || (*coro.Coro)(nil).Tenant().Job(&l.pool) != nil {
		t.Error("Job of a tenant that has ended, or of no coroutine, is not nil; want nil of both")
	}
}
