package coro_test

import (
	"context"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
)

// before has the calling job wait until do has made its first step.
func (l *loop) before(do func()) *job {
	j := &job{do: do}
	l.pool.Running().Before(j)
	return j
}

func TestBeforeRunsTheFirstStepAndThenWhoAsked(t *testing.T) {
	l := newLoop(t)
	var got []string
	say := func(s string) { got = append(got, s) }
	for _, name := range []string{"a", "b"} {
		l.start(func() {
			l.pool.Running().Yield()
			say(name)
			l.before(func() {
				say(name + "1")
				l.before(func() {
					say(name + "2")
					l.pool.Running().Yield()
					say(name + "5")
				})
				say(name + "3")
				l.pool.Running().Yield()
				say(name + "6")
			})
			say(name + "4")
		})
	}
	l.settle()
	if want := strings.Fields("a a1 a2 a3 a4 b b1 b2 b3 b4 a5 a6 b5 b6"); !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func TestAPanicOrGoexitInWhatRunsFirstIsNotTheStarters(t *testing.T) {
	for name, do := range map[string]func(){"panic": func() { panic("x") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			var first *job
			starter := l.start(func() { first = l.before(do) })
			l.settle()
			if !starter.ended || starter.failed != nil || first.failed == nil {
				t.Errorf("the starter: ended %v, %v; what ran first: %v; want true, nil and an error", starter.ended, starter.failed, first.failed)
			}
			l.pool.Reap()
			l.pool.WaitReaped()
		})
	}
}

// A recursion would need a frame of the loop's goroutine for each.
func TestDeepBeforesDoNotDeepenTheLoop(t *testing.T) {
	l := newLoop(t)
	const depth = 10_000
	deepest, resumes := 0, l.pool.Steps()
	var down func()
	down = func() {
		if deepest++; deepest < depth {
			l.before(down)
		}
	}
	j := l.start(down)
	if deepest != depth || !j.ended || l.pool.Live() != 0 {
		t.Errorf("%d deep; ended %v; %d live; want %d, true and 0", deepest, j.ended, l.pool.Live(), depth)
	}
	if n := l.pool.Steps() - resumes; n != 2*depth-1 {
		t.Errorf("%d resumes, want %d", n, 2*depth-1)
	}
}

func TestWhatRunsFirstSharesTheBudget(t *testing.T) {
	l := newLoop(t)
	ctx := carrier{context.Background(), &l.pool}
	yielded := 0
	l.start(func() {
		for range 3 {
			l.before(func() {
				for range 60 {
					coro.Spend(ctx)
				}
				yielded++
			})
		}
	})
	if yielded != 2 {
		t.Errorf("%d of three that make 60 operations each ended within a budget of 128, want 2", yielded)
	}
	l.settle()
	if yielded != 3 {
		t.Errorf("after the budget was renewed %d of three have ended, want 3", yielded)
	}
}
