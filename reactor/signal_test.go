//go:build linux

package reactor_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// raise sends this process a signal.
func raise(sig syscall.Signal) { testkit.Check(syscall.Kill(os.Getpid(), sig)) }

// told is a signal handler that hands on what it is called with.
func told() (fn func(os.Signal), calls chan os.Signal) {
	calls = make(chan os.Signal, 100)
	return func(s os.Signal) { calls <- s }, calls
}

func TestSignalWakesALoopThatIsBlocked(t *testing.T) {
	asleep := make(chan struct{}, 1)
	l := testkit.NewLoop(t, testkit.WithWait(func(p poll.Poller, into []poll.Event, d time.Duration) (int, error) {
		if d < 0 {
			select {
			case asleep <- struct{}{}:
			default:
			}
		}
		return p.Wait(into, d)
	}))
	fn, calls := told()
	testkit.Must(l.AddSignal(syscall.SIGUSR1, func(s os.Signal) {
		if !l.InLoop() {
			t.Error("called outside the loop, want it called on the loop")
		}
		fn(s)
	}))
	testkit.Check(l.Start())
	for range 3 { // it stays registered
		<-asleep
		raise(syscall.SIGUSR1)
		if s := <-calls; s != syscall.SIGUSR1 {
			t.Errorf("told of %v, want %v", s, syscall.SIGUSR1)
		}
	}
}

func TestEachHandlerOfASignalIsCalledInOrder(t *testing.T) {
	l := testkit.NewLoop(t)
	other := testkit.StartLoop(t)
	fn, elsewhere := told()
	testkit.Must(other.AddSignal(syscall.SIGUSR1, fn))
	var got []string
	over := make(chan struct{})
	add := func(name string, then func()) (remove func() bool) {
		return testkit.Must(l.AddSignal(syscall.SIGUSR1, func(os.Signal) { got = append(got, name); then() }))
	}
	var removeC func() bool
	add("a", func() { removeC() })
	add("b", func() { add("new", func() {}) })
	removeC = add("c", func() {})
	add("d", func() { close(over) })
	testkit.Must(l.AddSignal(syscall.SIGUSR2, func(os.Signal) { t.Errorf("called for another signal, want calls for %v only", syscall.SIGUSR2) }))
	testkit.Check(l.Start())
	raise(syscall.SIGUSR1)
	<-over
	<-elsewhere
	testkit.OnLoop(t, l, func() {
		if s := strings.Join(got, " "); s != "a b d" {
			t.Errorf("called: %s, want %s", s, "a b d")
		}
	})
}

// A handler may end in any way, and the others are called all the same.
func TestSignalHandlerMayPanicOrCallGoexit(t *testing.T) {
	var x testkit.Exceptions
	l := testkit.StartLoop(t, x.Option())
	fn, calls := told()
	testkit.Must(l.AddSignal(syscall.SIGUSR1, func(os.Signal) { panic("here") }))
	testkit.Must(l.AddSignal(syscall.SIGUSR1, func(os.Signal) { runtime.Goexit() }))
	testkit.Must(l.AddSignal(syscall.SIGUSR1, fn))
	for range 3 {
		raise(syscall.SIGUSR1)
		<-calls
	}
	if got := x.Ops(); !slices.Equal(got, []string{"signal", "signal", "signal"}) {
		t.Errorf("reported: %v, want %v", got, []string{"signal", "signal", "signal"})
	}
}

func TestSignalsThatCannotBeCaughtAreRefused(t *testing.T) {
	l := testkit.NewLoop(t)
	for _, sig := range []os.Signal{syscall.SIGKILL, syscall.SIGSTOP, syscall.SIGSEGV, syscall.Signal(34), syscall.Signal(0), syscall.Signal(-1), syscall.Signal(1000), notASignal{}} {
		if _, err := l.AddSignal(sig, func(os.Signal) {}); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("AddSignal(%v): %v, want %v", sig, err, syscall.EINVAL)
		}
		if _, err := reactor.NextSignal(l, func(os.Signal) {}, syscall.SIGUSR1, sig); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("NextSignal(%v): %v, want %v", sig, err, syscall.EINVAL)
		}
	}
	for name, f := range map[string]func(){
		"AddSignal without a function":  func() { l.AddSignal(syscall.SIGUSR1, nil) },
		"NextSignal without a function": func() { reactor.NextSignal(l, nil, syscall.SIGUSR1) },
		"AddSignal without a signal":    func() { l.AddSignal(nil, func(os.Signal) {}) },
		"NextSignal without signals":    func() { reactor.NextSignal(l, func(os.Signal) {}) },
	} {
		t.Run(name, func(t *testing.T) { testkit.Panics(t, "reactor: …", f) })
	}
}

type notASignal struct{}

func (notASignal) Signal()        {}
func (notASignal) String() string { return "no signal" }

