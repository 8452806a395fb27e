package reactor

import (
	"bytes"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/gid"
)

// watchdog is the observer that measures each step of the loop, and looks from outside at one that
// has been running for long.
//
// From outside it comes by an alarm, which is set when a step begins and none is set. A loop that
// waits for events sets none.
type watchdog struct {
	loop *Loop
	slow time.Duration

	mu      sync.Mutex
	running bool
	step    Step
	since   time.Duration // when it has begun
	next    time.Duration // how long it has run when that is told next
	nth     uint64        // counts the steps
	stack   []byte        // what was seen of it, nil if nothing was
	stop    func() bool   // of the alarm, nil if none is set and none rings
	ended   bool
	rings   sync.WaitGroup // alarms set and not rung

	teller atomic.Uintptr // the goroutine that calls Observer.Stalled, 0 while none does
}

func (w *watchdog) observer() *Observer { return &Observer{BeforeStep: w.begin, AfterStep: w.end} }

func (w *watchdog) begin(s Step) {
	now := w.loop.core.World().Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.step = true, s
	w.since, w.next = now, w.slow
	w.nth++
	if w.stop == nil {
		w.set(w.slow)
	}
}

// end tells of what has run if that was slow.
func (w *watchdog) end(s Step) {
	core := &w.loop.core
	now := core.World().Now()
	w.mu.Lock()
	took, stack := now-w.since, w.stack
	w.running, w.step, w.stack = false, Step{}, nil
	w.mu.Unlock()
	if took < w.slow {
		return
	}
	what := s.String()
	if core.Debug() {
		core.Logger().Warn("reactor: slow", slog.String("what", what), slog.Duration("took", took))
		core.LogStack(stack)
	}
	core.Tell(func(o *Observer) {
		if o.Slow != nil {
			o.Slow(what, took, stack)
		}
	})
}

// set sets the alarm. It is called locked.
func (w *watchdog) set(d time.Duration) {
	if !w.ended {
		w.rings.Add(1)
		w.stop = w.loop.core.World().Alarm(d, w.ring)
	}
}

// ring looks at what runs. It is called outside the loop, by one goroutine at a time.
func (w *watchdog) ring() {
	defer w.rings.Done()
	w.mu.Lock()
	defer w.rung()
	if !w.running {
		return
	}
	if took := w.loop.core.World().Now() - w.since; took >= w.next {
		w.next = 2 * took
		w.look(took)
	}
}

// rung sets the next alarm if something runs. It is called locked, and unlocks.
func (w *watchdog) rung() {
	defer w.mu.Unlock()
	w.stop = nil
	if w.running {
		w.set(max(w.since+w.next-w.loop.core.World().Now(), 0))
	}
}

// look tells of what has been running for long. It is called locked, and unlocks meanwhile.
func (w *watchdog) look(took time.Duration) {
	nth, step, core := w.nth, w.step, &w.loop.core
	w.mu.Unlock()
	stack := runningStack(core.Coroutines())
	w.mu.Lock()
	if !w.running || w.nth != nth {
		return // it has ended, and this may be the stack of something else
	}
	w.stack = stack
	w.mu.Unlock()
	defer w.mu.Lock()
	what := step.String()
	if core.Debug() {
		core.Logger().Warn("reactor: the loop is stalled", slog.String("by", what), slog.Duration("since", took))
		core.LogStack(stack)
	}
	w.teller.Store(uintptr(gid.Self()))
	defer w.teller.Store(0)
	core.TellOutside(func(o *Observer) {
		if o.Stalled != nil {
			o.Stalled(what, took, stack)
		}
	})
}

// tells reports whether its caller is called by the watchdog, for whose end Close waits.
func (w *watchdog) tells() bool { return w != nil && w.teller.Load() == uintptr(gid.Self()) }

// close ends the watch, and waits for an alarm that rings.
func (w *watchdog) close() {
	w.mu.Lock()
	w.ended = true
	if w.stop != nil && w.stop() {
		w.rings.Done()
	}
	w.mu.Unlock()
	w.rings.Wait()
}

// runningStack returns the stack of what runs on the loop: of the task, or of the loop's goroutine
// with the callback.
//
// A goroutine that has switched to a coroutine, or a coroutine that is suspended, is in state
// "coroutine". The one of the two that is not in that state is the one that runs.
func runningStack(pool *coro.Pool) []byte {
	loop, task := pool.Numbers()
	all := allStacks()
	callback, running := stackOf(all, loop), stackOf(all, task)
	if task == 0 { // the numbers of coroutines are not noted
		running = runningCoroutine(all, loop)
	}
	if running == nil || switchedAway(running) && callback != nil && !switchedAway(callback) {
		return callback
	}
	return running
}

// maxStacks bounds the memory for the stacks of all goroutines; what does not fit is cut off.
const maxStacks = 64 << 20

func allStacks() []byte {
	for n := 64 << 10; ; n *= 4 {
		buf := make([]byte, n)
		if used := runtime.Stack(buf, true); used < n || n >= maxStacks {
			return buf[:used]
		}
	}
}

// stackOf returns a copy of the stack of a goroutine, by its number, nil if it is not among all.
func stackOf(all []byte, number uint64) []byte {
	heading := []byte("goroutine " + strconv.FormatUint(number, 10) + " ")
	for len(all) > 0 {
		one, rest, _ := bytes.Cut(all, []byte("\n\n"))
		if bytes.HasPrefix(one, heading) {
			return bytes.Clone(one)
		}
		all = rest
	}
	return nil
}

// runningCoroutine returns a copy of the stack of the coroutine that runs, of those that the
// goroutine with this number has made; nil if there is none. The loop has made them all.
func runningCoroutine(all []byte, maker uint64) []byte {
	made := []byte("created by iter.Pull")
	by := []byte("in goroutine " + strconv.FormatUint(maker, 10) + "\n")
	for len(all) > 0 {
		one, rest, _ := bytes.Cut(all, []byte("\n\n"))
		if i := bytes.LastIndex(one, made); i >= 0 && bytes.Contains(one[i:], by) && !switchedAway(one) {
			return bytes.Clone(one)
		}
		all = rest
	}
	return nil
}

func switchedAway(stack []byte) bool {
	heading, _, _ := bytes.Cut(stack, []byte("\n"))
	return bytes.Contains(heading, []byte("[coroutine"))
}
