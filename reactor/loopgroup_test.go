//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

func closeGroup(t testing.TB, g *reactor.LoopGroup) {
	t.Helper()
	if err := g.Close(); err != nil {
		t.Errorf("Close: %v, want nil", err)
	}
}

// meet runs a callback on each loop, and returns when all have been in one at the same time.
func meet(t testing.TB, loops ...*reactor.Loop) {
	t.Helper()
	var all, left sync.WaitGroup
	all.Add(len(loops))
	left.Add(len(loops))
	for _, l := range loops {
		testkit.Check(l.CallSoon(func() {
			defer left.Done()
			if !l.InLoop() {
				t.Error("a callback runs on another loop, want its own")
			}
			all.Done()
			all.Wait()
		}))
	}
	left.Wait()
}

// runGroup runs the group in a goroutine.
func runGroup(ctx context.Context, g *reactor.LoopGroup) (result <-chan error) {
	over := make(chan error, 1)
	go func() { over <- g.Run(ctx) }()
	return over
}

func TestAGroupHasAsManyLoopsAsAskedFor(t *testing.T) {
	for n, want := range map[int]int{1: 1, 3: 3, 0: runtime.GOMAXPROCS(0)} {
		g := testkit.NewGroup(t, n)
		loops := g.Loops()
		if len(loops) != want {
			t.Errorf("%d loops for %d, want %d", len(loops), n, want)
		}
		loops[0] = nil // a copy
		if g.Loops()[0] == nil {
			t.Error("Loops lends the group's own slice, want a copy")
		}
	}
	if v, _ := testkit.PanicOf(func() { reactor.NewGroup(-1) }).(string); !strings.Contains(v, "NewGroup(-1)") {
		t.Errorf("NewGroup of a negative number: panic %q, want one with NewGroup(-1)", v)
	}
}

// pollerless is a world that is out of pollers.
type pollerless struct{ world.World }

func (pollerless) OpenPoller(poll.Kind) (poll.Poller, error) { return nil, errMine }

func TestAGroupThatCannotBeMadeLeavesNothing(t *testing.T) {
	for failing := range 3 {
		testkit.Guard(t)
		made := 0
		g, err := reactor.NewGroup(3, reactor.WithWorld(func(w world.World) world.World {
			if made++; made > failing {
				return pollerless{w}
			}
			return w
		}))
		if g != nil || !errors.Is(err, errMine) || !strings.HasPrefix(err.Error(), "reactor: new group, loop ") {
			t.Errorf("NewGroup = %v, %v; want nil, and %v with the loop's number", g, err, errMine)
		}
	}
}

func TestTheLoopsOfAGroupRunAtTheSameTime(t *testing.T) {
	for _, test := range []struct {
		name string
		run  func(g *reactor.LoopGroup) (wait func())
	}{
		{"Run", func(g *reactor.LoopGroup) func() {
			over := runGroup(context.Background(), g)
			return func() { testkit.Check(<-over) }
		}},
		{"Start", func(g *reactor.LoopGroup) func() { testkit.Check(g.Start()); return func() {} }},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := testkit.NewGroup(t, 4)
			wait := test.run(g)
			meet(t, g.Loops()...)
			g.Stop()
			wait()
		})
	}
}