func TestRemoveTellsWhetherASignalHadThatHandler(t *testing.T) {
	keep := make(chan os.Signal, 1)
	signal.Notify(keep, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(keep)
	l := testkit.StartLoop(t)
	fn, calls := told()
	next := testkit.Must(reactor.NextSignal(l, fn, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGUSR1))
	always := testkit.Must(l.AddSignal(syscall.SIGUSR1, fn))
	prevented := testkit.Must(reactor.NextSignal(l, func(os.Signal) { t.Error("a removed handler is called, want no call") }, syscall.SIGUSR1))
	left := testkit.Must(l.AddSignal(syscall.SIGUSR2, fn))
	last := make(chan bool)
	testkit.Must(l.AddSignal(syscall.SIGUSR1, func(os.Signal) { last <- true }))
	if !prevented() || prevented() {
		t.Error("remove before the next signal = false, or true twice; want true once, then false")
	}
	for range 2 {
		raise(syscall.SIGUSR1)
		<-last
	}
	if n := len(calls); n != 3 {
		t.Errorf("%d calls; want two, and one of the first signal only", n)
	}
	if next() {
		t.Error("remove after the next signal has come = true, want false")
	}
	if !always() || always() {
		t.Error("remove of a handler of each signal = false, or true twice; want true once, then false")
	}
	l.Close()
	if left() {
		t.Error("remove on a closed loop = true, want false")
	}
}

// A handler that is slow is told of once, by its own name.
func TestASlowSignalHandlerIsNamed(t *testing.T) {
	var alarm fakeAlarm
	var s stalls
	l := testkit.NewLoop(t, alarm.option(), reactor.WithObserver(s.observer()))
	over := false
	testkit.Must(l.AddSignal(syscall.SIGUSR1, func(os.Signal) { alarm.Advance(time.Second); over = true }))
	raise(syscall.SIGUSR1)
	for !over {
		testkit.Check(l.Turn(-1))
	}
	if len(s.slow) != 1 || !strings.HasPrefix(s.slow[0].what, "signal ") || !strings.Contains(s.slow[0].what, "signal_test.go:") {
		t.Errorf("told of %v, want one signal, with the place in this file", s.slow)
	}
}

// Until the loop gets to it, the call for a signal that has come can be prevented.
func TestSignalThatHasComeCanBeRemoved(t *testing.T) {
	keep := make(chan os.Signal, 1)
	signal.Notify(keep, syscall.SIGUSR1)
	defer signal.Stop(keep)
	for _, next := range []bool{false, true} {
		l := testkit.NewLoop(t)
		fn := func(os.Signal) { t.Errorf("called (the next signal only: %v), want no call after remove", next) }
		var remove func() bool
		if next {
			remove = testkit.Must(reactor.NextSignal(l, fn, syscall.SIGUSR1))
		} else {
			remove = testkit.Must(l.AddSignal(syscall.SIGUSR1, fn))
		}
		raise(syscall.SIGUSR1)
		for stats(l).Door == 0 { // until it is queued
			runtime.Gosched()
		}
		if !remove() || remove() {
			t.Error("remove = false, or true twice; want true once, then false")
		}
		testkit.Turns(t, l, 2)
	}
}

// One goroutine serves all handlers of a loop, and Close ends it.
func TestSignalsTakeOneGoroutineForALoop(t *testing.T) {
	l := testkit.StartLoop(t)
	own, _ := told()
	for signalGoroutines() > 0 { // of the tests before: see below
		runtime.Gosched()
	}
	for range 20 {
		for _, sig := range []os.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH} {
			testkit.Must(l.AddSignal(sig, own))
		}
	}
	if n := signalGoroutines(); n != 1 {
		t.Errorf("%d goroutines, want 1", n)
	}
	l.Close()
	for signalGoroutines() > 0 { // its last deferred call tells Close, and then it ends
		runtime.Gosched()
	}
}

// signalGoroutines counts the goroutines that wait for signals, of all loops.
func signalGoroutines() int {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "reactor.(*signals).watch") {
			n++
		}
	}
	return n
}

// The signal comes while handlers are added and removed, and while loops are closed.
func TestSignalHandlersComeAndGoFromAnyGoroutine(t *testing.T) {
	testkit.Guard(t)
	keep := make(chan os.Signal, 1)
	signal.Notify(keep, syscall.SIGUSR1)
	defer signal.Stop(keep)
	for range 20 {
		l := testkit.StartLoop(t)
		var helpers sync.WaitGroup
		for i := range 4 {
			helpers.Go(func() {
				for j := range 300 {
					add := l.AddSignal
					if j%2 == 0 {
						add = func(sig os.Signal, fn func(os.Signal)) (func() bool, error) {
							return reactor.NextSignal(l, fn, sig, syscall.SIGUSR2)
						}
					}
					remove, err := add(syscall.SIGUSR1, func(os.Signal) {})
					if err != nil {
						if err != reactor.ErrClosed {
							t.Errorf("AddSignal or NextSignal while the loop closes: %v, want nil or %v", err, reactor.ErrClosed)
						}
						return
					}
					if i%2 == 0 {
						raise(syscall.SIGUSR1)
					}
					if j%3 != 0 || j > 30 { // a few are left to Close
						remove()
					}
				}
			})
		}
		fn, calls := told()
		testkit.Must(l.AddSignal(syscall.SIGUSR1, func(s os.Signal) {
			if len(calls) == 0 {
				fn(s)
			}
		}))
		raise(syscall.SIGUSR1) // the helpers may have ended by now
		<-calls
		l.Close()
		helpers.Wait()
	}
}

