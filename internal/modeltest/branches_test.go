package modeltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Whatever a tree of cancellations consists of, and whoever makes it: each context ends for the
// reason that the model says, or stays open, and each wait ends with its context.
func TestTreesOfContextsEndAsTheModelSays(t *testing.T) {
	t.Parallel()
	each(t, 700, func(t *testing.T, seed uint64) { grow(t, seed, false) })
}

// Where things race, the model has a set of reasons.
func TestTreesOfContextsEndAsTheModelSaysWhereThingsRace(t *testing.T) {
	t.Parallel()
	each(t, 700, func(t *testing.T, seed uint64) { grow(t, seed, true) })
}

// What has gone wrong once.
func TestTreesOfContextsThatOnceEndedOtherwise(t *testing.T) {
	of := func(s sort, n, of, how int) move {
		return move{kind: makeBranch, n: n, of: of, sort: s, by: byGoroutine, how: how}
	}
	cancel := func(n int) move { return move{kind: cutBranch, n: n, by: byGoroutine, how: 3} }
	returns := func(n int) move { return move{kind: leaveTask, n: n} }
	for name, p := range map[string]growth{
		"a timeout of an ended task is below what that was below": {
			of(cancelable, 2, 0, 0), of(taskScope, 3, 2, 0), of(timeoutScope, 4, 3, 1), of(taskScope, 5, 4, 0), returns(3), cancel(2),
		},
		"the end of a task does not end what is below its context with a value": {
			of(cancelable, 2, 0, 0), of(taskScope, 3, 2, 0), of(valueOnly, 4, 3, 1), of(taskScope, 5, 4, 0), returns(3), cancel(2),
		},
		"a task that comes to the loop when the one above it is gone is below what that was below": {
			of(cancelable, 2, 0, 0), of(taskScope, 3, 2, 0),
			{kind: holdLoop, by: 3, how: 1, block: growth{of(taskScope, 4, 3, 0), of(timeoutScope, 5, 3, 1)}},
			cancel(2),
		},
		"the end of a group in a goroutine does not end what comes to the loop before that": {
			of(cancelable, 2, 0, 0), of(groupScope, 3, 2, 0), of(groupScope, 4, 3, 0),
			{kind: holdLoop, by: byGoroutine, block: growth{
				of(timeoutScope, 5, 4, 1), {kind: waitGroup, n: 4, by: byGoroutine}, {kind: waitGroup, n: 3, by: byGoroutine},
			}},
			of(taskScope, 6, 5, 0), cancel(2),
		},
		"what is made of a context that is done has its cause, and not that of a scope above a cut": {
			of(taskScope, 2, 0, 0), cancel(2), of(foreignDone, 3, 2, 0), cancel(3), of(cancelable, 4, 3, 1), of(timeoutScope, 5, 4, 1),
		},
	} {
		if seen := p.grow(20 * time.Second); seen != "" {
			t.Errorf("%s: %s, in\n%s", name, seen, p)
		}
	}
}

func grow(t *testing.T, seed uint64, races bool) {
	p := drawn(seed, races)
	seen := p.grow(20 * time.Second)
	if seen == "" {
		return
	}
	tries := 1
	if races {
		tries = 30
	}
	small := p.shrunk(func(q growth) bool {
		for range tries {
			if s := q.grow(200 * time.Millisecond); s != "" {
				seen = s
				return true
			}
		}
		return false
	})
	t.Errorf("seed %d (again: go test ./internal/modeltest -run '%s$' -seed %d):\n%s\n%s", seed, t.Name(), seed, small, seen)
}

// garden grows the trees of a program.
type garden struct {
	f        *forest
	loops    []*reactor.Loop
	limbs    map[*branch]*limb
	patience time.Duration
	closing  bool
	faults   []string
}

// grow runs a program and returns what is wrong.
func (p growth) grow(patience time.Duration) string {
	defer guard(p)()
	g := &garden{f: newForest(treeLoops), limbs: map[*branch]*limb{}, patience: patience}
	for i := range treeLoops {
		loop := testkit.Must(reactor.New(reactor.WithExceptionHandler(func(_ *reactor.Loop, e reactor.Exception) {})))
		testkit.Check(loop.Start())
		g.loops = append(g.loops, loop)
		g.limbs[g.f.branches[i]] = &limb{ctx: loop.Context()}
	}
	for _, m := range p {
		if g.do(m); len(g.faults) > 0 {
			break
		}
	}
	g.fell(len(p)%2 == 0 && len(g.faults) == 0)
	return strings.Join(g.faults, "\n")
}

func (g *garden) fault(format string, args ...any) {
	g.faults = append(g.faults, fmt.Sprintf(format, args...))
}