func TestHowARunOfAGroupEnds(t *testing.T) {
	ended, end := context.WithCancelCause(context.Background())
	end(errMine)
	for _, test := range []struct {
		name string
		ctx  context.Context // nil: one that ends with errMine when end is called
		end  func(g *reactor.LoopGroup, cancel func())
		want error
	}{
		{"Stop", nil, func(g *reactor.LoopGroup, _ func()) { g.Stop() }, nil},
		{"Stop on a loop of it", nil, func(g *reactor.LoopGroup, _ func()) { g.Loops()[1].CallSoon(g.Stop) }, nil},
		{"each by itself", nil, func(g *reactor.LoopGroup, _ func()) {
			for _, l := range g.Loops() {
				l.Stop()
			}
		}, nil},
		{"Close", nil, func(g *reactor.LoopGroup, _ func()) { g.Close() }, reactor.ErrClosed},
		{"Close on a loop of it", nil, func(g *reactor.LoopGroup, _ func()) { g.Loops()[2].CallSoon(func() { testkit.Check(g.Close()) }) }, reactor.ErrClosed},
		{"end of the context", nil, func(_ *reactor.LoopGroup, cancel func()) { cancel() }, errMine},
		{"context that has ended", ended, func(*reactor.LoopGroup, func()) {}, errMine},
		{"end of the context, one being closed", nil, func(g *reactor.LoopGroup, cancel func()) { g.Loops()[0].Close(); cancel() }, errMine},
		{"Stop, one being closed", nil, func(g *reactor.LoopGroup, _ func()) { g.Loops()[0].Close(); g.Stop() }, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := testkit.NewGroup(t, 3)
			ctx, cancel := context.WithCancelCause(context.Background())
			if test.ctx != nil {
				ctx = test.ctx
			}
			over := runGroup(ctx, g)
			if test.ctx == nil {
				meet(t, g.Loops()...)
			}
			test.end(g, func() { cancel(errMine) })
			if err := <-over; !errors.Is(err, test.want) {
				t.Errorf("Run: %v, want %v", err, test.want)
			}
			if test.want == reactor.ErrClosed {
				if err := g.Run(context.Background()); err != reactor.ErrClosed {
					t.Errorf("Run again: %v, want %v", err, reactor.ErrClosed)
				}
				if err := g.Start(); err != reactor.ErrClosed {
					t.Errorf("Start: %v, want %v", err, reactor.ErrClosed)
				}
				return
			}
			// No loop of it runs any more, and no stop is left.
			over = runGroup(context.Background(), g)
			open := slices.DeleteFunc(g.Loops(), func(l *reactor.Loop) bool { return l.CallSoon(func() {}) != nil })
			meet(t, open...)
			meet(t, open...)
			g.Stop()
			testkit.Check(<-over)
		})
	}
}

func TestALoopOfAGroupThatIsClosedOrStoppedAloneIsLeftOut(t *testing.T) {
	for which := range 3 {
		for name, leave := range map[string]func(l *reactor.Loop){
			"closed": func(l *reactor.Loop) { testkit.Check(l.Close()) },
			"stopped": func(l *reactor.Loop) {
				l.Stop()
			},
		} {
			g := testkit.NewGroup(t, 3)
			over := runGroup(context.Background(), g)
			meet(t, g.Loops()...)
			leave(g.Loops()[which])
			others := slices.Delete(g.Loops(), which, which+1)
			meet(t, others...)
			select {
			case err := <-over:
				t.Fatalf("loop %d is %s: Run has ended with %v, want it to go on", which, name, err)
			default:
			}
			g.Stop()
			if err := <-over; err != nil {
				t.Errorf("loop %d is %s: Run: %v, want nil", which, name, err)
			}
		}
	}
}

// The loops are closed in different goroutines even if nobody runs them: one may be waiting for
// another.
func TestLoopsThatWaitForEachOtherAreClosedTogether(t *testing.T) {
	for name, run := range map[string]func(g *reactor.LoopGroup){
		"idle":    func(*reactor.LoopGroup) {},
		"started": func(g *reactor.LoopGroup) { testkit.Check(g.Start()) },
		"stopped": func(g *reactor.LoopGroup) {
			over := runGroup(context.Background(), g)
			g.Stop()
			testkit.Check(<-over)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := testkit.NewGroup(t, 3)
			run(g)
			loops := g.Loops()
			for i, l := range loops { // in a circle
				release := testkit.Must(core(l).Hold("the next one"))
				loops[(i+1)%3].AtClose(release)
			}
			closeGroup(t, g)
			for i, l := range loops {
				if err := l.CallSoon(func() {}); err != reactor.ErrClosed {
					t.Errorf("loop %d: %v, want %v", i, err, reactor.ErrClosed)
				}
			}
		})
	}
}

func TestCloseOfAGroupOnOneOfItsLoopsOnlyBeginsIt(t *testing.T) {
	g := testkit.NewGroup(t, 3)
	a, b := g.Loops()[0], g.Loops()[1] // the third runs nowhere
	testkit.Check(a.Start())
	testkit.Check(b.Start())
	release := testkit.Must(core(b).Hold("the test"))
	testkit.OnLoop(t, a, func() { testkit.Check(g.Close()) })
	<-a.Done()
	<-g.Loops()[2].Done()
	select {
	case <-b.Done():
		t.Error("the loop is closed while it is held, want it open")
	default:
	}
	release()
	closeGroup(t, g)
}

