package reactor

import (
	"fmt"
	"log/slog"

	"github.com/corobridge/corobridge/internal/poll"
	"github.com/corobridge/corobridge/internal/seam"
)

// Option configures a Loop. Its parameter is internal: options are made by the With functions.
type Option func(*seam.Config)

// PollerKind names a facility of the operating system that tells when descriptors are ready: one of the constants below. Its method
// String returns the usual name.
type PollerKind = poll.Kind

const (
	Auto   = poll.Auto   // the best of the platform: epoll on Linux, kqueue on macOS and the BSDs
	Epoll  = poll.Epoll  // Linux
	Kqueue = poll.Kqueue // macOS and the BSDs
	Poll   = poll.Poll   // poll(2)
	Select = poll.Select // select(2): descriptors below 1024 only; registering a higher one fails, and says so
)

// WithPoller chooses the poller. New fails, with an error matching errors.ErrUnsupported, where there is none of the kind.
func WithPoller(k PollerKind) Option {
	return func(c *seam.Config) {
		c.Kind, c.Poller = k, func() (poll.Poller, error) { return poll.New(k) }
	}
}

// WithLogger sets where the loop logs what it has nobody to tell; the default is slog.Default().
func WithLogger(l *slog.Logger) Option { return func(c *seam.Config) { c.Logger = l } }

// WithWorkers bounds how many Offload calls run at once; the default is 64. It panics if n is not positive.
func WithWorkers(n int) Option {
	if n <= 0 {
		panic(fmt.Sprintf("reactor: WithWorkers(%d): give a positive number of workers", n))
	}
	return func(c *seam.Config) { c.Workers = n }
}

// WithExceptionHandler sets what is told of errors that nobody else can be told of; the default logs them.
func WithExceptionHandler(h ExceptionHandler) Option {
	return func(c *seam.Config) { c.Exception = h }
}
