//go:build unix || windows

package reactor_test

import (
	"bytes"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

//go:noinline
func whereItPanics() { panic(errMine) }

// Wherever a callback panics, it is reported with its own stack, and what comes after it runs.
func TestAPanicIsCaughtEverywhere(t *testing.T) {
	a, b := pair(t)
	tests := []struct {
		op  string
		arm func(l *reactor.Loop, fn func())
	}{
		{"callback", func(l *reactor.Loop, fn func()) { l.CallSoon(fn) }},
		{"timer", func(l *reactor.Loop, fn func()) { l.CallLater(0, fn) }},
		{"flush", func(l *reactor.Loop, fn func()) { core(l).At(loop.BatchEnd, run(fn)) }},
		{"end of turn", func(l *reactor.Loop, fn func()) { core(l).At(loop.TurnEnd, run(fn)) }},
		{"before poll", func(l *reactor.Loop, fn func()) {
			var remove func()
			remove = beforePoll(l, func() { remove(); fn() })
		}},
	}
	for _, tt := range tests {
		t.Run(tt.op, func(t *testing.T) {
			var x testkit.Exceptions
			l := testkit.NewLoop(t, x.Option())
			after := 0
			l.CallSoon(func() {
				for range 3 {
					tt.arm(l, whereItPanics)
					tt.arm(l, func() { after++ })
				}
			})
			testkit.Turns(t, l, 3)
			check(t, &x, tt.op, 3)
			if after != 3 {
				t.Errorf("%d of 3 others ran, want 3", after)
			}
		})
	}
	t.Run("ready", func(t *testing.T) {
		var x testkit.Exceptions
		l := testkit.NewLoop(t, x.Option())
		n := 0
		b.write("x")
		testkit.Check(l.AddReader(a.fd, func() {
			n++
			whereItPanics()
		}))
		testkit.Check(l.AddReader(b.fd, func() {}))
		testkit.Turns(t, l, 3)
		check(t, &x, "ready", n)
		if n < 2 {
			t.Errorf("the reader was called %d times, want at least 2", n)
		}
		l.RemoveReader(a.fd)
		l.RemoveReader(b.fd)
	})
	t.Run("at close", func(t *testing.T) {
		var x testkit.Exceptions
		l := testkit.NewLoop(t, x.Option())
		after := false
		l.AtClose(func() { after = true })
		l.AtClose(whereItPanics)
		l.Close()
		check(t, &x, "at close", 1)
		if !after {
			t.Error("the other AtClose function was not called, want it called")
		}
	})
	t.Run("close", func(t *testing.T) {
		var x testkit.Exceptions
		l := testkit.NewLoop(t, x.Option())
		after := false
		core(l).Local(1, func() any { return closer(func() error { after = true; return nil }) })
		core(l).Local(2, func() any { return closer(func() error { whereItPanics(); return nil }) })
		l.Close()
		check(t, &x, "close", 1)
		if !after {
			t.Error("the other local was not closed, want it closed")
		}
	})
}

func check(t *testing.T, x *testkit.Exceptions, op string, n int) {
	t.Helper()
	if ops := x.Ops(); !slices.Equal(ops, slices.Repeat([]string{op}, n)) {
		t.Errorf("reported %v, want %d times %s", ops, n, op)
	}
	for _, e := range x.All() {
		var p *reactor.PanicError
		if !errors.As(e.Err, &p) || !errors.Is(e.Err, errMine) || !strings.Contains(string(p.Stack), "whereItPanics") {
			t.Errorf("the error is %v, want a *PanicError of %v with the stack", e.Err, errMine)
		}
	}
}

type closer func() error

func (c closer) Close() error { return c() }

func TestAHandlerThatPanicsIsLogged(t *testing.T) {
	var log bytes.Buffer
	l := testkit.NewLoop(t, reactor.WithLogger(slog.New(slog.NewTextHandler(&log, nil))),
		reactor.WithExceptionHandler(func(*reactor.Loop, reactor.Exception) { panic("handler") }))
	after := false
	l.CallSoon(whereItPanics)
	l.CallSoon(func() { after = true })
	testkit.Turns(t, l, 1)
	if !after || !strings.Contains(log.String(), `op="exception handler"`) {
		t.Errorf("the rest ran %v, logged: %s; want true, and the handler's own panic", after, &log)
	}
}

func TestExceptionsAreLoggedByDefault(t *testing.T) {
	var log bytes.Buffer
	testkit.Guard(t)
	l := testkit.Must(reactor.New(reactor.WithLogger(slog.New(slog.NewTextHandler(&log, nil)))))
	defer l.Close()
	core(l).Report(reactor.Exception{Op: "test", Name: "somebody", Err: errMine})
	for _, want := range []string{"level=ERROR", "op=test", "task=somebody", "error=mine"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is missing in %s", want, &log)
		}
	}
}

func TestATaskThatPanicsIsToldSo(t *testing.T) {
	l := testkit.NewLoop(t)
	j := start(l, whereItPanics)
	testkit.Turns(t, l, 1)
	var p *coro.PanicError
	if !errors.As(j.err, &p) || !errors.Is(j.err, errMine) {
		t.Errorf("the job failed with %v, want a *coro.PanicError of %v", j.err, errMine)
	}
}
