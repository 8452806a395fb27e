//go:build unix || windows

package reactor_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

func TestOffloadRunsWorkElsewhereAndDoneHere(t *testing.T) {
	l := testkit.StartLoop(t)
	over := make(chan struct{})
	testkit.Must(l.Offload(func() {
		if l.InLoop() {
			t.Error("work runs on the loop, want it elsewhere")
		}
	}, func() {
		if !l.InLoop() {
			t.Error("done runs elsewhere, want it on the loop")
		}
		close(over)
	}))
	<-over
}

// At most so many run at once, and those that wait begin in the order in which they came.
func TestOffloadIsBoundedAndFair(t *testing.T) {
	for _, workers := range []int{1, 3} {
		t.Run(fmt.Sprint(workers, " at once"), func(t *testing.T) {
			const jobs = 50
			l := testkit.StartLoop(t, reactor.WithWorkers(workers))
			entered, goOn := make(chan int), make(chan struct{})
			var running, done atomic.Int64
			for i := range jobs {
				testkit.Must(l.Offload(func() {
					if n := running.Add(1); n > int64(workers) {
						t.Errorf("%d run at once, want at most %d", n, workers)
					}
					entered <- i
					<-goOn
					running.Add(-1)
				}, func() { done.Add(1) }))
			}
			if r, q := offloaded(l); r != workers || q != jobs-workers {
				t.Errorf("%d run, %d are queued; want %d and %d", r, q, workers, jobs-workers)
			}
			var order []int
			for range workers {
				order = append(order, <-entered) // all of them run at once
			}
			slices.Sort(order) // they began on goroutines of their own
			for range jobs - workers {
				goOn <- struct{}{}
				order = append(order, <-entered)
			}
			for range workers {
				goOn <- struct{}{}
			}
			l.Close()
			if done.Load() != jobs {
				t.Errorf("%d done, want %d", done.Load(), jobs)
			}
			for i, v := range order {
				if i != v {
					t.Fatalf("work began in the order %v, want the order it was given in", order)
				}
			}
		})
	}
}

// occupied is a loop whose only worker is busy until free is called.
func occupied(t *testing.T) (l *reactor.Loop, free func()) {
	l = testkit.StartLoop(t, reactor.WithWorkers(1))
	begun, goOn := make(chan struct{}), make(chan struct{})
	testkit.Must(l.Offload(func() { close(begun); <-goOn }, nil))
	<-begun
	return l, sync.OnceFunc(func() { close(goOn) })
}

func TestOffloadedWorkThatWaitsCanBeWithdrawn(t *testing.T) {
	const jobs = 5
	for mask := range 1 << jobs { // the first, the last, some, all
		l, free := occupied(t)
		var worked, done, want []int // on the worker, and on the loop
		var withdraws []func() bool
		for i := range jobs {
			withdraws = append(withdraws, testkit.Must(l.Offload(func() { worked = append(worked, i) }, func() { done = append(done, i) })))
		}
		left := jobs
		for i, withdraw := range withdraws {
			if mask&(1<<i) == 0 {
				want = append(want, i)
				continue
			}
			left--
			if !withdraw() || withdraw() {
				t.Errorf("withdraw of %d = false, or true twice; want true once, then false", i)
			}
			if r, q := offloaded(l); r != 1 || q != left {
				t.Errorf("%d run, %d are queued; want 1 and %d", r, q, left)
			}
		}
		testkit.Must(l.Offload(func() { worked = append(worked, jobs) }, nil)) // the queue is whole
		free()
		testkit.Check(l.Close())
		if !slices.Equal(done, want) || !slices.Equal(worked, append(want, jobs)) {
			t.Errorf("without %05b: worked %v, done %v, want %v", mask, worked, done, want)
		}
		for i, withdraw := range withdraws {
			if withdraw() {
				t.Errorf("withdraw of %d = true when it was done, want false", i)
			}
		}
	}
}

func TestOffloadedWorkThatRunsCannotBeWithdrawn(t *testing.T) {
	l := testkit.StartLoop(t)
	begun, goOn, over := make(chan struct{}), make(chan struct{}), make(chan struct{})
	withdraw := testkit.Must(l.Offload(func() { close(begun); <-goOn }, func() { close(over) }))
	<-begun
	if withdraw() {
		t.Error("withdraw of work that runs = true, want false")
	}
	close(goOn)
	<-over
}

