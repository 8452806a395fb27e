package reactor

import (
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// AddSignal calls fn on the loop each time the process gets sig, until remove is called or the loop
// is closed: asyncio's add_signal_handler. Several functions may be added for one signal, on one
// loop or on many; each is called, in the order of adding. As with POSIX, a signal that comes again
// before fn has run may be told only once. While a signal has handlers, its usual effect does not
// take place. After the last one is removed, it does again.
//
// AddSignal and remove may be called from any goroutine. remove reports whether there was something
// to remove: false the second time, and when the loop is closed. After remove on the loop, fn is
// not called any more; elsewhere, a call may be under way. Close removes what is left when all
// tasks have ended, so that unwinding still sees signals.
//
// The error is ErrClosed once Close has begun. It matches syscall.EINVAL if there is no such
// signal, or if the process is never told of it: SIGKILL and SIGSTOP, those that the Go runtime
// keeps (the processor's faults and SIGPROF), and on Windows all except for SIGINT and SIGTERM.
// SIGURG also comes from the Go runtime, which uses it. Nil arguments panic.
func (l *Loop) AddSignal(sig os.Signal, fn func(os.Signal)) (remove func() bool, err error) {
	return l.addSignal(&signalHandler{loop: l, fn: fn, sig: sig}, sig)
}

// NextSignal calls fn on the loop l when the process gets one of sigs for the first time, and only
// then. It is AddSignal that removes itself, from all of sigs, when the signal comes and not when
// the loop gets to it: so the next signal has its usual effect also while a callback stalls the
// loop. This is for ends that are graceful at first. remove reports whether it prevented the call.
// Without signals NextSignal panics.
func NextSignal(l *Loop, fn func(os.Signal), sigs ...os.Signal) (remove func() bool, err error) {
	if len(sigs) == 0 {
		panic("reactor: NextSignal needs the signals to wait for")
	}
	return l.addSignal(&signalHandler{loop: l, fn: fn, once: true}, sigs...)
}

func (l *Loop) addSignal(h *signalHandler, sigs ...os.Signal) (remove func() bool, err error) {
	if h.fn == nil {
		panic("reactor: AddSignal and NextSignal need a function")
	}
	for _, sig := range sigs {
		if err := checkSignal(sig); err != nil {
			return nil, err
		}
	}
	s := l.core.Local(signalsKey{}, func() any { return newSignals(l) }).(*signals)
	if !s.add(h, sigs) {
		return nil, ErrClosed
	}
	return func() bool { return s.remove(h) }, nil
}

// checkSignal refuses what package signal would silently never deliver.
func checkSignal(sig os.Signal) error {
	if sig == nil {
		panic("reactor: AddSignal and NextSignal need signals that are not nil")
	}
	const most = 64 // more than any platform has, and as many as package signal knows
	if n, ok := sig.(syscall.Signal); !ok || n < 1 || n > most || !isDelivered(n) {
		return fmt.Errorf("reactor: signal %v is not one that a Go program is told of: %w", sig, syscall.EINVAL)
	}
	return nil
}

type signalsKey struct{}

// signals brings the signals of the process to the loop. Package signal sends them to channels,
// drops what does not fit, and can only take a channel off all of its signals at once. So each
// signal has a channel of its own with room for one, and a goroutine waits for all of them.
type signals struct {
	loop    *Loop
	changed chan struct{} // one place: tells the goroutine to look at sources again
	ended   chan struct{} // closed when the goroutine has ended

	mu      sync.Mutex
	sources []*signalSource
	started bool // the goroutine is
	closed  bool
}

type signalSource struct {
	sig      os.Signal
	came     chan os.Signal
	handlers []*signalHandler
}

func newSignals(l *Loop) *signals {
	return &signals{loop: l, changed: make(chan struct{}, 1), ended: make(chan struct{})}
}

// signalHandler is an entry of the ready queue, queued once at most.
type signalHandler struct {
	loop   *Loop
	fn     func(os.Signal)
	sig    os.Signal // with once: written before it is queued
	once   bool
	queued atomic.Bool
	timed  atomic.Bool // an alarm is set for unserved
	gone   atomic.Bool // removed, or with once: called
}

// Run calls the handler, unless it has been removed since the signal came.
func (h *signalHandler) Run() {
	h.queued.Store(false)
	if h.gone.Load() || h.once && !h.gone.CompareAndSwap(false, true) {
		return
	}
	whole := false
	defer h.loop.core.Caught("signal", &whole)
	h.fn(h.sig)
	whole = true
}

// Calls is part of loop.Calling.
func (h *signalHandler) Calls() (op string, fn any) { return "signal", h.fn }

// add reports whether Close has not begun. Close will then find h: the loop keeps s already, so
// Close comes here later.
func (s *signals) add(h *signalHandler, sigs []os.Signal) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loop.core.Closing() {
		return false
	}
	for _, sig := range sigs {
		// NextSignal may be given a signal twice.
		if src := s.source(sig); !slices.Contains(src.handlers, h) {
			src.handlers = append(src.handlers, h)
		}
	}
	if !s.started {
		s.started = true
		s.loop.core.Coroutines().NoteLoop() // for unserved
		s.loop.core.World().Go(s.watch)
	}
	return true
}

