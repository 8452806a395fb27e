//go:build unix || windows

package reactor_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/internal/testkit"
	"github.com/corobridge/corobridge/reactor"
)

// busyLoop is a started loop that never rests until the test ends.
func busyLoop(t *testing.T) *reactor.Loop { return busyWith(t, func() {}) }

// busyWith is a busyLoop that calls fn in each turn.
func busyWith(t *testing.T, fn func()) *reactor.Loop {
	l := testkit.StartLoop(t)
	var stop atomic.Bool
	t.Cleanup(func() { stop.Store(true) })
	var again func()
	again = func() {
		fn()
		if !stop.Load() {
			l.CallSoon(again)
		}
	}
	l.CallSoon(again)
	return l
}

// A loop that can't be preempted holds off each stop of the world for seconds. A busy machine does
// so now and then.
func TestStopTheWorldIsPromptBesideABusyLoop(t *testing.T) {
	busyLoop(t)
	const tries = 20
	var slow []time.Duration
	for range tries {
		start := time.Now()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		if took := time.Since(start); took > 2*time.Second {
			slow = append(slow, took)
		}
	}
	if len(slow) > tries/2 {
		t.Errorf("stopping the world took over 2s %d times (%v), want at most %d", len(slow), slow, tries/2)
	}
}

func TestABusyLoopLetsAGoroutineRunOnOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var calls atomic.Int64
	busyWith(t, func() { calls.Add(1) })
	// The loop yields after 64 turns at the latest, and runs 64 entries between two visits to the
	// poller. A goroutine of the runtime may get the processor instead, so the test allows twice
	// that. A loop that does not yield runs a hundred times as many.
	const rounds, most = 1000, 2 * 65 * 64
	for calls.Load() == 0 {
		runtime.Gosched()
	}
	before := calls.Load()
	for range rounds {
		runtime.Gosched()
	}
	if n := calls.Load() - before; n > rounds*most {
		t.Errorf("%d callbacks in %d rounds of a goroutine, want at most %d", n, rounds, rounds*most)
	}
}
