package modeltest

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	outside "github.com/corobridge/corobridge/internal/world"
	"github.com/corobridge/corobridge/reactor"
)

var (
	seed = flag.Uint64("seed", 0, "run the program with this seed, and no other")
	many = flag.Int("programs", 0, "how many programs to run")
)

// Whatever tasks do on one loop, they get what the model says, in the same order and at the same
// time.
func TestProgramsDoWhatTheModelSays(t *testing.T) {
	t.Parallel()
	each(t, 8000, func(t *testing.T, seed uint64) {
		p := decode(random(seed), place{})
		if d := difference(p); d != "" {
			tell(t, seed, p, place{}, d, difference)
		}
	})
}

// What has gone wrong once.
func TestProgramsThatOnceDidSomethingElse(t *testing.T) {
	for name, p := range map[string]program{
		"those below a shielded task stay shielded when it has ended": {
			{kind: shield, block: program{{kind: spawn, block: program{{kind: spawn, block: program{{kind: receive}}}}}}},
			{kind: sleep, a: 1},
			{kind: cancel, a: 0, b: 1},
		},
		"a timeout that a member has made of its group's context ends its wait": {
			{kind: scope, block: program{{kind: member, block: program{{kind: timeout, a: 4, block: program{{kind: receive}}}}}}},
		},
		"who awaits a result goes on in the order of arrival, also when the first has gone": {
			{kind: spawn, block: program{{kind: timeout, a: 1, block: program{{kind: receive}}}}},
			{kind: spawn, block: program{{kind: receive}}},
			{kind: sleep, a: 2},
			{kind: spawn, block: program{{kind: receive}}},
			{kind: sleep, a: 1},
			{kind: resolve, b: 1},
		},
	} {
		if d := difference(p); d != "" {
			t.Errorf("%s: the library and the model differ, want no difference in\n%s\n%s", name, p, d)
		}
	}
}

