package loop

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/corobridge/corobridge/internal/coro"
	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
)

// ErrClosed is the error of calls on a closed loop: reactor.ErrClosed.
var ErrClosed = errors.New("reactor: loop is closed")

// Runnable is an entry of the ready queue: an interface of the one method Run().
type Runnable = coro.Runnable

// Callback makes a function an entry of the ready queue. A func value is one pointer, so the
// interface holds it without an allocation.
type Callback func()

// Run calls the function.
func (f Callback) Run() { f() }

// Config is what a Core is made of. All fields are needed, except for those that say otherwise.
type Config struct {
	Owner     any // the loop that users see
	World     world.World
	Kind      poll.Kind       // of the poller
	Classes   int             // of reactor.WithPriorities; below 2: first in, first out
	AgeTurns  int             // of reactor.WithPriorities
	Logger    *slog.Logger    // where what nobody is told is logged
	Exception func(Exception) // the exception handler; nil logs
	Debug     bool
	Labels    bool        // tasks are named in profiles
	Observers []*Observer // may be empty

	// Run runs the loop on the calling goroutine for as long as turns does: see Steps.
	Run func(turns func()) error
}

// Core is the turn of a loop. Init makes it ready for use, and it must not be copied.
//
// Its methods may be called from any goroutine unless they say "on the loop": in a callback, in a
// coroutine of the loop, or in the goroutine that has claimed the loop.
type Core struct {
	// Set by Init, and only read after that.
	config
	root  *root
	coros coro.Pool

	// Guarded by mutexes of their own.
	door    door
	sources sourceTable
	locals  locals
	life    life

	// Atomic, so that any goroutine may look.
	closing  atomic.Bool // Close has begun
	stop     atomic.Bool // the run is to end after this turn
	again    atomic.Bool // see lookAgain
	seen     atomic.Pointer[observers]
	backoffs atomic.Uint64
	day      daytime

	// Read on the loop, or under door.mu, or under life.mu. Set under both.
	closed bool // nothing is taken any more

	// The turn. Touched on the loop only.
	ready   readyQueue
	moments [loopMoments]list
	timers  timerHeap
	now     time.Duration
	pace    pace
	polling polling
	counts  Counts
	steps   steps
	goexit  bool // a coroutine's job has called runtime.Goexit
	ending  bool // the loop unwinds: it waits only for those that hold it
	single  bool // Step was called, not Turn
}

// config is a Config in the Core.
type config struct {
	owner     any
	world     world.World
	chooser   world.Chooser // nil: in order
	logger    *slog.Logger
	exception func(Exception)
	run       func(turns func()) error
	debug     bool
	labels    bool
}

// Init makes the Core ready for use. It fails if the poller can't be opened.
func (c *Core) Init(cfg *Config) error {
	p, err := cfg.World.OpenPoller(cfg.Kind)
	if err != nil {
		return err
	}
	c.config = config{
		owner: cfg.Owner, world: cfg.World, chooser: cfg.World.Chooser(), logger: cfg.Logger,
		exception: cfg.Exception, run: cfg.Run, debug: cfg.Debug, labels: cfg.Labels || cfg.Debug,
	}
	if c.exception == nil {
		c.exception = c.log
	}
	c.polling.init(p, cfg.Kind)
	c.ready.held = newHeldBack(cfg.Classes, cfg.AgeTurns)
	c.root = newRoot(c)
	c.now = c.world.Now()
	c.pace.init()
	c.coros.Init(c, c, cfg.World, func() { c.goexit = true })
	c.coros.ReportTo(c.reportLoss, cfg.Debug)
	for _, o := range cfg.Observers {
		c.Observe(o)
	}
	return nil
}

// Post queues r for the next turn, behind what is queued already. While the loop is closing it
// still takes what unwinding needs, and Close waits for all of it: what posts itself again and
// again has to end with the loop's context. It returns ErrClosed once the loop is closed.
func (c *Core) Post(r Runnable) error {
	if r == nil {
		panic("loop: Post(nil); give something to run")
	}
	if !c.coros.Inside() {
		return c.postForeign(r)
	}
	if c.closed {
		return ErrClosed
	}
	c.ready.push(r)
	return nil
}

// Push is Post for a caller that is on the loop, and so is not refused.
func (c *Core) Push(r Runnable) { c.ready.push(r) }

// InLoop reports whether the caller runs on the loop, in a callback or in a coroutine.
func (c *Core) InLoop() bool { return c.coros.Inside() }

// Refused is ErrClosed, as the result of a call that would have queued a callback. In debug mode it
// is logged, with the place of the call.
func (c *Core) Refused(call string) error {
	if c.debug {
		c.logger.Warn("reactor: a callback was scheduled after Close", slog.String("call", call), slog.String("at", c.Site()))
	}
	return ErrClosed
}

// Now returns the loop's time: the time of day as the loop last read it, which it does each time it
// has looked for events, and under load not in every turn. Outside the loop it reads the clock.
func (c *Core) Now() time.Time {
	if !c.InLoop() {
		return c.world.Wall()
	}
	return c.wallAt(c.now)
}

// wallAt is a time of the loop's monotonic clock as a time of day.
func (c *Core) wallAt(when time.Duration) time.Time { return c.day.at(c.world, when) }

// Owner returns the loop that users see, a *reactor.Loop.
func (c *Core) Owner() any { return c.owner }

// Coroutines returns the loop's coroutine pool.
func (c *Core) Coroutines() *coro.Pool { return &c.coros }

// World returns what the loop touches outside its own memory. Now lags behind its clock.
func (c *Core) World() world.World { return c.world }

// Logger returns where the loop logs.
func (c *Core) Logger() *slog.Logger { return c.logger }

// Debug reports whether the loop is in debug mode.
func (c *Core) Debug() bool { return c.debug }

// NamesTasks reports whether tasks are to be named in profiles.
func (c *Core) NamesTasks() bool { return c.labels }