// What is withdrawn keeps nobody waiting.
func TestCloseDoesNotWaitForWhatIsWithdrawn(t *testing.T) {
	l, free := occupied(t)
	withdraw := testkit.Must(l.Offload(func() { t.Error("it ran, want it withdrawn") }, func() { t.Error("it ran, want it withdrawn") }))
	l.AtClose(func() {
		if !withdraw() {
			t.Error("withdraw of what waits = false, want true")
		}
		free()
	})
	testkit.Check(l.Close())
}

func TestWithdrawalRacesWithTheWork(t *testing.T) {
	l := testkit.StartLoop(t, reactor.WithWorkers(2))
	var begun, done, withdrawn atomic.Int64
	const goroutines, jobs = 4, 500
	var helpers sync.WaitGroup
	for range goroutines {
		helpers.Go(func() {
			for range jobs {
				if testkit.Must(l.Offload(func() { begun.Add(1) }, func() { done.Add(1) }))() {
					withdrawn.Add(1)
				}
			}
		})
	}
	helpers.Wait()
	testkit.Check(l.Close())
	if begun.Load() != done.Load() || begun.Load()+withdrawn.Load() != goroutines*jobs {
		t.Errorf("%d begun, %d done, %d withdrawn; want as many done as begun, and %d in all", begun.Load(), done.Load(), withdrawn.Load(), goroutines*jobs)
	}
}

// Goroutines end when there is no work, without waiting for Close.
func TestIdleWorkersEnd(t *testing.T) {
	l := testkit.StartLoop(t)
	testkit.OnLoop(t, l, func() {})
	before := runtime.NumGoroutine()
	const jobs = 200
	over := make(chan struct{}, jobs)
	for range jobs {
		testkit.Must(l.Offload(func() {}, func() { over <- struct{}{} }))
	}
	for range jobs {
		<-over
	}
	for r, q := offloaded(l); r+q > 0 || runtime.NumGoroutine() > before; r, q = offloaded(l) {
		runtime.Gosched()
	}
}

func TestOffloadedWorkMayEndInAnyWay(t *testing.T) {
	ends := map[string]struct {
		work func()
		ops  []string
	}{
		"return": {func() {}, nil},
		"panic":  {whereItPanics, []string{"offload"}},
		"goexit": {runtime.Goexit, nil},
	}
	for name, tt := range ends {
		t.Run(name, func(t *testing.T) {
			var x testkit.Exceptions
			l := testkit.StartLoop(t, x.Option(), reactor.WithWorkers(1))
			const n = 20
			done := 0
			for range n {
				testkit.Must(l.Offload(tt.work, func() { done++ }))
			}
			testkit.Check(l.Close())
			if done != n {
				t.Errorf("%d done, want %d", done, n)
			}
			if want := slices.Repeat(tt.ops, n); !slices.Equal(x.Ops(), want) {
				t.Errorf("reported: %v, want %v", x.Ops(), want)
			}
			for _, e := range x.All() {
				var p *reactor.PanicError
				if !errors.As(e.Err, &p) {
					t.Errorf("the error is %v, want a *PanicError", e.Err)
				}
			}
		})
	}
}

func TestCloseWaitsForOffloadedWork(t *testing.T) {
	l := testkit.NewLoop(t)
	goOn, again := make(chan struct{}), false
	var done atomic.Int64
	testkit.Must(l.Offload(func() { <-goOn }, func() {
		done.Add(1)
		testkit.Must(l.Offload(func() {}, func() { done.Add(1) })) // what unwinds may need it
		again = true
	}))
	l.AtClose(func() { close(goOn) })
	l.CallSoon(func() { l.Close() })
	if err := l.Run(context.Background()); err != reactor.ErrClosed {
		t.Errorf("Run: %v, want %v", err, reactor.ErrClosed)
	}
	if done.Load() != 2 || !again {
		t.Errorf("%d done, the second was offered: %v; want 2, true", done.Load(), again)
	}
}

// Work that still waits for a goroutine can be taken back.
func ExampleLoop_Offload_withdraw() {
	loop, err := reactor.New(reactor.WithWorkers(1))
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	query := make(chan string)
	loop.Offload(func() { fmt.Println(<-query) }, loop.Stop)
	withdraw, err := loop.Offload(func() { fmt.Println("never printed") }, nil)
	fmt.Println(withdraw(), withdraw(), err)
	query <- "the first has run"
	loop.Run(context.Background())
	// Output:
	// true false <nil>
	// the first has run
}
