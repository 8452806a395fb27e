package seam

import (
	"log/slog"

	"github.com/corobridge/corobridge/internal/poll"
)

// Config is what the options of reactor.New fill in. A nil field means the default.
type Config struct {
	Clock   Clock
	Poller  func() (poll.Poller, error)
	Kind    poll.Kind // of the poller
	Chooser Chooser
	Kernel  Kernel
	Logger  *slog.Logger
	Workers int // bound of concurrent Offload calls
	// Exception is a reactor.ExceptionHandler; its type is known only there.
	Exception any
}
