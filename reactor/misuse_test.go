//go:build unix || windows

package reactor_test

import (
	"context"
	"testing"
	"time"

	"github.com/corobridge/corobridge/future"
	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// What is given nothing to do says so where it is called: later nobody would know by whom.
func TestNothingToRunPanicsWhereItIsGiven(t *testing.T) {
	calls := map[string]struct {
		call func(l *reactor.Loop)
		want string
	}{
		"CallSoon":      {func(l *reactor.Loop) { l.CallSoon(nil) }, "reactor: CallSoon needs a function"},
		"CallLater":     {func(l *reactor.Loop) { l.CallLater(0, nil) }, "reactor: CallLater, CallAt and Every need a function"},
		"CallAt":        {func(l *reactor.Loop) { l.CallAt(time.Now(), nil) }, "reactor: CallLater, CallAt and Every need a function"},
		"Every":         {func(l *reactor.Loop) { l.Every(1, nil) }, "reactor: CallLater, CallAt and Every need a function"},
		"AtClose":       {func(l *reactor.Loop) { l.AtClose(nil) }, "reactor: AtClose needs a function"},
		"Offload":       {func(l *reactor.Loop) { l.Offload(nil, func() {}) }, "reactor: Offload needs a function that does the work"},
		"AddSignal":     {func(l *reactor.Loop) { l.AddSignal(nil, nil) }, "reactor: AddSignal and NextSignal need a function"},
		"AddReader":     {func(l *reactor.Loop) { l.AddReader(0, nil) }, "reactor: AddReader and AddWriter need a function"},
		"Deadline.Init": {func(l *reactor.Loop) { new(reactor.Deadline).Init(l, nil) }, "reactor: Init of a Deadline needs a loop, and something to run"},
		"WithLoop":      {func(*reactor.Loop) { reactor.WithLoop(context.Background(), nil) }, "reactor: WithLoop with nil; give the loop that the context is to carry"},
		"Post":          {func(l *reactor.Loop) { core(l).Post(nil) }, "loop: Post(nil); give something to run"},
		"PostLater":     {func(l *reactor.Loop) { core(l).PostLater(0, nil) }, "loop: PostLater or PostAt of nil; give something to run"},
		"At":            {func(l *reactor.Loop) { core(l).At(0, nil) }, "loop: At with nil; give something to run"},
	}
	for name, tt := range calls {
		t.Run(name, func(t *testing.T) {
			l := testkit.StartLoop(t)
			testkit.Panics(t, tt.want, func() { tt.call(l) })
			testkit.OnLoop(t, l, func() { testkit.Panics(t, tt.want, func() { tt.call(l) }) })
			testkit.Check(l.Close())
			testkit.Panics(t, tt.want, func() { tt.call(l) })
		})
	}
}

func TestTheZeroLoopPanics(t *testing.T) {
	const want = "reactor: the zero Loop was used; make the loop with reactor.New"
	for name, call := range map[string]func(l *reactor.Loop){
		"CallSoon": func(l *reactor.Loop) { l.CallSoon(func() {}) },
		"Run":      func(l *reactor.Loop) { l.Run(context.Background()) },
		"Start":    func(l *reactor.Loop) { l.Start() },
		"Turn":     func(l *reactor.Loop) { l.Turn(0) },
		"Close":    func(l *reactor.Loop) { l.Close() },
		"Offload":  func(l *reactor.Loop) { l.Offload(func() {}, nil) },
	} {
		t.Run(name, func(t *testing.T) { testkit.Panics(t, want, func() { call(&reactor.Loop{}) }) })
	}
}

func TestTheZeroLoopGroupPanics(t *testing.T) {
	const want = "reactor: the zero LoopGroup was used; make the group with reactor.NewGroup"
	testkit.Panics(t, want, func() { new(reactor.LoopGroup).Run(context.Background()) })
	testkit.Panics(t, want, func() { new(reactor.LoopGroup).Start() })
}

// A callback that runs Inline in a plain goroutine may run a loop there. What comes after that is
// made by the same goroutine, one after another.
func TestInlineCallbacksDoNotNestAfterALoopHasRunInOne(t *testing.T) {
	runs := map[string]func(l *reactor.Loop){
		"Run":   func(l *reactor.Loop) { l.Stop(); l.Run(context.Background()) },
		"Turn":  func(l *reactor.Loop) { l.Turn(0) },
		"Close": func(l *reactor.Loop) { l.Close() },
	}
	for name, run := range runs {
		t.Run(name, func(t *testing.T) {
			l := testkit.NewLoop(t)
			depth, deepest, made := 0, 0, 0
			// enter notes how deep the calls are.
			enter := func() (leave func()) {
				depth++
				made++
				deepest = max(deepest, depth)
				return func() { depth-- }
			}
			first, p := future.New[int]()
			first.OnDone(future.Inline, func(int, error) {
				defer enter()()
				run(l)
				for range 3 {
					later, q := future.New[int]()
					later.OnDone(future.Inline, func(int, error) { defer enter()() })
					q.Resolve(1)
				}
			})
			p.Resolve(1)
			if deepest != 1 || made != 4 {
				t.Errorf("%d calls, up to %d inside each other; want 4, one after another", made, deepest)
			}
			if coro.CurrentPool() != nil {
				t.Error("the goroutine still counts as the loop's, want a plain one")
			}
		})
	}
}
