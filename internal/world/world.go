package world

import (
	"context"
	"net/netip"
	"os"
	"time"

	"github.com/corobridge/corobridge/internal/poll"
)

// World is the outside of one loop. Each loop opens its own when it is made.
//
// A method may be called from any goroutine, and does not block its caller, unless it says
// otherwise.
type World interface {
	Clock
	Kernel
	Resolver
	Processes
	Signals
	Goroutines

	// OpenPoller makes a poller of a kind; package poll has its contract. The error matches
	// errors.ErrUnsupported if there is none of the kind. A loop has one poller at a time. To
	// change the kind, it opens another and closes the first.
	OpenPoller(kind poll.Kind) (poll.Poller, error)

	// Chooser returns what picks the next ready item; nil means first in, first out. The loop asks
	// once, when it is made, so without a Chooser it pays only for a nil check.
	Chooser() Chooser

	// Faults returns the faults that Open puts around this World. Nil leaves them to the
	// environment; the zero value means none.
	Faults() *Faults
}

// Layer returns a World that wraps the given one, or replaces it. It is called once for each loop.
type Layer func(World) World

// Open opens the World of one loop: System, the layers around it, the first one innermost, and
// around all of that the faults. It fails if the environment asks for faults that make no sense.
func Open(layers ...Layer) (World, error) {
	w := System()
	for _, layer := range layers {
		w = layer(w)
	}
	return withFaults(w)
}

// Chooser picks which of n ready items runs next: 0 ≤ Choose(n) < n. It is called on the loop.
type Chooser interface{ Choose(n int) int }

// Clock tells the time, and waits.
type Clock interface {
	// Now is monotonic time since some fixed point. Setting the time of day does not move it.
	Now() time.Duration

	// Wall is the time of day.
	Wall() time.Time

	// Alarm calls ring once, after d, on a goroutine of its own. stop prevents that, and reports
	// whether it did. Alarm is for what must happen even if the loop is stuck, and its timers with
	// it.
	Alarm(d time.Duration, ring func()) (stop func() bool)

	// Sleep blocks its caller for d. A loop whose poller fails has nothing else to wait with.
	Sleep(d time.Duration)
}

// Resolver finds the addresses of names.
type Resolver interface {
	// LookupHost returns the addresses of a host, at least one, or an error. An IP address stands
	// for itself. IPv4 addresses are not IPv4-mapped.
	//
	// LookupHost blocks its caller until it knows, or until ctx ends. It may bound how many lookups
	// go on at once.
	LookupHost(ctx context.Context, host string) ([]netip.Addr, error)

	// LookupPort returns the port of a service of "tcp", "tcp4" or "tcp6". It blocks as LookupHost
	// does.
	LookupPort(ctx context.Context, network, service string) (uint16, error)
}

// Processes watches and awaits child processes.
type Processes interface {
	// OpenProcess returns a new descriptor of p that becomes readable when p has exited, and stays
	// so. It refers to p even if p's number is another process's by now. Kernel.Close closes it.
	//
	// The error matches errors.ErrUnsupported where there is no such descriptor, os.ErrProcessDone
	// if p has been waited for, or is the system call's.
	OpenProcess(p *os.Process) (fd int, err error)

	// WaitProcess is p.Wait. It blocks its caller until p has exited.
	WaitProcess(p *os.Process) (*os.ProcessState, error)
}

// Signals brings the signals of the process, as package os/signal does.
type Signals interface {
	// Notify sends sig to c each time the process gets it, if c has room.
	Notify(c chan<- os.Signal, sig os.Signal)

	// StopNotify undoes Notify. When it returns, nothing is sent to c any more.
	StopNotify(c chan<- os.Signal)
}

// Goroutines starts what does not run on the loop.
type Goroutines interface {
	// Go calls fn on a goroutine of its own. fn may block, and may call runtime.Goexit.
	Go(fn func())

	// AfterFunc calls fn once, after ctx has ended, on a goroutine of its own, as
	// context.AfterFunc does. stop prevents that, and reports whether it did.
	AfterFunc(ctx context.Context, fn func()) (stop func() bool)
}
