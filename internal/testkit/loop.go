package testkit

import (
	"context"
	"testing"

	"github.com/corobridge/corobridge/internal/world/worldtest"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// NoFaults keeps what the environment asks for away from a loop whose turns or system calls are
// counted. AsEnvironment takes that back.
var (
	NoFaults      = reactor.WithWorld(worldtest.NoFaults)
	AsEnvironment = reactor.WithWorld(worldtest.WithFaults(nil))
)

// failOn makes each exception of a loop fail the test.
func failOn(t testing.TB) reactor.Option {
	return reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {
		t.Errorf("the loop reports %v, want no exception", e)
	})
}

// NewLoop calls Guard and makes a loop that nobody runs yet. It is closed at the end of the test.
// The test fails if Close does, or if there is an exception and opts have no other handler. The
// loop has NoFaults, since its turns are mostly counted, unless opts have AsEnvironment.
func NewLoop(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	Guard(t)
	l, err := reactor.New(append([]reactor.Option{failOn(t), NoFaults}, opts...)...)
	if err != nil {
		t.Fatalf("reactor.New: %v, want a loop", err)
	}
	t.Cleanup(func() { closed(t, "the loop", l.Close()) })
	return l
}

// StartLoop is NewLoop, with the loop running on a goroutine of its own, and with the faults that
// the environment asks for.
func StartLoop(t testing.TB, opts ...reactor.Option) *reactor.Loop {
	t.Helper()
	l := NewLoop(t, append([]reactor.Option{AsEnvironment}, opts...)...)
	if err := l.Start(); err != nil {
		t.Fatalf("Start: %v, want a loop that runs", err)
	}
	return l
}

// NewGroup is NewLoop for n loops.
func NewGroup(t testing.TB, n int, opts ...reactor.Option) *reactor.LoopGroup {
	t.Helper()
	Guard(t)
	g, err := reactor.NewGroup(n, append([]reactor.Option{failOn(t)}, opts...)...)
	if err != nil {
		t.Fatalf("reactor.NewGroup(%d): %v, want a group", n, err)
	}
	t.Cleanup(func() { closed(t, "the group", g.Close()) })
	return g
}

// StartGroup is NewGroup, with the loops running on goroutines of their own.
func StartGroup(t testing.TB, n int, opts ...reactor.Option) *reactor.LoopGroup {
	t.Helper()
	g := NewGroup(t, n, opts...)
	if err := g.Start(); err != nil {
		t.Fatalf("Start: %v, want loops that run", err)
	}
	return g
}

func closed(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("Close of %s: %v, want nil", what, err)
	}
}

// OnLoop runs fn in a callback of a running loop, and waits for its end.
func OnLoop(t testing.TB, l *reactor.Loop, fn func()) {
	t.Helper()
	done := make(chan struct{})
	if err := l.CallSoon(func() { defer close(done); fn() }); err != nil {
		t.Fatalf("CallSoon: %v, want a call on the loop", err)
	}
	<-done
}

// InTask runs fn in a task of a running loop, and waits for its end.
func InTask(t testing.TB, l *reactor.Loop, fn func(ctx context.Context)) {
	t.Helper()
	_, err := task.Spawn(l.Context(), func(ctx context.Context) error { fn(ctx); return nil }).Await(context.Background())
	if err != nil {
		t.Errorf("the task has ended with %v, want nil", err)
	}
}

// Run runs fn in the first task of a loop of its own, without signals, and fails the test if there
// is an error.
func Run(t testing.TB, fn func(ctx context.Context) error, opts ...reactor.Option) {
	t.Helper()
	Watch(t)
	if err := task.Run(context.Background(), fn, task.WithSignals(), task.WithLoopOptions(opts...)); err != nil {
		t.Fatalf("Run: %v, want nil", err)
	}
}

// Turns runs n turns of a loop that nobody runs.
func Turns(t testing.TB, l *reactor.Loop, n int) {
	t.Helper()
	for i := range n {
		if err := l.Turn(0); err != nil {
			t.Fatalf("turn %d of %d: %v, want nil", i+1, n, err)
		}
	}
}
