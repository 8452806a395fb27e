package seam

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/corobridge/corobridge/internal/poll"
)

// Faults says how often a loop's kernel and poller do what they rarely do. Each rate is a probability, below 1. Of these, EAGAIN,
// Short, EINTR and Aborted must not be seen above the library, and EMFILE only as a delay; the others are errors to its callers.
type Faults struct {
	EAGAIN  float64 // reads, writes and accepts find nothing, at first
	Short   float64 // reads and writes move a part
	EINTR   float64 // waits end early, calls are interrupted, connects go on by themselves
	Aborted float64 // accepts fail with ECONNABORTED
	EMFILE  float64 // accepts fail with EMFILE
	ENOBUFS float64 // writes fail with ENOBUFS
	Refused float64 // connects fail with ECONNREFUSED
	Seed    uint64  // the sequence of each kind of call depends on it alone
}

// FaultsVariable is the environment variable that gives loops their faults, if their Config does not.
const FaultsVariable = "COROBRIDGE_FAULTS"

// ParseFaults reads what FaultsVariable holds: name=value, separated by commas, such as "eagain=0.3,short=0.5,seed=7". The names are eagain, short,
// eintr, econnaborted, emfile, enobufs, econnrefused and seed; what is not named is 0.
func ParseFaults(spec string) (Faults, error) {
	var f Faults
	rates := map[string]*float64{
		"eagain": &f.EAGAIN, "short": &f.Short, "eintr": &f.EINTR, "econnaborted": &f.Aborted,
		"emfile": &f.EMFILE, "enobufs": &f.ENOBUFS, "econnrefused": &f.Refused,
	}
	for item := range strings.SplitSeq(spec, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		if name == "seed" {
			seed, err := strconv.ParseUint(value, 10, 64)
			if err != nil {
				return Faults{}, fmt.Errorf("seam: faults %q: the seed must be a whole number: %w", spec, err)
			}
			f.Seed = seed
			continue
		}
		rate := rates[name]
		if rate == nil {
			return Faults{}, fmt.Errorf("seam: faults %q: there is no fault %q", spec, name)
		}
		p, err := strconv.ParseFloat(value, 64)
		if err == nil && !(p >= 0 && p < 1) { // at 1 nothing would ever move; NaN is no rate
			err = errors.New("it is out of range")
		}
		if err != nil {
			return Faults{}, fmt.Errorf("seam: faults %q: the rate of %s must be a number from 0 to below 1: %w", spec, name, err)
		}
		*rate = p
	}
	return f, nil
}

// FaultLayer makes the faults of one loop. Nil is the layer that makes none.
//
// It keeps the contract of what it wraps. Above all, who has been told that a descriptor blocks, or has seen a transfer fall short,
// waits for the next edge. For what was only pretended the kernel makes none, so the layer reports readiness itself, in the next
// Wait.
type FaultLayer struct {
	Faults
	mu      sync.Mutex
	dice    [callKinds]*rand.PCG
	pollers []*faultyPoller
}

// callKind is a kind of call that has a sequence of its own, so that it does not depend on how often others are made.
type callKind int

const (
	reads callKind = iota
	writes
	accepts
	connects
	waits
	interrupts
	callKinds
)

// FaultLayer returns the layer that c, or else the environment, asks for: nil without faults, and an error when the environment makes no sense.
func (c *Config) FaultLayer() (*FaultLayer, error) {
	f := c.Faults
	if spec := os.Getenv(FaultsVariable); f == nil && spec != "" {
		parsed, err := ParseFaults(spec)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", FaultsVariable, err)
		}
		f = &parsed
	}
	if f == nil || *f == (Faults{Seed: f.Seed}) {
		return nil, nil
	}
	l := &FaultLayer{Faults: *f}
	for kind := range l.dice {
		l.dice[kind] = rand.NewPCG(f.Seed, uint64(kind))
	}
	return l, nil
}

