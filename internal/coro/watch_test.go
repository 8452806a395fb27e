package coro_test

import (
	"context"
	"errors"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
)

func TestTwoContextsStayWatched(t *testing.T) {
	tests := []struct {
		name  string
		waits string // with which context each wait is
		want  string // how many watch each of a, b, c, d after that
	}{
		{"one", "a", "1000"},
		{"one many times", "aaaa", "1000"},
		{"two", "ababab", "1100"},
		{"a third evicts the older", "abc", "0110"},
		{"the older is who waited longest ago", "abac", "1010"},
		{"many", "abcdabcd", "0011"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := newLoop(t)
			var watchers [4]int
			var contexts [4]context.Context
			for i := range contexts {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				contexts[i] = counted{ctx, &watchers[i], nil} // comparing two of them would panic
			}
			var w *coro.Waiter
			var at string
			l.start(func() {
				for _, name := range tt.waits {
					ctx := contexts[name-'a']
					w = here(t, ctx)
					w.Wait(ctx, nil)
					w.Release()
				}
				for _, n := range watchers {
					at += string(rune('0' + n))
				}
			})
			for at == "" {
				w.Claim()
				w.Wake()
				l.settle()
			}
			if at != tt.want {
				t.Errorf("watched by %s, want %s", at, tt.want)
			}
			if watchers != [4]int{} {
				t.Errorf("after the job: %v, want %v", watchers, [4]int{})
			}
		})
	}
}

func TestAContextThatEndsEndsTheWait(t *testing.T) {
	contexts := map[string]func(ctx context.Context) context.Context{
		"as it is":     func(ctx context.Context) context.Context { return ctx },
		"behind value": func(ctx context.Context) context.Context { return context.WithValue(ctx, anyKey{}, 1) },
		"uncomparable": func(ctx context.Context) context.Context { return uncomparable{ctx, nil} },
		"custom":       func(ctx context.Context) context.Context { return struct{ context.Context }{ctx} },
	}
	for name, wrap := range contexts {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			mine := errors.New("mine")
			parent, cancel := context.WithCancelCause(context.Background())
			ctx := wrap(parent)
			var got error
			j := l.start(func() {
				for range 3 { // the second time it is watched already
					w := here(t, ctx)
					l.Post(completer{w})
					if err := w.Wait(ctx, nil); err != nil {
						t.Error(err)
					}
					w.Release()
				}
				w := here(t, ctx)
				got = w.Wait(ctx, nil)
				w.Release()
			})
			l.settle()
			cancel(mine)
			l.until(func() bool { return j.ended })
			if !errors.Is(got, context.Canceled) || name != "custom" && !errors.Is(got, mine) {
				t.Errorf("Wait = %v, want %v, and of all but a custom context %v", got, context.Canceled, mine)
			}
		})
	}
}

type anyKey struct{}

type uncomparable struct {
	context.Context
	_ []int
}

type completer struct{ w *coro.Waiter }

func (c completer) Run() {
	if c.w.Claim() {
		c.w.Wake()
	}
}

func TestACoveredContextIsNotWatched(t *testing.T) {
	l := newLoop(t)
	watchers := 0
	parent, cancel := context.WithCancel(context.Background())
	ctx := counted{parent, &watchers, nil}
	var c *coro.Coro
	var got error
	l.pool.Take(&job{
		do: func() {
			w := here(t, ctx)
			c = w.Coro()
			got = w.Wait(ctx, nil)
			w.Release()
		},
		covers: func(context.Context) bool { return true },
	}).Run()
	if watchers != 0 || c.Watched() != 0 {
		t.Errorf("a covered context has %d watchers, the coroutine watches %d; want 0 and 0", watchers, c.Watched())
	}
	c.Recheck() // a call too many
	l.settle()
	cancel()
	l.settle()
	if got != nil {
		t.Errorf("the wait ended with %v, want it to go on: nobody rechecks", got)
	}
	c.Recheck()
	c.Recheck()
	l.settle()
	if !errors.Is(got, context.Canceled) {
		t.Errorf("Wait: %v, want %v", got, context.Canceled)
	}
	c.Recheck()
}

// The poke of a context that ended may come when the coroutine is in a later wait, or in a later
// job.
func TestALatePokeIsHarmless(t *testing.T) {
	l := newLoop(t)
	ctx, cancel := context.WithCancel(context.Background())
	var w *coro.Waiter
	first := l.start(func() {
		w = here(t, ctx)
		w.Wait(ctx, nil)
		w.Release()
	})
	c := w.Coro()
	w.Claim()
	cancel()
	w.Wake()
	l.until(func() bool { return first.ended })
	var got error
	second := l.start(func() {
		if coro.Current() != c {
			t.Error("the second job runs on another coroutine, want the first one's")
		}
		w = here(t, context.Background())
		got = w.Wait(context.Background(), nil)
		w.Release()
	})
	l.settle()
	c.Recheck()
	l.settle()
	if second.ended {
		t.Fatal("a poke of an earlier job ended the wait, want it to go on")
	}
	w.Claim()
	w.Wake()
	l.settle()
	if !second.ended || got != nil {
		t.Errorf("ended %v, Wait = %v; want true, nil", second.ended, got)
	}
}
