//go:build linux

package reactor_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/corobridge/corobridge/reactor"
)

func TestOffloadRunsWorkElsewhereAndDoneHere(t *testing.T) {
	l := started(t)
	over := make(chan struct{})
	must0(l.Offload(func() {
		if l.InLoop() {
			t.Error("work runs on the loop")
		}
	}, func() {
		if !l.InLoop() {
			t.Error("done runs elsewhere")
		}
		close(over)
	}))
	<-over
}

func TestOffloadIsBounded(t *testing.T) {
	const workers, jobs = 3, 50
	l := started(t, reactor.WithWorkers(workers))
	entered, goOn := make(chan int), make(chan struct{})
	var running, done atomic.Int64
	for i := range jobs {
		must0(l.Offload(func() {
			if n := running.Add(1); n > workers {
				t.Errorf("%d at once", n)
			}
			entered <- i
			<-goOn
			running.Add(-1)
		}, func() { done.Add(1) }))
	}
	var order []int
	for range workers {
		order = append(order, <-entered) // all of them run at once
	}
	for range jobs - workers {
		goOn <- struct{}{}
		order = append(order, <-entered)
	}
	for range workers {
		goOn <- struct{}{}
	}
	l.Close()
	if done.Load() != jobs {
		t.Errorf("%d of %d done", done.Load(), jobs)
	}
	slices.Sort(order[:workers])
	slices.Sort(order)
	for i, v := range order {
		if i != v {
			t.Fatalf("work %d was lost", i)
		}
	}
}

func TestOffloadedWorkMayEndInAnyWay(t *testing.T) {
	ends := map[string]struct {
		work func()
		ops  []string
	}{
		"return":  {func() {}, nil},
		"panic":   {whereItPanics, []string{"offload"}},
		"goexit":  {runtime.Goexit, nil},
		"nothing": {nil, []string{"offload"}},
	}
	for name, tt := range ends {
		t.Run(name, func(t *testing.T) {
			var x exceptions
			l := started(t, x.option(), reactor.WithWorkers(1))
			const n = 20
			done := 0
			for range n {
				must0(l.Offload(tt.work, func() { done++ }))
			}
			must0(l.Close())
			if done != n {
				t.Errorf("%d of %d done", done, n)
			}
			if want := slices.Repeat(tt.ops, n); !slices.Equal(x.ops(), want) {
				t.Errorf("reported: %v", x.ops())
			}
			for _, e := range x.all {
				var p *reactor.PanicError
				if !errors.As(e.Err, &p) {
					t.Errorf("the error is %v", e.Err)
				}
			}
		})
	}
}

func TestCloseWaitsForOffloadedWork(t *testing.T) {
	l := newLoop(t)
	goOn, again := make(chan struct{}), false
	var done atomic.Int64
	must0(l.Offload(func() { <-goOn }, func() {
		done.Add(1)
		must0(l.Offload(func() {}, func() { done.Add(1) })) // what unwinds may need it
		again = true
	}))
	l.AtClose(func() { close(goOn) })
	l.CallSoon(func() { l.Close() })
	if err := l.Run(context.Background()); err != reactor.ErrClosed {
		t.Errorf("Run: %v", err)
	}
	if done.Load() != 2 || !again {
		t.Errorf("%d of 2 done", done.Load())
	}
}
