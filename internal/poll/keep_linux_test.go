package poll_test

import (
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/testkit"
)

// processors sets GOMAXPROCS for the test.
func processors(t *testing.T, n int) {
	before := runtime.GOMAXPROCS(n)
	t.Cleanup(func() { runtime.GOMAXPROCS(before) })
}

func newEpoll(t *testing.T) facility {
	p := facility{testkit.Must(poll.New(poll.Epoll)), poll.Epoll}
	t.Cleanup(func() { p.Close() })
	return p
}

// looks has p wait, without success, until it has looked who wants a processor.
func looks(p facility) {
	for range 16 {
		p.Wait(make([]poll.Event, 1), 1)
	}
}

func TestAWaitKeepsAProcessorThatNobodyElseWants(t *testing.T) {
	processors(t, 4)
	p := newEpoll(t)
	testkit.Eventually(t, "a look that sees nobody waiting for a processor", func() bool {
		looks(p)
		return p.KeepsProcessor()
	})
}

func TestAWaitDoesNotKeepTheOnlyProcessor(t *testing.T) {
	processors(t, 1)
	p := newEpoll(t)
	if p.KeepsProcessor() {
		t.Error("KeepsProcessor with GOMAXPROCS 1: true, want false: nobody else could run")
	}
}

func TestAWaitDoesNotKeepAProcessorThatOthersWant(t *testing.T) {
	processors(t, 2)
	p := newEpoll(t)
	var stop atomic.Bool
	for range 8 {
		go func() {
			for !stop.Load() {
			}
		}()
	}
	defer stop.Store(true)
	testkit.Eventually(t, "a look that sees goroutines waiting for a processor", func() bool {
		looks(p)
		return !p.KeepsProcessor()
	})
}

func TestAWaitGivesItsProcessorBackWhereTheSchedulerSendsNoSignals(t *testing.T) {
	processors(t, 4)
	t.Setenv("GODEBUG", "asyncpreemptoff=1")
	p := newEpoll(t)
	if p.KeepsProcessor() {
		t.Error("KeepsProcessor with asyncpreemptoff=1: true, want false: nothing would end the wait")
	}
}

// The scheduler asks for a processor by a signal. One wait later it has it.
func TestAWaitThatASignalEndedGivesItsProcessorBackNext(t *testing.T) {
	processors(t, 4)
	p := newEpoll(t)
	thread := make(chan int)
	kept := func() bool { looks(p); return p.KeepsProcessor() }
	over := meanwhile(func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		testkit.Eventually(t, "a wait that keeps its processor", kept)
		thread <- unix.Gettid()
		if n, err := p.Wait(make([]poll.Event, 1), -1); n != 0 || err != nil {
			t.Errorf("Wait: %d, %v; want 0 and nil", n, err)
		}
		if p.KeepsProcessor() {
			t.Error("KeepsProcessor after a signal: true, want false")
		}
		p.Wait(make([]poll.Event, 1), 1)
		testkit.Eventually(t, "a wait that keeps its processor again", kept)
		close(thread)
	})
	tid := <-thread
	for waiting := true; waiting; {
		testkit.Check(unix.Tgkill(unix.Getpid(), tid, unix.SIGURG))
		runtime.Gosched()
		select {
		case _, waiting = <-thread:
		default:
		}
	}
	over.Wait()
}

// A kept processor does not keep the world from being stopped.
func TestTheWorldStopsDuringAWait(t *testing.T) {
	processors(t, 4)
	p := newEpoll(t)
	var over atomic.Bool
	waits := meanwhile(func() {
		for !over.Load() {
			p.Wait(make([]poll.Event, 1), -1)
		}
	})
	for range 20 {
		runtime.GC()
	}
	over.Store(true)
	testkit.Check(p.Wake())
	waits.Wait()
}
