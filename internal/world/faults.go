package world

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/corobridge/corobridge/internal/poll"
)

// Faults says how often a world does what it rarely does. Each rate is a probability, below 1.
//
// EAGAIN, Short, EINTR and Aborted must not be seen above the library, and EMFILE only as a delay.
// The others are errors that the library's callers see.
type Faults struct {
	EAGAIN  float64 // reads, writes and accepts find nothing, at first
	Short   float64 // reads and writes move a part
	EINTR   float64 // waits end early, connects go on by themselves
	Aborted float64 // accepts fail with ECONNABORTED
	EMFILE  float64 // accepts fail with EMFILE
	ENOBUFS float64 // writes fail with ENOBUFS
	Refused float64 // connects fail with ECONNREFUSED
	Seed    uint64  // the sequence of each kind of call depends on it alone
}

// FaultsVariable is the environment variable that gives faults to each World whose method Faults
// returns nil.
const FaultsVariable = "COROBRIDGE_FAULTS"

// withFaults returns w with the faults that w or the environment asks for.
func withFaults(w World) (World, error) {
	f := w.Faults()
	if spec := os.Getenv(FaultsVariable); f == nil && spec != "" {
		parsed, err := ParseFaults(spec)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", FaultsVariable, err)
		}
		f = &parsed
	}
	if f == nil {
		return w, nil
	}
	return f.Around(w), nil
}

// ParseFaults reads what FaultsVariable holds: name=value, separated by commas, such as
// "eagain=0.3,short=0.5,seed=7". The names are eagain, short, eintr, econnaborted, emfile, enobufs,
// econnrefused and seed. What is not named is 0.
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
				return Faults{}, fmt.Errorf("world: faults %q: the seed must be a whole number: %w", spec, err)
			}
			f.Seed = seed
			continue
		}
		rate := rates[name]
		if rate == nil {
			return Faults{}, fmt.Errorf("world: faults %q: there is no fault %q", spec, name)
		}
		p, err := strconv.ParseFloat(value, 64)
		if err == nil && !(p >= 0 && p < 1) { // at 1 nothing would ever move; NaN is no rate
			err = errors.New("it is out of range")
		}
		if err != nil {
			return Faults{}, fmt.Errorf("world: faults %q: the rate of %s must be a number from 0 to below 1: %w", spec, name, err)
		}
		*rate = p
	}
	return f, nil
}

// Around returns w with the faults, or w itself if there are none.
func (f Faults) Around(w World) World {
	if f == (Faults{Seed: f.Seed}) {
		return w
	}
	faulty := &faultyWorld{World: w, faults: f}
	for kind := range faulty.dice {
		faulty.dice[kind] = rand.NewPCG(f.Seed, uint64(kind))
	}
	return faulty
}

// faultyWorld is a World whose calls fail now and then.
//
// It keeps the contracts of what it wraps. Above all, whoever has been told that a descriptor
// blocks, or has seen a transfer fall short, waits for the next edge. The kernel makes no edge for
// what was only pretended. So the poller owes a report of it, and delivers that in its next Wait.
type faultyWorld struct {
	World
	faults Faults

	mu      sync.Mutex
	dice    [callKinds]*rand.PCG
	pollers []*faultyPoller
}

// callKind is a kind of call. Each has a sequence of its own, which does not depend on how often
// calls of other kinds are made.
type callKind int

const (
	reads callKind = iota
	writes
	accepts
	connects
	waits
	callKinds
)