// What follows runs in a process of its own: this test binary again, with a scene named in the
// environment.

func TestSignalEffectsInAProcessOfItsOwn(t *testing.T) {
	for name, tt := range map[string]struct {
		out   string
		ended syscall.Signal // 0: it exits by itself
	}{
		"signals: the usual effect is back when the last handler is gone": {"one is left: terminated\n", syscall.SIGTERM},
		"signals: the usual effect is back when the loop is closed":       {"while it closes: terminated\n", syscall.SIGTERM},
		"signals: the next one only":                                      {"next: interrupt\n", syscall.SIGTERM},
		"signals: the next one only, and the loop stalls":                 {"", syscall.SIGTERM},
		"signals: each that is not refused comes":                         {"all came, refused: 13\n", 0},
	} {
		t.Run(name, func(t *testing.T) {
			testkit.Guard(t)
			p := play(t, name, "")
			out, state := p.end(), testkit.Must(p.Wait())
			status := state.Sys().(syscall.WaitStatus)
			if tt.ended == 0 && !state.Success() || tt.ended != 0 && (!status.Signaled() || status.Signal() != tt.ended) || out != tt.out {
				t.Errorf("%v, printed:\n%s\nwant it ended by %v (0: by itself), printed:\n%s", state, out, tt.ended, tt.out)
			}
		})
	}
}

var signalScenes = map[string]func(){
	"signals: the usual effect is back when the last handler is gone": func() {
		l := testkit.Must(reactor.New())
		testkit.Check(l.Start())
		fn, calls := told()
		first, second := testkit.Must(l.AddSignal(syscall.SIGTERM, fn)), testkit.Must(l.AddSignal(syscall.SIGTERM, fn))
		first()
		first()
		raise(syscall.SIGTERM)
		fmt.Println("one is left:", <-calls)
		second()
		raise(syscall.SIGTERM)
		select {}
	},
	"signals: the usual effect is back when the loop is closed": func() {
		l := testkit.Must(reactor.New())
		ctx, cancel := context.WithCancel(context.Background())
		testkit.Must(l.AddSignal(syscall.SIGTERM, func(s os.Signal) {
			fmt.Println("while it closes:", s)
			cancel()
		}))
		start(l, func() {
			await(l.Context())
			raise(syscall.SIGTERM)
			await(ctx)
		})
		testkit.Check(l.Close())
		raise(syscall.SIGTERM)
		select {}
	},
	"signals: the next one only": func() {
		l := testkit.Must(reactor.New())
		testkit.Check(l.Start())
		fn, calls := told()
		testkit.Must(reactor.NextSignal(l, fn, syscall.SIGINT, syscall.SIGTERM))
		raise(syscall.SIGINT)
		fmt.Println("next:", <-calls)
		raise(syscall.SIGTERM)
		select {}
	},
	"signals: the next one only, and the loop stalls": func() {
		l := testkit.Must(reactor.New())
		testkit.Must(reactor.NextSignal(l, func(os.Signal) { fmt.Println("the loop is not stalled") }, syscall.SIGINT, syscall.SIGTERM))
		l.CallSoon(func() {
			for { // the first may be told of a little later than it comes
				raise(syscall.SIGTERM)
				time.Sleep(time.Millisecond)
			}
		})
		l.Run(context.Background())
	},
	"signals: each that is not refused comes": func() {
		l := testkit.Must(reactor.New())
		testkit.Check(l.Start())
		refused := 0
		for sig := syscall.Signal(1); sig <= 64; sig++ {
			fn, calls := told()
			remove, err := l.AddSignal(sig, fn)
			if err != nil {
				refused++
				continue
			}
			raise(sig)
			if s := <-calls; s != sig {
				panic(s)
			}
			remove()
		}
		fmt.Println("all came, refused:", refused)
		l.Close()
	},
}

// A signal handler is an ordinary callback: it may touch what other callbacks do, without a lock.
func ExampleLoop_AddSignal() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	reloads := 0
	remove, err := loop.AddSignal(syscall.SIGHUP, func(sig os.Signal) {
		reloads++
		fmt.Println(sig, reloads)
		loop.Stop()
	})
	if err != nil {
		panic(err)
	}
	defer remove()
	loop.CallSoon(func() { syscall.Kill(os.Getpid(), syscall.SIGHUP) })
	loop.Run(context.Background())
	// Output: hangup 1
}

// The first SIGTERM is answered with care. A second one, from somebody who has lost patience, ends
// the process.
func ExampleNextSignal() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	reactor.NextSignal(loop, func(sig os.Signal) {
		fmt.Println(sig, "- closing")
		loop.Close() // on the loop it only begins that
	}, syscall.SIGINT, syscall.SIGTERM)
	loop.CallSoon(func() { syscall.Kill(os.Getpid(), syscall.SIGTERM) })
	fmt.Println(loop.Run(context.Background()))
	// Output:
	// terminated - closing
	// reactor: loop is closed
}
