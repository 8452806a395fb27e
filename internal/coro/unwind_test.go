package coro_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
)

// endsAs checks that err is what a job ends with that unwinds as u.
func endsAs(t *testing.T, u testkit.Unwinding, err error) {
	t.Helper()
	var p *coro.PanicError
	switch errors.As(err, &p); {
	case u.Panic != nil && (p == nil || p.Value != u.Panic):
		t.Errorf("%s: the error is %v, want a panic with %v", u.Name, err, u.Panic)
	case u.Panic == nil && u.Goexit && err != coro.ErrGoexit:
		t.Errorf("%s: the error is %v, want %v", u.Name, err, coro.ErrGoexit)
	case u.Panic == nil && !u.Goexit && err != nil:
		t.Errorf("%s: the error is %v, want nil", u.Name, err)
	}
}

// goexitsOf is how often the loop is told of a Goexit.
func goexitsOf(u testkit.Unwinding) int {
	if u.Goexit {
		return 1
	}
	return 0
}

// A deferred call may panic while a Goexit unwinds the stack. The Goexit goes on when that panic is
// recovered, and is not the loop's.
func TestAJobThatUnwindsAnyWayLeavesTheLoopAlone(t *testing.T) {
	unwind := func(l *loop, u testkit.Unwinding) func() {
		return func() { u.Run(func() { l.pool.Running().Yield() }) }
	}
	for name, start := range map[string]func(l *loop, do func()) *job{
		"started": func(l *loop, do func()) *job { return l.start(do) },
		"before another": func(l *loop, do func()) (j *job) {
			starter := l.start(func() { j = l.before(do) })
			if !starter.ended || starter.failed != nil {
				t.Errorf("the starter has ended: %v, with %v; want an end without error", starter.ended, starter.failed)
			}
			return j
		},
	} {
		for _, u := range testkit.Unwindings() {
			t.Run(name+"/"+u.Name, func(t *testing.T) {
				l := newLoop(t)
				j := start(l, unwind(l, u))
				l.settle()
				if !j.ended || l.goexits != goexitsOf(u) {
					t.Errorf("ended: %v, %d Goexits; want an end and %d", j.ended, l.goexits, goexitsOf(u))
				}
				endsAs(t, u, j.failed)
			})
		}
	}
}

// The end of a failed job is told to others, whose functions may fail as well.
func TestAnEndThatUnwindsAnyWayIsFollowedByAnother(t *testing.T) {
	for first, end := range map[string]func(){"panic": func() { panic("first") }, "Goexit": runtime.Goexit} {
		for _, u := range testkit.Unwindings() {
			t.Run(first+"/"+u.Name, func(t *testing.T) {
				l := newLoop(t)
				var told []error
				j := &job{do: end}
				j.onFail = func(err error) {
					if told = append(told, err); len(told) == 1 {
						u.Run(func() { l.pool.Running().Yield() })
					}
				}
				l.pool.Take(j).Run()
				l.settle()
				want := 1
				if u.Panic != nil || u.Goexit {
					want = 2
					endsAs(t, u, told[len(told)-1])
				}
				if len(told) != want {
					t.Errorf("%d calls of Failed, want %d: %v", len(told), want, told)
				}
				if goexit := u.Goexit || first == "Goexit"; goexit != (l.goexits == 1) {
					t.Errorf("%d Goexits, want one: %v", l.goexits, goexit)
				}
			})
		}
	}
}

func TestAJobWhoseEndNeverReturnsIsGivenUp(t *testing.T) {
	for name, end := range map[string]func(){"panic": func() { panic("again") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			calls := 0
			l.pool.Take(&job{do: end, onFail: func(error) { calls++; end() }}).Run()
			if calls < 2 || calls > 100 {
				t.Errorf("%d calls of Failed, want a few", calls)
			}
		})
	}
}

// GODEBUG=panicnil=1 makes a panic that recover does not show.
func TestAPanicWithNilIsNoGoexit(t *testing.T) {
	for _, setting := range []string{"panicnil=0", "panicnil=1"} {
		t.Run(setting, func(t *testing.T) {
			t.Setenv("GODEBUG", setting)
			l := newLoop(t)
			j := l.start(func() { panic(nil) })
			var p *coro.PanicError
			if !errors.As(j.failed, &p) || l.goexits != 0 {
				t.Fatalf("it has failed with %v, %d Goexits; want a panic", j.failed, l.goexits)
			}
			if _, ok := p.Value.(*runtime.PanicNilError); !ok {
				t.Errorf("the panic's value is %v, want a PanicNilError", p.Value)
			}
			if !strings.Contains(string(p.Stack), "TestAPanicWithNilIsNoGoexit") {
				t.Errorf("the stack is\n%s\nwant that of the panic", p.Stack)
			}
		})
	}
}
