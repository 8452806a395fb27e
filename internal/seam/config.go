package seam

import (
	"log/slog"
	"time"

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
	// Classes and AgeTurns are those of reactor.WithPriorities; no classes: first in, first out.
	Classes, AgeTurns int
	// Exception is a reactor.ExceptionHandler; its type is known only there.
	Exception any

	Debug    bool
	Slow     time.Duration // what takes longer is reported in debug mode, and to an Observer
	Alarm    Alarm         // of the watchdog
	Labels   bool          // name tasks in profiles
	Observer any           // a *reactor.Observer
	// Faults are what the kernel and the poller do wrong; nil: what FaultsVariable says, the zero value: nothing.
	Faults *Faults
}
