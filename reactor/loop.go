package reactor

import (
	"context"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/loop"
	"github.com/corobridge/corobridge/internal/world"
)

// ErrClosed is the error of calls on a closed loop. Calls that begin something new return it as
// soon as Close has begun; Offload, which unwinding needs, works until the end of Close. A call
// that returns no error says what it does.
var ErrClosed = loop.ErrClosed

// Loop is one reactor. Make one with New.
//
// Its methods may be called from any goroutine unless they say otherwise.
type Loop struct {
	// The turn: what is ready, timers, descriptors, and the door from other goroutines.
	core loop.Core

	// Its life. cause and failed are touched by the goroutine that runs the loop, and by others
	// after done is closed.
	cause  error         // why the loop is closed: ErrClosed, or what wraps it
	failed error         // what Close returns
	done   chan struct{} // closed when Close has finished

	// Its guests: what runs or waits elsewhere, and tells the loop.
	watchers watchers
	offload  offloader

	// Its looks: nil for a loop that nobody looks at.
	meter    *meter // touched on the loop, or by Look
	watchdog *watchdog
}

// New makes a loop. It fails when the process is out of descriptors, or the platform has no such
// poller.
func New(opts ...Option) (*Loop, error) {
	l := &Loop{cause: ErrClosed, done: make(chan struct{})}
	if err := l.init(newConfig(opts)); err != nil {
		return nil, fmt.Errorf("reactor: new loop: %w", err)
	}
	return l, nil
}

func (l *Loop) init(cfg *config) error {
	w, err := world.Open(cfg.layers...)
	if err != nil {
		return err
	}
	core := loop.Config{
		Owner: l, World: w, Kind: cfg.poller, Classes: cfg.classes, AgeTurns: cfg.ageTurns,
		Logger: cfg.logger, Debug: cfg.debug, Labels: cfg.labels, Observers: l.looks(cfg), Run: l.stepped,
	}
	if cfg.exception != nil {
		core.Exception = func(e Exception) { cfg.exception(l, e) }
	}
	if err := l.core.Init(&core); err != nil {
		return err
	}
	if l.watchdog != nil {
		l.core.Coroutines().NoteNumbers()
	}
	l.offload.init(l, cfg.workers)
	return nil
}

// FromContext returns the loop that ctx carries.
func FromContext(ctx context.Context) (*Loop, bool) {
	if c := loop.From(ctx); c != nil {
		return c.Owner().(*Loop), true
	}
	return nil, false
}

// WithLoop returns ctx carrying l instead of the loop it carried, if any: for work that has to run
// elsewhere.
func WithLoop(ctx context.Context, l *Loop) context.Context {
	if l == nil {
		panic("reactor: WithLoop with nil; give the loop that the context is to carry")
	}
	return l.core.With(ctx)
}

// Context returns the loop's root context: it carries the loop, and is cancelled with ErrClosed by
// Close. If the loop closes by itself, its poller having failed for good, the cause matches
// ErrClosed and wraps that error.
func (l *Loop) Context() context.Context { return l.core.Context() }

// InLoop reports whether the caller runs on this loop, in a callback or in a task.
func (l *Loop) InLoop() bool { return l.core.InLoop() }

// Now returns the loop's time: the time of day as the loop last read it, which it does each time it
// has looked for events, and under load not in every turn. From a goroutine outside the loop it
// reads the clock.
func (l *Loop) Now() time.Time { return l.core.Now() }

// CallSoon queues fn for the next turn, after what is queued already. It never runs fn itself. It
// may be called from any goroutine, and the calls of one goroutine keep their order. It returns
// ErrClosed once Close has begun. It panics if fn is nil.
func (l *Loop) CallSoon(fn func()) error {
	if fn == nil {
		panic("reactor: CallSoon needs a function")
	}
	if l.core.Closing() {
		return l.core.Refused("CallSoon")
	}
	return l.core.Post(loop.Callback(fn))
}

// Timer is a scheduled callback. It is a small value to be copied freely; the zero Timer, which a
// closed loop returns, is not pending. Its methods may be called from any goroutine.
//
//   - Stop prevents the call and reports whether it did: false when the timer has fired or was
//     stopped before, or the loop is closed. For an Every it prevents all calls to come, also while
//     its function runs. A stopped timer takes no memory, and does not wake the loop.
//   - Reset(d) moves the call to d from now, behind the timers that are set for the same time
//     already, and reports whether it did. If the timer has fired or was stopped, or the loop is
//     closed, it does nothing and returns false. For an Every it moves the next call, and those
//     after it follow that one.
//   - Pending reports whether the call is still to come; of an Every, whether there are calls to
//     come.
//   - When returns the time of the call, by the time of day as it is now; the zero time for the
//     zero Timer.
type Timer = loop.Timer

