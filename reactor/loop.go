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
	"github.com/corobridge/corobridge/internal/world"
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
	world     world.World
	clock     world.Clock   // its clock
	chooser   world.Chooser // nil for first in, first out
	scheduler scheduler     // nil for first in, first out
	poller    poll.Poller
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
	cfg := newConfig(opts)
	w, err := world.Open(cfg.layers...)
	if err != nil {
		return nil, fmt.Errorf("reactor: new loop: %w", err)
	}
	l := &Loop{
		world: w, clock: w, chooser: w.Chooser(), scheduler: newScheduler(cfg), kind: cfg.poller, logger: cfg.logger, exception: cfg.exception,
		cause: ErrClosed, done: make(chan struct{}), holds: map[*hold]struct{}{}, watchers: map[int]*watcher{}, events: make([]poll.Event, eventsAtOnce),
	}
	if l.poller, err = w.OpenPoller(cfg.poller); err != nil {
		return nil, fmt.Errorf("reactor: new loop: %w", err)
	}
	l.initInspection(cfg)
	l.off.init(l, cfg.workers)
	l.root = newRootContext(l)
	l.now = l.clock.Now()
	l.coros.Init(l, w, l.Post, l.ready.push, func() { l.goexit = true })
	l.coros.ReportTo(l.reportLoss, cfg.debug)
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

// World returns what the loop touches outside its own memory. It is for the packages of this module.
func (l *Loop) World() world.World { return l.world }

// Clock returns the loop's clock, which Now lags behind. It is for the packages of this module.
func (l *Loop) Clock() world.Clock { return l.clock }

// Logger returns where the loop logs.
func (l *Loop) Logger() *slog.Logger { return l.logger }