// do makes one move, waits for its consequences, and looks at them.
func (g *garden) do(m move) {
	s := newSite(g.f)
	switch m.kind {
	case holdLoop:
		g.hold(s, m)
	case atOnce:
		g.race(s, m)
	default:
		if a, ok := s.plan(m); ok {
			g.act(a, nil)
		}
	}
	g.look(s)
}

// hold does the moves of a block while a loop is held.
func (g *garden) hold(s *site, m move) {
	h := newHolder()
	if by := g.f.branches[m.by]; by.works() {
		s.held, s.holder = by.loop, by
		g.limbs[by].hand.tell(order{do: h.hold})
	} else {
		s.held = m.loop()
		testkit.Check(g.loops[s.held].CallSoon(func() { h.hold() }))
	}
	<-h.entered
	for _, m := range m.block {
		if a, ok := s.plan(m); ok {
			g.act(a, h)
		}
	}
	leaves := s.holder != nil && m.returns() && g.f.mayLeave(s.holder)
	h.over <- leaves
	if leaves {
		<-g.limbs[s.holder].hand.ended
		s.holder.left = true
		s.acts = append(s.acts, act{move: move{kind: leaveTask}, b: s.holder})
	}
}

// race does the moves of a block at once.
func (g *garden) race(s *site, m move) {
	s.race = true
	for _, m := range m.block {
		s.plan(m)
	}
	for _, a := range s.acts {
		g.prepare(a)
	}
	start := make(chan struct{})
	var all sync.WaitGroup
	for _, a := range s.acts {
		all.Go(func() { <-start; g.perform(a, nil) })
	}
	close(start)
	all.Wait()
	for _, a := range s.acts {
		s.note(a)
	}
}

func (g *garden) act(a act, h *holder) {
	g.prepare(a)
	g.perform(a, h)
}

func (g *garden) prepare(a act) {
	if a.kind == makeBranch {
		g.limbs[a.b] = &limb{}
		if a.b.sort.isTask() {
			g.limbs[a.b].hand = newHand()
		}
	}
}

// perform has somebody do it, and waits for that.
func (g *garden) perform(a act, h *holder) {
	l := g.limbs[a.b]
	switch a.kind {
	case leaveTask:
		l.hand.leave()
		if <-l.hand.ended; l.task != nil {
			<-l.task.Done()
		}
	case watchBranch:
		g.limbs[a.by].hand.tell(order{with: l.ctx, wait: a.wait})
	case makeBranch:
		of := g.limbs[a.b.made]
		g.in(a, h, func() { l.make(a.b, of, g.loops) })
		if a.b.usable && a.b.sort.isTask() { // not if its loop is held
			l.ctx = <-l.hand.begun
		}
	case waitGroup:
		g.in(a, h, func() { l.group.Wait() })
	case cutBranch:
		g.in(a, h, func() { l.cut(a.why) })
	}
}

func (g *garden) in(a act, h *holder, do func()) {
	done := make(chan struct{})
	switch {
	case a.holder:
		h.do <- do
		<-h.did
		return
	case a.by != nil:
		g.limbs[a.by].hand.tell(order{do: func() bool { defer close(done); do(); return false }})
	case a.in >= 0:
		testkit.Check(g.loops[a.in].CallSoon(func() { defer close(done); do() }))
	default:
		do()
		return
	}
	<-done
}

// look waits until everything has ended that should, and finds what should not have.
func (g *garden) look(s *site) {
	for _, a := range s.acts {
		if l := g.limbs[a.b]; a.kind == makeBranch && l.ctx == nil {
			l.ctx = <-l.hand.begun
			a.b.usable = true
		}
	}
	g.settle(g.f.ought(s.events(), s.race))
	for _, a := range s.acts {
		if l := g.limbs[a.b]; a.kind == leaveTask && l.task != nil {
			g.lookAtResult(a.b, l.task, s.before)
		}
	}
}

// lookAtResult looks at what a task that has returned had seen of its context, which was open or
// not before the move.
func (g *garden) lookAtResult(b *branch, t *task.Task[string], before reasons) {
	got, err := t.Await(context.Background())
	var want []string
	old := b.at < len(before)
	if old {
		want = append(want, stateFor(before[b.at]))
	} else {
		want = append(want, "")
	}
	if !old || before[b.at] == "" && b.why != byItself {
		want = append(want, stateFor(b.why))
	}
	if err != nil || !slices.Contains(want, got) {
		g.fault("%v has returned, and its context was %q, %v; want one of %q, and nil", b, got, err, want)
	}
}

