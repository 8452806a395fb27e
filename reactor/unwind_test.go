//go:build unix || windows

package reactor_test

import (
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// panicked returns the values that a loop's reports have panicked with.
func panicked(x *testkit.Exceptions) (values []any) {
	for _, e := range x.All() {
		var p *reactor.PanicError
		if errors.As(e.Err, &p) {
			values = append(values, p.Value)
		}
	}
	return values
}

// A deferred call may panic while a Goexit unwinds the stack. Neither takes a worker away.
func TestOffloadedWorkThatUnwindsAnyWayLeavesTheWorker(t *testing.T) {
	for _, u := range testkit.Unwindings() {
		t.Run(u.Name, func(t *testing.T) {
			var x testkit.Exceptions
			l := testkit.StartLoop(t, reactor.WithWorkers(1), x.Option())
			var done sync.WaitGroup
			done.Add(2)
			testkit.Must(l.Offload(func() { u.Run(runtime.Gosched) }, done.Done))
			testkit.Must(l.Offload(func() {}, done.Done))
			done.Wait()
			testkit.Check(l.Close())
			if got := panicked(&x); len(got) > 1 || (u.Panic != nil) != (len(got) == 1) || len(got) == 1 && got[0] != u.Panic {
				t.Errorf("the loop has reported the panics %v, want %v", got, u.Panic)
			}
			testkit.Eventually(t, "no worker is left", func() bool {
				running, queued := offloaded(l)
				return running == 0 && queued == 0
			})
		})
	}
}

func TestACallbackThatUnwindsAnyWayLeavesTheLoop(t *testing.T) {
	for _, place := range places {
		if place.name == "exception handler" { // which has the panic of its own to report
			continue
		}
		for _, u := range testkit.Unwindings() {
			t.Run(place.name+"/"+u.Name, func(t *testing.T) {
				var x testkit.Exceptions
				l := testkit.StartLoop(t, x.Option())
				ran := make(chan bool, 1)
				testkit.OnLoop(t, l, func() {
					place.arm(l, func() {
						ran <- true
						u.Run(func() {})
					})
				})
				<-ran
				testkit.OnLoop(t, l, func() {})
				testkit.Check(l.Close())
				if got := panicked(&x); (u.Panic != nil) != (len(got) == 1) || len(got) == 1 && got[0] != u.Panic {
					t.Errorf("the loop has reported the panics %v, want %v", got, u.Panic)
				}
			})
		}
	}
}

// GODEBUG=panicnil=1 makes a panic that recover does not show.
func TestAPanicWithNilIsReportedFromEverywhere(t *testing.T) {
	t.Setenv("GODEBUG", "panicnil=1")
	arms := map[string]func(l *reactor.Loop, fn func()){
		"offload": func(l *reactor.Loop, fn func()) { testkit.Must(l.Offload(fn, nil)) },
		"observer": func(l *reactor.Loop, fn func()) {
			core(l).Observe(&reactor.Observer{Backoff: func(_ string, _ error, _ time.Duration) { fn() }})
			core(l).Backoff("test", nil, 0)
		},
	}
	for _, place := range places {
		if place.name != "exception handler" {
			arms[place.name] = place.arm
		}
	}
	for name, arm := range arms {
		t.Run(name, func(t *testing.T) {
			var x testkit.Exceptions
			l := testkit.StartLoop(t, x.Option())
			testkit.OnLoop(t, l, func() { arm(l, func() { panic(nil) }) })
			testkit.Eventually(t, "a report", func() bool { return len(x.All()) > 0 })
			got := panicked(&x)
			if len(got) != 1 {
				t.Fatalf("the loop has reported the panics %v, want one", got)
			}
			if _, ok := got[0].(*runtime.PanicNilError); !ok {
				t.Errorf("the loop has reported a panic with %v, want a PanicNilError", got[0])
			}
		})
	}
}