// source returns the one of sig, which it makes if need be.
func (s *signals) source(sig os.Signal) *signalSource {
	for _, src := range s.sources {
		if src.sig == sig {
			return src
		}
	}
	src := &signalSource{sig: sig, came: make(chan os.Signal, 1)}
	s.sources = append(s.sources, src)
	s.loop.core.World().Notify(src.came, sig)
	s.nudge()
	return src
}

func (s *signals) remove(h *signalHandler) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !h.gone.CompareAndSwap(false, true) {
		return false
	}
	s.drop(h)
	return !s.closed
}

// drop takes h off its signals. Those that have no handler left get their usual effect back.
func (s *signals) drop(h *signalHandler) {
	s.sources = slices.DeleteFunc(s.sources, func(src *signalSource) bool {
		src.handlers = slices.DeleteFunc(src.handlers, func(k *signalHandler) bool { return k == h })
		if len(src.handlers) > 0 {
			return false
		}
		s.loop.core.World().StopNotify(src.came)
		s.nudge()
		return true
	})
}

// MayWake is part of loop.Waking: handlers of NextSignal are there for the end of the program, and
// do not count.
func (s *signals) MayWake() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.sources, func(src *signalSource) bool {
		return slices.ContainsFunc(src.handlers, func(h *signalHandler) bool { return !h.once })
	})
}

// nudge makes the goroutine look at sources again.
func (s *signals) nudge() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// watch hands on what comes, until the loop is closed.
func (s *signals) watch() {
	defer close(s.ended)
	for {
		sources, cases := s.cases()
		if cases == nil {
			return
		}
		if i, _, _ := reflect.Select(cases); i > 0 {
			s.deliver(sources[i-1])
		}
	}
}

// cases returns what to wait for: changes, and each source. It returns nil when there is nothing to
// wait for any more.
func (s *signals) cases() ([]*signalSource, []reflect.SelectCase) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, nil
	}
	cases := []reflect.SelectCase{{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(s.changed)}}
	for _, src := range s.sources {
		cases = append(cases, reflect.SelectCase{Dir: reflect.SelectRecv, Chan: reflect.ValueOf(src.came)})
	}
	return slices.Clone(s.sources), cases
}

// deliver queues the handlers of a signal. Handlers for the next signal only are taken off first,
// before the loop hears of this one.
func (s *signals) deliver(src *signalSource) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, h := range slices.Clone(src.handlers) {
		if h.once {
			s.drop(h)
			h.sig = src.sig
		}
		if h.queued.CompareAndSwap(false, true) {
			s.loop.core.Post(h)
			if h.timed.CompareAndSwap(false, true) {
				s.loop.core.World().Alarm(serveWithin, func() { s.unserved(h, src.sig) })
			}
		}
	}
}

// serveWithin is how long a signal may wait for its handler before that is told.
const serveWithin = time.Second

// unserved tells, in any mode, what keeps the loop from a handler that was queued: whoever presses
// Ctrl-C, and sees nothing happen, wants to know. It is called outside the loop.
func (s *signals) unserved(h *signalHandler, sig os.Signal) {
	h.timed.Store(false)
	s.mu.Lock()
	over := s.closed
	s.mu.Unlock()
	if over || !h.queued.Load() {
		return
	}
	core := &s.loop.core
	core.Logger().Warn("reactor: the loop is stalled: a signal waits for its handler",
		slog.String("signal", sig.String()), slog.Duration("since", serveWithin))
	core.LogStack(runningStack(core.Coroutines()))
}

// Close gives all signals their usual effect back, and waits for the goroutine.
func (s *signals) Close() error {
	s.mu.Lock()
	for _, src := range s.sources {
		s.loop.core.World().StopNotify(src.came)
		src.handlers = nil
	}
	s.sources, s.closed = nil, true
	s.nudge()
	started := s.started
	s.mu.Unlock()
	if started {
		<-s.ended
	}
	return nil
}
