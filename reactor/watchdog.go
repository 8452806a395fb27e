package reactor

import (
	"bytes"
	"log/slog"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/gid"
)

// watchdog measures what the loop runs, and looks from outside at what has been running for long. It sits between the loop and
// what that runs: for the loop it is the entry that it runs, the handler that it calls.
//
// From outside it comes by an alarm, which is set when something begins to run and none is set. A loop that waits for events sets none.
type watchdog struct {
	loop *Loop
	slow time.Duration

	// What is to run next, between the loop's turn and Run or Ready.
	op      string
	entry   Runnable
	handler ReadyHandler

	mu      sync.Mutex
	running bool
	what    subject
	since   time.Duration // when it has begun
	next    time.Duration // how long it has run when that is told next
	nth     uint64        // counts what has run
	stack   []byte        // what was seen of it, nil if nothing was
	stop    func() bool   // of the alarm, nil if none is set and none rings
	ended   bool
	rings   sync.WaitGroup // alarms set and not rung

	teller atomic.Uintptr // the goroutine that calls Observer.Stalled, 0 while none does
}

// subject is something that runs.
type subject struct {
	op   string
	task string
	v    any
}

func (s subject) String() string { return describe(s.op, s.task, s.v) }

func newWatchdog(l *Loop, slow time.Duration) *watchdog { return &watchdog{loop: l, slow: slow} }

// watch returns r as it is to be run, next.
func (w *watchdog) watch(op string, r Runnable) Runnable {
	w.op, w.entry = op, r
	return w
}

// watchReady returns h as it is to be called, next.
func (w *watchdog) watchReady(op string, h ReadyHandler) ReadyHandler {
	w.op, w.handler = op, h
	return w
}

// Run runs the entry.
func (w *watchdog) Run() {
	r := w.entry
	w.entry = nil
	w.begin(r)
	defer w.end()
	r.Run()
}

// Ready calls the handler.
func (w *watchdog) Ready(e Events) {
	h := w.handler
	w.handler = nil
	w.begin(calledBy(h))
	defer w.end()
	h.Ready(e)
}

// calledBy is the function that h calls, if that says more than h: it may remove itself.
func calledBy(h ReadyHandler) any {
	if v, ok := h.(*watcher); ok {
		for _, dir := range []Events{Readable, Writable} {
			if fn := v.source.loop.watched(v, dir); fn != nil {
				return callback(fn)
			}
		}
	}
	return h
}

func (w *watchdog) begin(v any) {
	name, now := nameOf(v), w.loop.clock.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.what = true, subject{w.op, name, v}
	w.since, w.next = now, w.slow
	w.nth++
	if w.stop == nil {
		w.set(w.slow)
	}
}

// end tells of what has run if that was slow. It is deferred, since what runs may panic, or call runtime.Goexit.
func (w *watchdog) end() {
	now := w.loop.clock.Now()
	w.mu.Lock()
	what, took, stack := w.what, now-w.since, w.stack
	w.running, w.what, w.stack = false, subject{}, nil
	w.mu.Unlock()
	if took < w.slow {
		return
	}
	l := w.loop
	if l.debug {
		l.logger.Warn("reactor: slow", slog.String("what", what.String()), slog.Duration("took", took), slog.String("stack", string(stack)))
	}
	if o := l.observer; o != nil && o.Slow != nil {
		l.tell(func() { o.Slow(what.String(), took, stack) })
	}
}

// set sets the alarm. It is called locked.
func (w *watchdog) set(d time.Duration) {
	if !w.ended {
		w.rings.Add(1)
		w.stop = w.loop.world.Alarm(d, w.ring)
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
	if took := w.loop.clock.Now() - w.since; took >= w.next {
		w.next = 2 * took
		w.look(took)
	}
}

// rung sets the next alarm if something runs. It is called locked, and unlocks.
func (w *watchdog) rung() {
	defer w.mu.Unlock()
	w.stop = nil
	if w.running {
		w.set(max(w.since+w.next-w.loop.clock.Now(), 0))
	}
}

// look tells of what has been running for long. It is called locked, and unlocks meanwhile.
func (w *watchdog) look(took time.Duration) {
	nth, what, l := w.nth, w.what, w.loop
	w.mu.Unlock()
	stack := l.runningStack()
	w.mu.Lock()
	if !w.running || w.nth != nth {
		return // it has ended, and this may be the stack of something else
	}
	w.stack = stack
	w.mu.Unlock()
	defer w.mu.Lock()
	if l.debug {
		l.logger.Warn("reactor: the loop is stalled", slog.String("by", what.String()), slog.Duration("since", took), slog.String("stack", string(stack)))
	}
	if o := l.observer; o != nil && o.Stalled != nil {
		w.teller.Store(uintptr(gid.Self()))
		defer w.teller.Store(0)
		l.tellOutside(func() { o.Stalled(what.String(), took, stack) })
	}
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

// runningStack returns the stack of what runs on the loop: of the task, or of the loop's goroutine with the callback.
//
// A goroutine that has switched to a coroutine, or a coroutine that is suspended, is in state "coroutine": whichever of the two is not
// is the one that runs.
func (l *Loop) runningStack() []byte {
	loop, task := l.coros.Numbers()
	all := allStacks()
	callback, running := stackOf(all, loop), stackOf(all, task)
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

func switchedAway(stack []byte) bool {
	heading, _, _ := bytes.Cut(stack, []byte("\n"))
	return bytes.Contains(heading, []byte("[coroutine"))
}
