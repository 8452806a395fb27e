package reactor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/seam"
)

// ErrClosed is the error of calls on a closed loop. Calls that begin something new return it as soon as Close has begun; those that
// unwinding needs, Post, Hold and Offload, work until the end of Close. A call that returns no error says what it does.
var ErrClosed = errors.New("reactor: loop is closed")

// Runnable is an entry of the ready queue, what Post takes: an interface of the one method Run().
type Runnable = coro.Runnable

// callback makes a function an entry of the ready queue. A func value is one pointer, so the interface holds it without
// an allocation.
type callback func()

func (f callback) Run() { f() }

// Loop is one reactor. Make one with New.
//
// Its methods may be called from any goroutine unless they say otherwise.
type Loop struct {
	clock     seam.Clock
	chooser   seam.Chooser
	scheduler scheduler // nil for first in, first out
	kernel    seam.Kernel
	poller    poll.Poller
	faults    *seam.FaultLayer // nil: none
	kind      poll.Kind
	logger    *slog.Logger
	exception ExceptionHandler

	coros coro.Pool
	root  *rootContext
	door  door
	fds   sourceTable
	loc   locals
	off   offloader
	done  chan struct{}

	closing atomic.Bool // Close has begun
	closed  bool        // nothing is taken any more; read on the loop, under door.mu or under life; set under both
	stop    atomic.Bool // leave the run after this turn: to return, or to close

	life     sync.Mutex // guards the following
	running  bool
	holds    map[*hold]struct{}
	cancels  []*func() // AtClose
	asked    []func()  // by goroutines that want to look: see Look
	watchers map[int]*watcher

	backoffs atomic.Uint64
	inspection

	// The turn. Touched on the loop only.
	ready   readyQueue
	flushes onceList // run when the batch ends
	ends    onceList // run at the end of the turn
	hooks   []*hook  // run before each poll
	timers  timerHeap
	day     daytime
	now     time.Duration
	pace    pace
	events  []poll.Event
	found   []report // of the last poll …
	foundAt int      // … and how far they have been delivered
	trouble pollTrouble
	cause   error // why the loop is closed: ErrClosed, or what wraps it
	goexit  bool  // a task called runtime.Goexit
	ending  bool  // shutdown has begun
	oneTurn bool  // Turn was called, not Run
	stats   Stats
}

// New makes a loop. It fails when the process is out of descriptors, or the platform has no such poller.
func New(opts ...Option) (*Loop, error) {
	var cfg seam.Config
	for _, o := range opts {
		o(&cfg)
	}
	l := &Loop{
		clock: cfg.Clock, chooser: cfg.Chooser, scheduler: newScheduler(&cfg), kernel: cfg.Kernel, logger: cfg.Logger,
		cause: ErrClosed, done: make(chan struct{}), holds: map[*hold]struct{}{}, watchers: map[int]*watcher{}, events: make([]poll.Event, eventsAtOnce),
	}
	if l.clock == nil {
		l.clock = seam.SystemClock()
	}
	if l.logger == nil {
		l.logger = slog.Default()
	}
	if l.exception, _ = cfg.Exception.(ExceptionHandler); l.exception == nil {
		l.exception = logException
	}
	if l.kernel == nil {
		k, err := seam.System()
		if err != nil {
			return nil, fmt.Errorf("reactor: new loop: %w", err)
		}
		l.kernel = k
	}
	if cfg.Poller == nil {
		cfg.Poller = func() (poll.Poller, error) { return poll.New(poll.Auto) }
	}
	faults, err := cfg.FaultLayer()
	if err != nil {
		return nil, fmt.Errorf("reactor: new loop: %w", err)
	}
	p, err := faults.Poller(cfg.Poller)
	if err != nil {
		return nil, fmt.Errorf("reactor: new loop: %w", err)
	}
	l.kernel, l.faults = faults.Kernel(l.kernel), faults
	l.poller, l.kind = p, cfg.Kind
	l.initInspection(&cfg)
	l.off.init(l, cfg.Workers)
	l.root = newRootContext(l)
	l.now = l.clock.Now()
	l.coros.Init(l, l.Post, l.ready.push, func() { l.goexit = true })
	l.coros.ReportTo(l.reportLoss, cfg.Debug)
	return l, nil
}

// CallSoon queues fn for the next turn, after what is queued already. It never runs fn itself. It may be called from any
// goroutine, and the calls of one goroutine keep their order. It returns ErrClosed once Close has begun.
func (l *Loop) CallSoon(fn func()) error {
	if l.closing.Load() {
		return l.refused("CallSoon")
	}
	return l.Post(callback(fn))
}

// Post is CallSoon for a value that is queued often and would need a closure each time. While the loop is closing it
// still takes what unwinding tasks need, and Close waits for all of it: what posts itself again and again has to end with the loop's
// Context. It returns ErrClosed once the loop is closed.
func (l *Loop) Post(r Runnable) error {
	if !l.coros.Inside() {
		return l.postForeign(r)
	}
	if l.closed {
		return ErrClosed
	}
	l.ready.push(r)
	return nil
}

// InLoop reports whether the caller runs on this loop, in a callback or in a task.
func (l *Loop) InLoop() bool { return l.coros.Inside() }

// Now returns the loop's time: the time of day as the loop last read it, which it does each time it has looked for events, and
// under load not in every turn. From a goroutine outside the loop it reads the clock.
func (l *Loop) Now() time.Time {
	if !l.InLoop() {
		return l.clock.Wall()
	}
	return l.wallAt(l.now)
}

// wallAt is a time of the loop's monotonic clock as a time of day.
func (l *Loop) wallAt(when time.Duration) time.Time { return l.day.at(l.clock, when) }

// Context returns the loop's root context: it carries the loop, and is cancelled with ErrClosed by Close. If the loop closes by
// itself, its poller having failed for good, the cause matches ErrClosed and wraps that error.
func (l *Loop) Context() context.Context { return l.root }

// Coroutines returns the loop's coroutine pool. It is for the packages of this module.
func (l *Loop) Coroutines() *coro.Pool { return &l.coros }

// Clock returns the loop's clock, which Now lags behind. It is for the packages of this module.
func (l *Loop) Clock() seam.Clock { return l.clock }

// Kernel returns the loop's socket seam. It is for the packages of this module.
func (l *Loop) Kernel() seam.Kernel { return l.kernel }

// Logger returns where the loop logs.
func (l *Loop) Logger() *slog.Logger { return l.logger }
