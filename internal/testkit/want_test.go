package testkit

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

var errTest = errors.New("test error")

func panicker(v any) func() { return func() { panic(v) } }

func TestPanicsComparesTheText(t *testing.T) {
	for _, c := range []struct {
		want string
		f    func()
	}{
		{"task: no", panicker("task: no")},
		{"test error", panicker(errTest)},
		{"task: …", panicker("task: no")},
		{"…", panicker(1)},
	} {
		passes(t, func(t testing.TB) { Panics(t, c.want, c.f) })
	}
	fails(t, func(t testing.TB) { Panics(t, "task: no", func() {}) }, `no panic, want "task: no"`)
	fails(t, func(t testing.TB) { Panics(t, "task", panicker("task: no")) }, "got task: no", "want task")
	fails(t, func(t testing.TB) { Panics(t, "task: …", panicker("future: no")) }, "got future: no", "want task: …")
}

func TestPanicOf(t *testing.T) {
	if v := PanicOf(panicker(errTest)); v != errTest {
		t.Errorf("PanicOf is %v, want %v", v, errTest)
	}
	if v := PanicOf(func() {}); v != nil {
		t.Errorf("PanicOf is %v, want nil", v)
	}
}

func TestMustPanicsWithAnError(t *testing.T) {
	if v := Must(1, nil); v != 1 {
		t.Errorf("Must is %d, want 1", v)
	}
	Panics(t, "testkit: the preparation of a test failed: test error", func() { Must(1, errTest) })
	Panics(t, "testkit: the preparation of a test failed: test error", func() { Check(errTest) })
	Check(nil)
	Panics(t, "testkit: the preparation of a test failed: …", func() { OK(syscall.EINVAL) })
	OK(0)
}

func TestErrorIsWantsEach(t *testing.T) {
	both := fmt.Errorf("%w, %w", errTest, context.Canceled)
	passes(t, func(t testing.TB) { ErrorIs(t, both, errTest, context.Canceled) })
	passes(t, func(t testing.TB) { ErrorIs(t, nil, nil) })
	fails(t, func(t testing.TB) { ErrorIs(t, errTest, errTest, context.Canceled) }, "test error", "context canceled")
	fails(t, func(t testing.TB) { ErrorIs(t, errTest, nil) }, "test error", "nil")
	fails(t, func(t testing.TB) { ErrorIs(t, nil, errTest) }, "nil", "test error")
}

func TestEventually(t *testing.T) {
	fails(t, func(t testing.TB) {
		eventually(t, time.Millisecond, "the end of time", func() bool { return false })
	}, "want within 1ms: the end of time", "goroutine ")
	l := StartLoop(t)
	n := 0
	passes(t, func(t testing.TB) {
		l.CallLater(time.Millisecond, func() { n++ })
		Eventually(t, "a call", func() (called bool) {
			OnLoop(t, l, func() { called = n == 1 })
			return called
		})
		InTask(t, l, func(context.Context) { // the loop goes on
			l.CallLater(time.Millisecond, func() { n++ })
			Eventually(t, "one more", func() bool { return n == 2 })
		})
	})
}

func TestExceptionsAreCollected(t *testing.T) {
	var x Exceptions
	passes(t, func(t testing.TB) {
		l := StartLoop(t, x.Option())
		for range 2 {
			l.CallSoon(panicker("boom"))
		}
		OnLoop(t, l, func() {})
	})
	if ops := x.Ops(); len(ops) != 2 || ops[0] != x.All()[0].Op {
		t.Errorf("collected: %q, want the operations of two exceptions", ops)
	}
	if n, left := len(x.Take()), len(x.All()); n != 2 || left != 0 {
		t.Errorf("Take: %d, and %d left; want 2 and 0", n, left)
	}
}

func TestALoopFailsItsTest(t *testing.T) {
	for name, start := range map[string]func(t testing.TB) *reactor.Loop{
		"StartLoop":  func(t testing.TB) *reactor.Loop { return StartLoop(t) },
		"StartGroup": func(t testing.TB) *reactor.Loop { return StartGroup(t, 2).Loops()[1] },
	} {
		t.Run(name, func(t *testing.T) {
			var l *reactor.Loop
			passes(t, func(t testing.TB) {
				l = start(t)
				OnLoop(t, l, func() {})
			})
			fails(t, func(t testing.TB) {
				OnLoop(t, l, func() {})
			}, "closed", "want a call on the loop")
			fails(t, func(t testing.TB) {
				l := start(t)
				l.CallSoon(panicker("boom"))
				OnLoop(t, l, func() {})
			}, "boom", "want no exception")
		})
	}
}

func TestWhereAFunctionRuns(t *testing.T) {
	l := StartLoop(t)
	ran := 0
	OnLoop(t, l, func() {
		if ran++; !l.InLoop() {
			t.Error("OnLoop runs it elsewhere, want on the loop")
		}
	})
	InTask(t, l, func(ctx context.Context) {
		if of, ok := reactor.FromContext(ctx); !ok || of != l {
			t.Error("InTask gives a context of another loop, want the loop's")
		}
		ran++
	})
	Run(t, func(ctx context.Context) error { ran++; return nil })
	if ran != 3 {
		t.Errorf("%d functions ran, want 3", ran)
	}
	fails(t, func(t testing.TB) { Run(t, func(context.Context) error { return errTest }) }, "Run: test error, want nil")
	fails(t, func(t testing.TB) { InTask(t, l, func(context.Context) { panic("boom") }) }, "boom", "want nil")
}

func TestTurns(t *testing.T) {
	l := NewLoop(t, NoFaults)
	n := 0
	l.CallSoon(func() { n = 10; l.CallSoon(func() { n = 20 }) })
	if Turns(t, l, 1); n != 10 {
		t.Errorf("after a turn: %d, want 10", n)
	}
	l.Close()
	fails(t, func(t testing.TB) { Turns(t, l, 2) }, "turn 1 of 2:", "want nil")
}