// happens rolls the dice of a kind of call.
func (l *FaultLayer) happens(kind callKind, rate float64) bool {
	if rate == 0 {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return rand.New(l.dice[kind]).Float64() < rate
}

// interrupted is asked before each call of the system's kernel: a call that was is repeated there.
func (l *FaultLayer) interrupted() bool { return l.happens(interrupts, l.EINTR) }

// part returns how much of n bytes a transfer moves: often all, and often a single one.
func (l *FaultLayer) part(kind callKind, n int) int {
	if n <= 1 || !l.happens(kind, l.Short) {
		return n
	}
	if l.happens(kind, 0.5) {
		return 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return 1 + rand.New(l.dice[kind]).IntN(n-1)
}

// owe makes the pollers report a direction of fd that only pretended to block.
func (l *FaultLayer) owe(fd int, dir poll.Events) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, p := range l.pollers {
		p.owe(fd, dir)
	}
}

// Kernel returns k with the faults.
func (l *FaultLayer) Kernel(k Kernel) Kernel {
	if l == nil {
		return k
	}
	if _, ok := k.(kernel); ok {
		k = kernel{faults: l} // which repeats what is interrupted
	}
	return &faultyKernel{k, l}
}

// faultyKernel is a Kernel with faults.
type faultyKernel struct {
	Kernel
	faults *FaultLayer
}

// Unwrap returns the kernel below.
func (k *faultyKernel) Unwrap() Kernel { return k.Kernel }

func (k *faultyKernel) Read(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	if k.faults.happens(reads, k.faults.EAGAIN) {
		k.faults.owe(fd, poll.Readable)
		return 0, syscall.EAGAIN
	}
	whole := min(len(p), MaxTransfer)
	part := k.faults.part(reads, whole)
	n, errno := k.Kernel.Read(fd, p[:part])
	if n == part && part < whole {
		k.faults.owe(fd, poll.Readable)
	}
	return n, errno
}

func (k *faultyKernel) Write(fd int, p []byte) (int, syscall.Errno) {
	if errno := k.refuse(fd, len(p)); errno != 0 {
		return 0, errno
	}
	whole := min(len(p), MaxTransfer)
	part := k.faults.part(writes, whole)
	n, errno := k.Kernel.Write(fd, p[:part])
	if n == part && part < whole {
		k.faults.owe(fd, poll.Writable)
	}
	return n, errno
}

func (k *faultyKernel) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	whole := 0
	for _, b := range bufs {
		whole += len(b)
	}
	if errno := k.refuse(fd, whole); errno != 0 {
		return 0, errno
	}
	part := k.faults.part(writes, whole)
	if part == whole {
		return k.Kernel.Writev(fd, bufs)
	}
	var some [][]byte
	for left := part; left > 0; bufs = bufs[1:] {
		b := bufs[0][:min(left, len(bufs[0]))]
		some = append(some, b)
		left -= len(b)
	}
	n, errno := k.Kernel.Writev(fd, some)
	if errno == 0 {
		k.faults.owe(fd, poll.Writable)
	}
	return n, errno
}

// refuse is why n bytes are not written at all, 0 if they are.
func (k *faultyKernel) refuse(fd, n int) syscall.Errno {
	switch {
	case n == 0:
		return 0
	case k.faults.happens(writes, k.faults.EAGAIN):
		k.faults.owe(fd, poll.Writable)
		return syscall.EAGAIN
	case k.faults.happens(writes, k.faults.ENOBUFS):
		return syscall.ENOBUFS
	}
	return 0
}

func (k *faultyKernel) Accept(fd int) (int, Addr, syscall.Errno) {
	switch {
	case k.faults.happens(accepts, k.faults.EAGAIN):
		k.faults.owe(fd, poll.Readable)
		return -1, Addr{}, syscall.EAGAIN
	case k.faults.happens(accepts, k.faults.Aborted):
		return -1, Addr{}, syscall.ECONNABORTED
	case k.faults.happens(accepts, k.faults.EMFILE):
		return -1, Addr{}, syscall.EMFILE
	}
	return k.Kernel.Accept(fd)
}

// Connect that was interrupted goes on, and its registration tells of the end.
func (k *faultyKernel) Connect(fd int, addr Addr) syscall.Errno {
	if k.faults.happens(connects, k.faults.Refused) {
		return syscall.ECONNREFUSED
	}
	errno := k.Kernel.Connect(fd, addr)
	if errno == 0 && k.faults.happens(connects, k.faults.EINTR) {
		return syscall.EINPROGRESS
	}
	return errno
}

func (k *faultyKernel) Close(fd int) syscall.Errno {
	k.faults.mu.Lock()
	for _, p := range k.faults.pollers {
		p.forget(fd) // before the number is somebody else's
	}
	k.faults.mu.Unlock()
	return k.Kernel.Close(fd)
}