// settle waits until everything has ended that ought to. Reasons that were possible become those
// that were seen.
func (g *garden) settle(ought possible) {
	begun := time.Now()
	for still := 0; still < 3; { // word of what ought not to end may be on its way
		if g.turn(); g.settled(ought) {
			still++
		} else if time.Since(begun) > g.patience {
			break
		}
	}
	for _, b := range g.f.order {
		got := stateOf(g.limbs[b].ctx)
		var may []string
		seen := false
		for _, why := range ought[b.at] {
			if may = append(may, fmt.Sprintf("%q", stateFor(why))); got == stateFor(why) {
				b.why, seen = why, true
			}
		}
		if slices.Sort(may); !seen {
			g.fault("%v is %q, want %v", b, got, strings.Join(may, " or "))
		}
	}
	for _, b := range g.f.order {
		if b.made != nil && g.f.torn(b, func(b *branch) string { return b.why }) {
			g.fault("%v is open, and %v is %q; want both to have ended", b, b.made, stateFor(b.made.why))
		}
		if got, want := g.waitOf(b), b.with; b.sort.isTask() && !b.left && !ofReason(got, want.why) {
			g.fault("the wait of %v with %v has ended with %v, want %q", b, want, got, stateFor(want.why))
		}
	}
}

func (g *garden) settled(ought possible) bool {
	why := func(b *branch) string { return stateOf(g.limbs[b].ctx) }
	for _, b := range g.f.order {
		if why(b) == "" && !slices.Contains(ought[b.at], "") || g.f.torn(b, g.whyNow) {
			return false
		}
		if b.sort.isTask() && !b.left && why(b.with) != "" && g.waitOf(b) == nil {
			return false
		}
	}
	return true
}

// whyNow tells an end by itself from others.
func (g *garden) whyNow(b *branch) string {
	got := stateOf(g.limbs[b].ctx)
	if got == stateFor(byItself) {
		return byItself
	}
	return got
}

// waitOf is what the present wait of a task has ended with, nil while it waits.
func (g *garden) waitOf(b *branch) error {
	if !b.sort.isTask() {
		return nil
	}
	return g.limbs[b].hand.wokenBy(b.waits)
}

// turn lets others run, and has each loop come round.
func (g *garden) turn() {
	runtime.Gosched()
	for _, loop := range g.loops {
		came := make(chan struct{})
		if !g.closing && loop.CallSoon(func() { close(came) }) == nil {
			<-came
		}
	}
}

// fell ends everything: tasks return, or the loops are closed under them.
func (g *garden) fell(byClose bool) {
	closed := make(chan error, len(g.loops))
	if g.closing = byClose; byClose {
		for _, loop := range g.loops {
			go func() { closed <- loop.Close() }()
		}
		g.f.closeAll()
		g.settle(g.f.ought(nil, false))
	}
	for _, b := range g.f.order {
		if b.sort.isTask() && !b.left {
			g.limbs[b].hand.leave()
		}
	}
	for _, b := range g.f.order {
		if l := g.limbs[b]; l.hand != nil {
			<-l.hand.ended
		}
	}
	for _, b := range slices.Backward(g.f.order) {
		l := g.limbs[b]
		if l.free != nil {
			l.free()
		}
		if l.group != nil {
			l.group.Wait()
		}
	}
	for _, loop := range g.loops {
		if !byClose {
			closed <- loop.Close()
		}
		if err := <-closed; err != nil {
			g.fault("Close = %v, want nil", err)
		}
	}
}

func (b *branch) String() string { return fmt.Sprint(sortNames[b.sort], " ", b.n) }

// stateOf tells how a context has ended; empty if it is open.
func stateOf(ctx context.Context) string {
	err := ctx.Err()
	if err == nil {
		return ""
	}
	select {
	case <-ctx.Done():
		return fmt.Sprint(err, ": ", context.Cause(ctx))
	default:
		return "ended, with a channel that is open"
	}
}

// stateFor is what stateOf returns for what has ended for a reason.
func stateFor(why string) string {
	if why == "" {
		return ""
	}
	err, cause := errorsOf(why)
	return fmt.Sprint(err, ": ", cause)
}

// ofReason reports whether err is that of a wait with a context that has ended for that reason.
func ofReason(err error, why string) bool {
	if why == "" || err == nil {
		return (why == "") == (err == nil)
	}
	is, cause := errorsOf(why)
	return errors.Is(err, is) && errors.Is(err, cause)
}

func errorsOf(why string) (err, cause error) {
	switch why {
	case byItself:
		return context.Canceled, task.ErrEnded
	case noCause:
		return context.Canceled, context.Canceled
	case inTime:
		return context.DeadlineExceeded, context.DeadlineExceeded
	case atClose:
		return context.Canceled, reactor.ErrClosed
	}
	return context.Canceled, causeOf(why)
}

// causeOf makes an error of a reason, the same each time.
func causeOf(why string) error { return because(why) }

type because string

func (b because) Error() string { return string(b) }
