package exampletest

import (
	"context"
	"testing"
	"time"

	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/reactor"
)

// Classic is a handler whose loop does not run yet.
type Classic interface {
	Map() *asyncore.Map
	Context() context.Context
}

// Loop runs the classic loop of h's map until the test ends. Then it closes every handler, and
// asyncore.Loop must return nil.
func Loop(t *testing.T, h Classic, opts ...asyncore.LoopOption) *reactor.Loop {
	t.Helper()
	loop, ok := reactor.FromContext(h.Context())
	if !ok {
		t.Fatal("the handler has no loop, want one")
	}
	m, ended := h.Map(), make(chan error, 1)
	go func() { ended <- asyncore.Loop(m, opts...) }()
	t.Cleanup(func() {
		loop.CallSoon(func() { CloseAll(m) })
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Loop = %v, want nil", err)
			}
		case <-time.After(patience):
			t.Error("Loop goes on, want its end when the last handler has gone")
		}
	})
	return loop
}

// CloseAll closes every handler, on the loop.
func CloseAll(m *asyncore.Map) {
	for h := range m.Handlers() {
		h.Classic().CloseHandler()
	}
}

// Ask runs fn on a loop and returns its result.
func Ask[T any](t *testing.T, loop *reactor.Loop, fn func() T) T {
	t.Helper()
	answer := make(chan T, 1)
	if err := loop.CallSoon(func() { answer <- fn() }); err != nil {
		t.Fatal(err)
	}
	return <-answer
}

// Eventually waits until holds, which is called on the loop, returns true.
func Eventually(t *testing.T, loop *reactor.Loop, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !Ask(t, loop, holds); {
		if time.Now().After(end) {
			t.Fatalf("not so after %v, want: %s", patience, what)
		}
	}
}