func TestCloseOfAGroupOnAnotherLoop(t *testing.T) {
	g := testkit.NewGroup(t, 3)
	l := testkit.StartLoop(t)
	testkit.OnLoop(t, l, func() { closeGroup(t, g) })
}

type failingCloser struct{ err error }

func (c failingCloser) Close() error { return c.err }

func TestCloseOfAGroupJoinsTheErrors(t *testing.T) {
	testkit.Guard(t)
	g := testkit.Must(reactor.NewGroup(3))
	testkit.Check(g.Start())
	errOther := errors.New("other")
	for i, err := range []error{errMine, nil, errOther} {
		core(g.Loops()[i]).Local("key", func() any { return io.Closer(failingCloser{err}) })
	}
	for range 2 {
		if err := g.Close(); !errors.Is(err, errMine) || !errors.Is(err, errOther) {
			t.Errorf("Close = %v, want %v and %v", err, errMine, errOther)
		}
	}
}

func TestGoexitOnTheFirstLoopOfARunClosesTheGroup(t *testing.T) {
	for name, run := range map[string]func(g *reactor.LoopGroup){
		"Run":   func(g *reactor.LoopGroup) { g.Run(context.Background()) },
		"Close": func(g *reactor.LoopGroup) { g.Close() },
		"Run on a locked thread": func(g *reactor.LoopGroup) {
			runtime.LockOSThread()
			g.Run(context.Background())
		},
	} {
		for _, what := range []string{"callback", "task"} {
			g := testkit.NewGroup(t, 3)
			first := g.Loops()[0]
			if what == "task" {
				start(first, runtime.Goexit)
			} else {
				testkit.Check(first.CallSoon(runtime.Goexit))
			}
			if !goexited(func() { run(g) }) {
				t.Errorf("%s: a %s's Goexit did not end the caller, want it ended", name, what)
			}
			for i, l := range g.Loops() {
				select {
				case <-l.Done():
				default:
					t.Errorf("%s: loop %d is open, want it closed", name, i)
				}
			}
		}
	}
}

func TestGoexitOnAnotherLoopOfARunEndsWhatCalledIt(t *testing.T) {
	g := testkit.NewGroup(t, 3)
	over := runGroup(context.Background(), g)
	last := g.Loops()[2]
	var ran atomic.Int32
	for range 10 {
		testkit.Check(last.CallSoon(func() { ran.Add(1); runtime.Goexit() }))
		testkit.OnLoop(t, last, func() { start(last, func() { ran.Add(1); runtime.Goexit() }) })
	}
	meet(t, g.Loops()...)
	if n := ran.Load(); n != 20 {
		t.Errorf("%d of 20 ran, want 20", n)
	}
	g.Stop()
	if err := <-over; err != nil {
		t.Errorf("Run: %v, want nil", err)
	}
}

func TestAGroupIsRunOnceAtATime(t *testing.T) {
	g := testkit.NewGroup(t, 3)
	over := runGroup(context.Background(), g)
	meet(t, g.Loops()...)
	testkit.Panics(t, runningAlready, func() { g.Start() })
	testkit.Panics(t, runningAlready, func() { g.Run(context.Background()) })
	testkit.OnLoop(t, g.Loops()[1], func() {
		if v, _ := testkit.PanicOf(func() { testkit.NewGroup(t, 1).Run(context.Background()) }).(string); !strings.Contains(v, "cannot run inside a loop") {
			t.Errorf("Run in a loop: panic %q, want one that it cannot run there", v)
		}
	})
	meet(t, g.Loops()...)
	g.Stop()
	testkit.Check(<-over)
}

// Stop, and the end of the context, may come at any moment of a run.
func TestAGroupIsRunAndStoppedAgainAndAgain(t *testing.T) {
	g := testkit.NewGroup(t, 4)
	for n := range 100 {
		ctx, cancel := context.WithCancelCause(context.Background())
		over := runGroup(ctx, g)
		if n%2 == 0 {
			cancel(errMine)
		} else {
			g.Stop()
		}
		if err := <-over; n%2 == 0 && !errors.Is(err, errMine) || n%2 == 1 && err != nil {
			t.Fatalf("run %d = %v, want %v after cancel (even), nil after Stop (odd)", n, err, errMine)
		}
		cancel(nil)
	}
}