// happens rolls the dice of a kind of call.
func (w *faultyWorld) happens(kind callKind, rate float64) bool {
	if rate == 0 {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return rand.New(w.dice[kind]).Float64() < rate
}

// part returns how much of n bytes a transfer moves: often all, and often a single one.
func (w *faultyWorld) part(kind callKind, n int) int {
	if n <= 1 || !w.happens(kind, w.faults.Short) {
		return n
	}
	if w.happens(kind, 0.5) {
		return 1
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	return 1 + rand.New(w.dice[kind]).IntN(n-1)
}

// owe makes the pollers report a direction of fd that was only pretended to block.
func (w *faultyWorld) owe(fd int, dir poll.Events) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, p := range w.pollers {
		p.owe(fd, dir)
	}
}

// Unwrap returns the World below.
func (w *faultyWorld) Unwrap() World { return w.World }

func (w *faultyWorld) Read(fd int, p []byte) (int, syscall.Errno) {
	if len(p) == 0 {
		return 0, 0
	}
	if w.happens(reads, w.faults.EAGAIN) {
		w.owe(fd, poll.Readable)
		return 0, syscall.EAGAIN
	}
	whole := min(len(p), MaxTransfer)
	part := w.part(reads, whole)
	n, errno := w.World.Read(fd, p[:part])
	if n == part && part < whole {
		w.owe(fd, poll.Readable)
	}
	return n, errno
}

func (w *faultyWorld) Write(fd int, p []byte) (int, syscall.Errno) {
	if errno := w.refuse(fd, len(p)); errno != 0 {
		return 0, errno
	}
	whole := min(len(p), MaxTransfer)
	part := w.part(writes, whole)
	n, errno := w.World.Write(fd, p[:part])
	if n == part && part < whole {
		w.owe(fd, poll.Writable)
	}
	return n, errno
}

func (w *faultyWorld) Writev(fd int, bufs [][]byte) (int, syscall.Errno) {
	whole := 0
	for _, b := range bufs {
		whole += len(b)
	}
	if errno := w.refuse(fd, whole); errno != 0 {
		return 0, errno
	}
	part := w.part(writes, whole)
	if part == whole {
		return w.World.Writev(fd, bufs)
	}
	var some [][]byte
	for left := part; left > 0; bufs = bufs[1:] {
		b := bufs[0][:min(left, len(bufs[0]))]
		some = append(some, b)
		left -= len(b)
	}
	n, errno := w.World.Writev(fd, some)
	if errno == 0 {
		w.owe(fd, poll.Writable)
	}
	return n, errno
}

// refuse returns why n bytes are not written at all, 0 if they are.
func (w *faultyWorld) refuse(fd, n int) syscall.Errno {
	switch {
	case n == 0:
		return 0
	case w.happens(writes, w.faults.EAGAIN):
		w.owe(fd, poll.Writable)
		return syscall.EAGAIN
	case w.happens(writes, w.faults.ENOBUFS):
		return syscall.ENOBUFS
	}
	return 0
}

func (w *faultyWorld) Accept(fd int) (int, Addr, syscall.Errno) {
	switch {
	case w.happens(accepts, w.faults.EAGAIN):
		w.owe(fd, poll.Readable)
		return -1, Addr{}, syscall.EAGAIN
	case w.happens(accepts, w.faults.Aborted):
		return -1, Addr{}, syscall.ECONNABORTED
	case w.happens(accepts, w.faults.EMFILE):
		return -1, Addr{}, syscall.EMFILE
	}
	return w.World.Accept(fd)
}

// Connect, when interrupted, goes on by itself, and its registration tells of the end.
func (w *faultyWorld) Connect(fd int, addr Addr) syscall.Errno {
	if w.happens(connects, w.faults.Refused) {
		return syscall.ECONNREFUSED
	}
	errno := w.World.Connect(fd, addr)
	if errno == 0 && w.happens(connects, w.faults.EINTR) {
		return syscall.EINPROGRESS
	}
	return errno
}

func (w *faultyWorld) Close(fd int) syscall.Errno {
	w.mu.Lock()
	for _, p := range w.pollers {
		p.forget(fd) // before the number is somebody else's
	}
	w.mu.Unlock()
	return w.World.Close(fd)
}

func (w *faultyWorld) OpenPoller(kind poll.Kind) (poll.Poller, error) {
	p, err := w.World.OpenPoller(kind)
	if err != nil {
		return nil, err
	}
	f := &faultyPoller{Poller: p, world: w, edges: map[int]edge{}, owed: map[int]poll.Events{}}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pollers = append(w.pollers, f)
	return f, nil
}

// drop forgets a poller that closes.
func (w *faultyWorld) drop(p *faultyPoller) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pollers = slices.DeleteFunc(w.pollers, func(q *faultyPoller) bool { return q == p })
}
