//go:build unix || windows

package reactor_test

import (
	"os"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// beforeSleep has the loop tell each time that it is about to block, without letting it.
func beforeSleep(t *testing.T, l *reactor.Loop) (told *[]bool) {
	told = &[]bool{}
	l.CallSoon(func() {
		core(l).Each(loop.BeforeSleep, run(func() {
			*told = append(*told, core(l).SleepsForever())
			l.CallSoon(func() {}) // so it does not block
		}))
	})
	testkit.Turns(t, l, 1)
	return told
}

func TestALoopKnowsWhetherItSleepsForEver(t *testing.T) {
	for name, c := range map[string]struct {
		have func(t *testing.T, l *reactor.Loop) (end func())
		want bool
	}{
		"nothing": {func(*testing.T, *reactor.Loop) func() { return func() {} }, true},
		"a timer": {func(_ *testing.T, l *reactor.Loop) func() {
			timer := l.CallLater(time.Hour, func() {})
			return func() { timer.Stop() }
		}, false},
		"a descriptor": {func(t *testing.T, l *reactor.Loop) func() {
			a, _ := pair(t)
			testkit.Check(l.AddReader(a.fd, func() {}))
			return func() { l.RemoveReader(a.fd) }
		}, false},
		"a hold": {func(_ *testing.T, l *reactor.Loop) func() { return testkit.Must(core(l).Hold("test")) }, false},
		"work elsewhere": {func(_ *testing.T, l *reactor.Loop) func() {
			until, ended := make(chan bool), make(chan bool)
			testkit.Must(l.Offload(func() { <-until }, func() { close(ended) }))
			return func() {
				close(until)
				for {
					select {
					case <-ended:
						return
					default:
						testkit.Check(l.Turn(time.Millisecond))
					}
				}
			}
		}, false},
		"a signal handler": {func(_ *testing.T, l *reactor.Loop) func() {
			remove := testkit.Must(l.AddSignal(os.Interrupt, func(os.Signal) {}))
			return func() { remove() }
		}, false},
		"a handler of the next signal": {func(_ *testing.T, l *reactor.Loop) func() {
			remove := testkit.Must(reactor.NextSignal(l, func(os.Signal) {}, os.Interrupt))
			return func() { remove() }
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			l := testkit.NewLoop(t)
			told := beforeSleep(t, l)
			ask := func() (forever bool) {
				*told = nil
				l.CallSoon(func() {})
				testkit.Check(l.Turn(-1)) // runs what is ready, and so does not block
				if len(*told) > 0 {
					t.Errorf("asked %d times in a turn that does not block, want never", len(*told))
				}
				testkit.Check(l.Turn(-1))
				if len(*told) != 1 {
					t.Fatalf("asked %d times, want 1", len(*told))
				}
				return (*told)[0]
			}
			end := c.have(t, l)
			if got := ask(); got != c.want {
				t.Errorf("for ever is %v, want %v", got, c.want)
			}
			end()
			if !ask() {
				t.Error("for ever is false when the cause is gone, want true")
			}
		})
	}
}

func TestBeforeALimitedSleepItIsNotForEver(t *testing.T) {
	l := testkit.NewLoop(t)
	told := beforeSleep(t, l)
	testkit.Check(l.Turn(time.Hour))
	if len(*told) != 1 || (*told)[0] {
		t.Errorf("told %v, want false once", *told)
	}
}

func TestALoopThatIsToBeAskedAgainSleepsNoLonger(t *testing.T) {
	l := testkit.NewLoop(t)
	asked := 0
	l.CallSoon(func() {
		core(l).Each(loop.BeforeSleep, run(func() {
			if asked++; asked == 3 {
				l.Stop()
			}
			core(l).LookAgain(time.Nanosecond)
		}))
	})
	testkit.Check(l.Run(t.Context()))
	if asked != 3 {
		t.Errorf("asked %d times, want 3", asked)
	}
}

// What is looked at from outside is looked at by one goroutine at a time: the race detector agrees.
func TestLookIsAnsweredInEachStateOfTheLoop(t *testing.T) {
	l := testkit.NewLoop(t)
	state := 0
	look := func() {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				seen := make(chan int, 1)
				core(l).Look(func() { state++; seen <- state })
				<-seen
			})
		}
		all.Wait()
	}
	look() // not run yet
	testkit.Check(l.Start())
	look()
	testkit.OnLoop(t, l, func() {
		before := state
		core(l).Look(func() { state++ })
		if state != before+1 {
			t.Errorf("Look on the loop: the state is %d, want %d, at once", state, before+1)
		}
	})
	blocked, until := make(chan bool), make(chan bool)
	l.CallSoon(func() { close(blocked); <-until; l.Stop() })
	<-blocked
	var asking sync.WaitGroup
	asking.Go(look)
	close(until)
	asking.Wait() // in the last turn, or when the run ends
	look()        // stopped, or about to
	testkit.Check(l.Close())
	look()
	if state != 41 {
		t.Errorf("%d looks, want 41", state)
	}
}