// FuzzPrograms is TestProgramsDoWhatTheModelSays with programs from bytes.
func FuzzPrograms(f *testing.F) {
	for seed := range uint64(20) {
		f.Add(random(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := decode(data, place{})
		if d := difference(p); d != "" {
			tell(t, 0, p, place{}, d, difference)
		}
	})
}

// each calls fn with seeds, of which it prints the first.
func each(t *testing.T, n int, fn func(t *testing.T, seed uint64)) {
	if *seed != 0 {
		fn(t, *seed)
		return
	}
	if testing.Short() || raceEnabled {
		n /= 10
	}
	if *many > 0 {
		n = *many
	}
	first := rand.Uint64() | 1
	t.Logf("%d programs from seed %d", n, first)
	for i := range n {
		if fn(t, first+uint64(i)); t.Failed() {
			return
		}
	}
}

// tell fails the test with the smallest program that has a difference like what was seen.
func tell(t *testing.T, seed uint64, p program, in place, seen string, differs func(program) string) {
	t.Helper()
	small := p.shrunk(func(q program) bool {
		if !q.allowed(in) {
			return false
		}
		d := differs(q)
		if d == "" || strings.HasPrefix(d, endless) != strings.HasPrefix(seen, endless) {
			return false
		}
		seen = d
		return true
	})
	t.Errorf("seed %d (%d steps; again: go test ./internal/modeltest -run '%s$' -seed %d), in %d steps:\n%s\n%s", seed, p.size(), t.Name(), seed,
		small.size(), small, seen)
}

const endless = "in the model the program does not end:\n"

// difference runs a program in both worlds and returns what differs.
func difference(p program) string {
	want, wantReports, ok := inModel(p)
	if !ok { // that there are no such programs is for the language to see to
		return endless + lines(want)
	}
	got, gotReports, err := inLibrary(p)
	switch {
	case err != "":
		return err + "\nlast steps:\n" + lines(got[max(0, len(got)-8):])
	case !slices.Equal(want, got):
		i := 0
		for i < min(len(want), len(got)) && want[i] == got[i] {
			i++
		}
		from := max(0, i-12)
		return fmt.Sprintf("both:\n%smodel:\n%slibrary:\n%s", lines(want[from:i]), lines(want[i:min(i+5, len(want))]), lines(got[i:min(i+5, len(got))]))
	case !slices.Equal(wantReports, gotReports):
		return fmt.Sprintf("reports of the model: %q\nreports of the library: %q\nsteps:\n%s", wantReports, gotReports, lines(want))
	}
	return ""
}

func lines(log []entry) string {
	var b strings.Builder
	for _, e := range log {
		b.WriteString(e.String() + "\n")
	}
	return b.String()
}

// inModel runs a program in the model.
func inModel(p program) (log []entry, reports []string, ok bool) {
	w := newModel()
	m := &machine[*ctx]{world: w, tasks: 1, pause: 1000, patience: 20}
	ok = w.run(m.main(p)) && !m.stuck
	return m.log, w.reports, ok
}

// inLibrary runs a program on a loop of its own, whose clock moves when nothing is ready.
func inLibrary(p program) (log []entry, reports []string, err string) {
	idle := &idler{idle: make(chan struct{}, 1), woken: make(chan struct{}, 1)}
	var w *library
	loop, e := reactor.New(idle.option(), reactor.WithExceptionHandler(func(l *reactor.Loop, e reactor.Exception) { w.report(l, e) }))
	if e != nil {
		return nil, nil, e.Error()
	}
	w = newLibrary(time.Millisecond, loop)
	m := &machine[context.Context]{world: w, tasks: 1, pause: 1000, patience: 20}
	main := make(chan struct{})
	loop.CallSoon(func() {
		w.spawn(loop.Context(), 0, plain, m.main(p))
		w.task(0).AsFuture().OnDone(loop, func(int, error) { close(main) })
	})
	if e := loop.Start(); e != nil {
		return nil, nil, e.Error()
	}
	defer guard(p)()
	<-idle.idle
	select {
	case <-main:
	default: // the loop, with its goroutine, stays
		return m.log, nil, "the first task waits, and nothing can end that"
	}
	if m.stuck {
		return m.log, nil, "tasks do not end, though they have been cancelled"
	}
	if end := m.log[len(m.log)-1].at; w.now() != end {
		return m.log, nil, fmt.Sprintf("a timer was left: the loop has slept until %d, want %d", w.now(), end)
	}
	left := make(chan int)
	loop.CallSoon(func() { s, _ := loop.Stats(context.Background()); left <- s.Tasks })
	if n := <-left; n != 0 {
		return m.log, nil, fmt.Sprint(n, " tasks live at the end, want none")
	}
	if e := loop.Close(); e != nil {
		return m.log, nil, e.Error()
	}
	return m.log, w.reports, m.account(w)
}

// idler is the clock and the poller of a loop to which nothing comes from outside but its first
// task. Where others wait, it moves the clock.
type idler struct {
	clock       time.Duration
	idle, woken chan struct{} // hold one each: that nothing is left to wait for, and Wake
}

func (i *idler) option() reactor.Option {
	return reactor.WithWorld(func(w outside.World) outside.World { return idleWorld{w, i} })
}

type idleWorld struct {
	outside.World
	idler *idler
}

func (w idleWorld) Now() time.Duration                        { return w.idler.Now() }
func (w idleWorld) Wall() time.Time                           { return w.idler.Wall() }
func (w idleWorld) OpenPoller(poll.Kind) (poll.Poller, error) { return w.idler, nil }
func (idleWorld) Faults() *outside.Faults                     { return &outside.Faults{} }

func (i *idler) Now() time.Duration { return i.clock }
func (i *idler) Wall() time.Time    { return time.Unix(0, int64(i.clock)) }

func (i *idler) Wait(_ []poll.Event, d time.Duration) (int, error) {
	if d >= 0 {
		i.clock += d
		return 0, nil
	}
	select {
	case i.idle <- struct{}{}:
	default:
	}
	<-i.woken
	return 0, nil
}

func (i *idler) Wake() error {
	select {
	case i.woken <- struct{}{}:
	default:
	}
	return nil
}

func (*idler) Add(int, uint64, poll.Events, poll.Mode) error    { return nil }
func (*idler) Modify(int, uint64, poll.Events, poll.Mode) error { return nil }
func (*idler) Remove(int) error                                 { return nil }
func (*idler) Rearm(int, poll.Events)                           {}
func (*idler) NeedsRearm() bool                                 { return false }
func (*idler) KeepsProcessor() bool                             { return false }
func (*idler) ForgetsClosed() bool                              { return true }
func (*idler) Close() error                                     { return nil }

// guard ends the test binary, with the program and all stacks, when the program does not end.
func guard(p fmt.Stringer) (stop func() bool) {
	return time.AfterFunc(time.Minute, func() {
		debug.SetTraceback("all")
		panic("this program does not end:\n" + p.String())
	}).Stop
}
