package reactor

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/world"
)

// Option configures a Loop. Options are made by the With functions.
type Option func(*config)

// config is what the options fill in.
type config struct {
	layers    []world.Layer // around the World, the first one innermost
	poller    PollerKind
	logger    *slog.Logger
	exception ExceptionHandler // nil logs
	workers   int              // bound of concurrent Offload calls

	// Of WithPriorities: no classes mean first in, first out.
	classes, ageTurns int

	debug     bool
	slow      time.Duration // what takes longer is reported in debug mode, and to an Observer
	labels    bool          // name tasks in profiles
	observers []*Observer
}

// newConfig returns the defaults, changed by opts.
func newConfig(opts []Option) *config {
	c := &config{logger: slog.Default(), workers: 64, slow: defaultSlow}
	for _, o := range opts {
		o(c)
	}
	return c
}

// WithWorld puts a layer around what the loop touches outside its own memory, or replaces that: it
// is for simulations and tests of this module. Of several layers, a later one is around those
// before it.
func WithWorld(layer world.Layer) Option {
	return func(c *config) { c.layers = append(c.layers, layer) }
}

// PollerKind names a facility of the operating system that tells when descriptors are ready: one of
// the constants below. Its method String returns the usual name.
type PollerKind = poll.Kind

const (
	Auto   = poll.Auto   // the best of the platform: epoll on Linux, kqueue on macOS and the BSDs
	Epoll  = poll.Epoll  // Linux
	Kqueue = poll.Kqueue // macOS and the BSDs
	Poll   = poll.Poll   // poll(2)
	Select = poll.Select // select(2): registering a descriptor above 1023 fails, and says so
)

// WithPoller chooses the poller. New fails, with an error matching errors.ErrUnsupported, where
// there is none of the kind.
func WithPoller(k PollerKind) Option { return func(c *config) { c.poller = k } }

// WithLogger sets where the loop logs what it has nobody to tell; the default is slog.Default().
func WithLogger(l *slog.Logger) Option {
	if l == nil {
		l = slog.Default()
	}
	return func(c *config) { c.logger = l }
}

// WithWorkers bounds how many Offload calls run at once; the default is 64. It panics if n is not
// positive.
func WithWorkers(n int) Option {
	if n <= 0 {
		panic(fmt.Sprintf("reactor: WithWorkers(%d): give a positive number of workers", n))
	}
	return func(c *config) { c.workers = n }
}

// WithExceptionHandler sets what is told of errors that nobody else can be told of; the default
// logs them.
func WithExceptionHandler(h ExceptionHandler) Option {
	return func(c *config) { c.exception = h }
}

// WithObserver adds an observer, which is told what the loop does. Given several times, it adds
// each. o is copied. Several loops may share an observer, whose functions must then be safe for
// that.
func WithObserver(o *Observer) Option {
	return func(c *config) {
		if o != nil {
			own := *o
			c.observers = append(c.observers, &own)
		}
	}
}

// defaultSlow is asyncio's slow_callback_duration.
const defaultSlow = 100 * time.Millisecond

// WithDebug makes the loop say what is wrong with the program that it runs, at some cost:
//
//   - A callback, or a step of a task, that takes slow (0: 100 ms) or longer is logged when it
//     ends; and while it runs, with its stack, by a watchdog outside the loop.
//   - A call of CallSoon, CallLater or CallAt on a loop that is closed, or closing, is logged with
//     the place it was made.
//   - An error of a task that nobody retrieves is reported with the place where the task was
//     started.
//   - An error of another future that failed on the loop, and that nobody retrieves, is reported
//     too.
//   - A connection that is collected without Close is reported with the place where it was made.
//   - Tasks that wait for each other in a circle, and a loop that sleeps although it knows of
//     nothing that could wake its tasks, are reported before it sleeps: see inspect.DeadlockError.
//   - Profiles name tasks, as WithProfileLabels makes them.
//
// It panics if slow is negative.
func WithDebug(slow time.Duration) Option {
	if slow < 0 {
		panic(fmt.Sprintf("reactor: WithDebug(%v): give a positive duration, or 0 for %v", slow, defaultSlow))
	}
	return func(c *config) {
		if c.debug = true; slow != 0 {
			c.slow = slow
		}
	}
}

// WithProfileLabels gives each task that has a name (see task.Name) the profiler label "task" with
// that name, and the goroutines that the task starts too.
func WithProfileLabels() Option { return func(c *config) { c.labels = true } }

// WithPriorities has what is ready run by urgency instead of in order. There are so many classes,
// of which 0 is the most urgent; a higher one than there is means the last. A task has the class of
// task.Priority. Everything else, callbacks included, is of class 0.
//
// A turn then runs the 64 most urgent items, and the others wait for a later one. But they age: an
// item of class c goes before everything that becomes ready more than c times ageTurns turns after
// it, so no class starves. Items of the same class keep their order. Timers and readiness events
// are no items: they come in each turn that looks for them.
//
// Without this option there is one class. It panics if one of the numbers is not positive.
func WithPriorities(classes, ageTurns int) Option {
	if classes <= 0 || ageTurns <= 0 {
		panic(fmt.Sprintf("reactor: WithPriorities(%d, %d): give positive numbers of classes and turns", classes, ageTurns))
	}
	return func(c *config) { c.classes, c.ageTurns = classes, ageTurns }
}