// CallLater runs fn on the loop after d, which is taken for zero if it is negative. fn never runs
// in the turn that calls CallLater. It may be called from any goroutine. On a closed loop it
// returns the zero Timer, and Close drops what is still pending. It panics if fn is nil.
//
// Timers go by the loop's monotonic clock: setting the time of day moves none of them. If that
// clock jumps, as it may where it counts the time that the machine was suspended, then everything
// that is due fires at once, each timer once, in the order of their times.
func (l *Loop) CallLater(d time.Duration, fn func()) Timer { return l.core.PostLater(d, needed(fn)) }

// CallAt runs fn on the loop at t, or soon if t has passed. Calls for the same time run in the
// order they were made in. The time that remains is measured once, on the monotonic clock; see
// CallLater.
func (l *Loop) CallAt(t time.Time, fn func()) Timer { return l.core.PostAt(t, needed(fn)) }

// Every calls fn on the loop each d: at d, 2d, 3d from now and so on, however long the calls take,
// so that nothing drifts. Two calls never run at once. A call that comes late, because the loop was
// busy or the clock has jumped, is made once; times that have passed when fn returns are skipped.
// The Timer's Stop ends it, from fn too. Its Reset(e) makes the next call at e from now, and the
// others d apart from that one. If fn panics, that is reported as any callback's panic, and the
// calls go on.
//
// It may be called from any goroutine. On a closed loop it returns the zero Timer. It panics if d
// is not positive, or fn is nil.
func (l *Loop) Every(d time.Duration, fn func()) Timer {
	if d <= 0 {
		panic(fmt.Sprintf("reactor: Every(%v): give a positive time between two calls", d))
	}
	return l.core.Every(d, needed(fn))
}

// needed panics here for a function that is nil, since later nobody would know who has given it.
func needed(fn func()) loop.Callback {
	if fn == nil {
		panic("reactor: CallLater, CallAt and Every need a function")
	}
	return fn
}

// Deadline is a time by which something has to happen, and which is put off again and again: the
// end of a connection's idleness, say. Putting it off costs no timer operation, it only notes the
// time.
//
// It is a field of what it watches: the two are one piece of memory, and it must not be copied.
// Init comes first. The methods Extend, Stop, Pending and When may then be called from any
// goroutine.
type Deadline struct{ deadline }

type deadline = loop.Deadline

// Init makes the deadline one of the loop l, not pending. r's method Run is called on the loop when
// the deadline has passed. A second Init panics, and so does one without a loop or something to
// run.
func (d *Deadline) Init(l *Loop, r interface{ Run() }) {
	if l == nil || r == nil {
		panic("reactor: Init of a Deadline needs a loop, and something to run")
	}
	d.deadline.Init(&l.core, r)
}

// AtClose registers fn to be called on the loop when Close begins, to cancel what would keep it
// waiting; soon, if Close has begun; never, if the loop is closed. The latest registered is called
// first. remove, from any goroutine, undoes the registration. It panics if fn is nil.
func (l *Loop) AtClose(fn func()) (remove func()) {
	if fn == nil {
		panic("reactor: AtClose needs a function")
	}
	r := &removable{fn}
	l.core.At(loop.Closing, r)
	return func() { l.core.Not(loop.Closing, r) }
}

// removable is a function as something that can be told from others, and so be removed.
type removable struct{ fn func() }

func (r *removable) Run() { r.fn() }

// Calls is part of loop.Calling.
func (r *removable) Calls() (op string, fn any) { return "", r.fn }

// PanicError carries a recovered panic. Its fields are Value, what panic was called with, and Stack
// []byte, as debug.Stack formats it. If Value is an error, errors.Is and errors.As find it.
type PanicError = coro.PanicError

// Exception is what went wrong where nobody could be told. Op is what was being done: "callback",
// "timer", "ready", "task", "group" and so on. Name is that of the task, if it has one. Err is a
// *PanicError for a panic. Site is where what failed was started, in debug mode.
type Exception = loop.Exception

// ExceptionHandler is told of an Exception, on the loop. It must not block.
type ExceptionHandler func(l *Loop, e Exception)
