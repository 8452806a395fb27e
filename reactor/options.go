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
	exception ExceptionHandler
	workers   int // bound of concurrent Offload calls

	// Of WithPriorities: no classes mean first in, first out.
	classes, ageTurns int

	debug    bool
	slow     time.Duration // what takes longer is reported in debug mode, and to an Observer
	labels   bool          // name tasks in profiles
	observer *Observer
}

// newConfig returns the defaults, changed by opts.
func newConfig(opts []Option) *config {
	c := &config{logger: slog.Default(), exception: logException, workers: 64, slow: defaultSlow}
	for _, o := range opts {
		o(c)
	}
	return c
}

// WithWorld puts a layer around what the loop touches outside its own memory, or replaces that: it is
// for simulations and tests of this module. Of several layers, a later one is around those before it.
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

// WithPoller chooses the poller. New fails, with an error matching errors.ErrUnsupported, where there
// is none of the kind.
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

// WithExceptionHandler sets what is told of errors that nobody else can be told of; the default logs
// them.
func WithExceptionHandler(h ExceptionHandler) Option {
	if h == nil {
		h = logException
	}
	return func(c *config) { c.exception = h }
}
