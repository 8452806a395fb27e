package stream

import (
	"context"
	"fmt"
	"hash/fnv"
	"sync/atomic"

	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/task"
)

// Balance is how a Server with a Group picks the loop for a new connection: one of the constants
// below. A connection stays where it is. Loops that are closed are passed over; one that is stopped
// is not, since it may be run again.
type Balance int

const (
	// RoundRobin takes the loops in turn.
	RoundRobin Balance = iota
	// LeastConns takes the loop with the fewest open connections of any kind, as StatsOf counts
	// them; of several, the next in turn. It is for connections of very different lengths.
	LeastConns
	// SourceHash takes the same loop for all connections from one IP address, so that what is kept
	// for a client needs no lock. If that loop is closed, it takes the next one. The clients of a
	// Unix socket have no address: they are spread by RoundRobin.
	SourceHash
)

// place is a loop that handlers of a server run on.
type place struct {
	loop     *reactor.Loop
	handlers *task.Group
	ctx      context.Context // of the handlers
}

func newPlace(ctx context.Context, loop *reactor.Loop) place {
	p := place{loop: loop}
	p.handlers, p.ctx = task.NewGroup(reactor.WithLoop(context.WithoutCancel(ctx), loop))
	return p
}

func (p *place) closed() bool { return p.loop.Context().Err() != nil }

// places are where the handlers of one call of Serve run.
type places struct {
	all  []place
	by   Balance
	next int

	waits     atomic.Int32 // for the handlers of which loop
	cancelled atomic.Bool
}

// places returns the loops of the server's Group, or without one just that of ctx.
func (s *Server) places(ctx context.Context) *places {
	if s.Balance < RoundRobin || s.Balance > SourceHash {
		panic(fmt.Sprintf("stream: a Server has Balance %d; use one of the constants, as RoundRobin", s.Balance))
	}
	loops := []*reactor.Loop{loopOf(ctx, "Serve")}
	if s.Group != nil {
		loops = s.Group.Loops()
	}
	ps := &places{by: s.Balance}
	for _, l := range loops {
		ps.all = append(ps.all, newPlace(ctx, l))
	}
	return ps
}

// pick chooses where the connection of a peer is served. If all loops are closed it is one of
// these.
func (ps *places) pick(peer addr) *place {
	first, at, least := ps.first(peer), -1, 0
	for n := range ps.all {
		i := (first + n) % len(ps.all)
		if ps.all[i].closed() {
			continue
		}
		load := 0
		if ps.by == LeastConns {
			load = StatsOf(ps.all[i].loop).Open
		}
		if at < 0 || load < least {
			at, least = i, load
		}
	}
	if at < 0 {
		return &ps.all[first]
	}
	ps.next = (at + 1) % len(ps.all)
	return &ps.all[at]
}

// first is where pick begins to look.
func (ps *places) first(peer addr) int {
	if ps.by != SourceHash || !peer.IP.IsValid() {
		return ps.next
	}
	ip := peer.IP.Addr().As16()
	h := fnv.New32a()
	h.Write(ip[:])
	return int(h.Sum32() % uint32(len(ps.all)))
}

// open reports whether there is a loop that is not closed.
func (ps *places) open() bool {
	for i := range ps.all {
		if !ps.all[i].closed() {
			return true
		}
	}
	return false
}

func (ps *places) cancel(cause error) {
	ps.cancelled.Store(true)
	for i := range ps.all {
		ps.all[i].handlers.Cancel(cause)
	}
}

func (ps *places) wait() {
	for i := range ps.all {
		ps.waits.Store(int32(i))
		ps.all[i].handlers.Wait()
	}
}

// warn logs whom wait waits for, once that should be over: handlers that mind no context, or whose
// loop was stopped.
func (ps *places) warn(loop *reactor.Loop) {
	if ps.cancelled.Load() {
		coreOf(loop).Logger().Warn("stream: Serve is waiting for handlers whose contexts have ended", "loop", ps.waits.Load(), "loops", len(ps.all))
	}
}
