package poll

import (
	"os"
	"runtime"
	"runtime/metrics"
	"strings"
)

// keeper decides whether a wait keeps the processor of the Go scheduler, or gives it back.
//
// To give it back is the rule for a call that waits, and dear for a loop with little to do: by the
// time that an event comes the processor has gone elsewhere, and has to be asked for. With one busy
// connection that is a third of a server's time. To keep it means a raw call, of which the
// scheduler knows nothing. It can still have the processor: it sends the thread a signal, at once
// to stop the world, or after ten milliseconds. A signal ends epoll_wait(2) always, and then the
// next wait gives the processor back. So an idle program has no wake-ups.
//
// A processor that is kept is lost to others. Therefore it is kept only if there is more than one,
// if no goroutine was seen to wait for one, and if the scheduler sends those signals.
type keeper struct {
	signals     bool // asyncpreemptoff=1 is not set
	free        bool // at the last look, nobody else wanted the processor
	waits       int  // since then
	interrupted bool // the last wait was ended by a signal
	runnable    [1]metrics.Sample
}

// lookEvery is how many waits lie between two looks at who wants a processor, which cost as much as
// a small system call.
const lookEvery = 16

func newKeeper() keeper {
	k := keeper{signals: !strings.Contains(os.Getenv("GODEBUG"), "asyncpreemptoff=1"), waits: lookEvery}
	k.runnable[0].Name = "/sched/goroutines/runnable:goroutines"
	return k
}

// keeps reports whether the next wait may keep the processor.
func (k *keeper) keeps() bool {
	if k.interrupted || !k.signals {
		return false
	}
	if k.waits >= lookEvery {
		k.waits = 0
		k.free = runtime.GOMAXPROCS(0) > 1 && k.wanted() == 0
	}
	return k.free
}

// wanted returns how many goroutines wait for a processor.
func (k *keeper) wanted() uint64 {
	metrics.Read(k.runnable[:])
	if v := k.runnable[0].Value; v.Kind() == metrics.KindUint64 {
		return v.Uint64()
	}
	return 1 // unknown
}
