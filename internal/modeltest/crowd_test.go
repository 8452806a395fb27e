package modeltest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

// On several loops and goroutines at once no lock is had twice, no item and no result is lost or
// doubled, and everything that is cancelled ends.
func TestProgramsOnSeveralLoopsLoseNothing(t *testing.T) {
	t.Parallel()
	loops := make([]*reactor.Loop, 3)
	for i := range loops {
		loop, err := reactor.New(reactor.WithExceptionHandler(func(*reactor.Loop, reactor.Exception) {}))
		if err == nil {
			err = loop.Start()
		}
		if err != nil {
			t.Fatal(err)
		}
		loops[i] = loop
		defer func() {
			if t.Failed() { // a task that does not end would keep it
				return
			}
			if err := loop.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	check := func(p program) string { return onLoops(p, loops) }
	each(t, 700, func(t *testing.T, seed uint64) {
		p := decode(random(seed), place{free: true})
		if d := check(p); d != "" {
			// it need not happen each time
			tell(t, seed, p, place{free: true}, d, func(p program) (d string) {
				for range 50 {
					if d = check(p); d != "" {
						break
					}
				}
				return d
			})
		}
	})
}

// onLoops runs a program and returns what is wrong with it.
func onLoops(p program, loops []*reactor.Loop) string {
	w := newLibrary(10*time.Microsecond, loops...)
	m := &machine[context.Context]{world: w, tasks: 1, pause: 20, patience: 10_000}
	var forgotten []string
	// until nothing happens any more, and nobody waits for what is there
	m.calm = func(ctx context.Context) {
		seen, still := 0, 0
		for range m.patience {
			w.sleep(ctx, m.pause)
			n := m.steps()
			if still++; n != seen {
				seen, still = n, 0
			}
			if forgotten = m.forgotten(w); forgotten == nil && still > 1 {
				break
			}
		}
	}
	defer guard(p)()
	w.spawn(loops[0].Context(), 0, plain, m.main(p))
	w.task(0).Await(context.Background())
	if forgotten != nil {
		return fmt.Sprintf("waiting for what is there: %q\n%s", forgotten, lines(m.log))
	}
	if m.stuck {
		return "tasks do not end, though they have been cancelled:\n" + lines(m.log)
	}
	for i, loop := range loops {
		left := make(chan int)
		loop.CallSoon(func() { s, _ := loop.Stats(context.Background()); left <- s.Tasks })
		if n := <-left; n > 0 && !(i == 0 && n == 1) {
			return fmt.Sprintf("%d tasks live on loop %d at the end, want none (one on loop 0)", n, i)
		}
	}
	if faults := m.account(w); faults != "" {
		return faults + "\n" + lines(m.log)
	}
	return ""
}
