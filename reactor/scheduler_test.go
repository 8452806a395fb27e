//go:build unix || windows

package reactor_test

import (
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

// busyLoop is a started loop that never rests until the test ends.
func busyLoop(t *testing.T) *reactor.Loop {
	l := started(t)
	var stop atomic.Bool
	t.Cleanup(func() { stop.Store(true) })
	var again func()
	again = func() {
		if !stop.Load() {
			l.CallSoon(again)
		}
	}
	l.CallSoon(again)
	return l
}

func TestStopTheWorldIsPromptBesideABusyLoop(t *testing.T) {
	busyLoop(t)
	for range 20 {
		start := time.Now()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		runtime.GC()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("stopping the world took %v", took)
		}
	}
}

func TestAGoroutineBesideABusyLoopMakesProgressOnOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	busyLoop(t)
	start := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 1000 {
			runtime.Gosched()
		}
	}()
	<-done
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("1000 turns of a goroutine took %v", took)
	}
}
