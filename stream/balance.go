package stream

import (
	"context"
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

// crew is the handlers of a server that run on one loop.
type crew struct {
	loop     *reactor.Loop
	handlers *task.Group
	ctx      context.Context // of the handlers
}

func newCrew(ctx context.Context, loop *reactor.Loop) crew {
	c := crew{loop: loop}
	c.handlers, c.ctx = task.NewGroup(reactor.WithLoop(context.WithoutCancel(ctx), loop))
	return c
}

func (c *crew) closed() bool { return c.loop.Context().Err() != nil }

// crews are the handlers of one call of Serve.
type crews struct {
	all  []crew
	by   Balance
	next int

	stop      context.CancelCauseFunc // tells Idle that the server begins to stop
	waits     atomic.Int32            // for the handlers of which loop
	cancelled atomic.Bool
}

// crews returns one for each loop of the server's Group; without a Group, one for the loop of ctx.
func (s *Server) crews(ctx context.Context) *crews {
	loops := []*reactor.Loop{loopOf(ctx, "Serve")}
	if s.Group != nil {
		loops = s.Group.Loops()
	}
	stopping, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	ctx = context.WithValue(ctx, stoppingKey{}, stopping)
	cs := &crews{by: s.Balance, stop: stop}
	for _, l := range loops {
		cs.all = append(cs.all, newCrew(ctx, l))
	}
	return cs
}

// pick chooses who serves the connection of a peer. If all loops are closed it is one of their
// crews.
func (cs *crews) pick(peer addr) *crew {
	first, at, least := cs.first(peer), -1, 0
	for n := range cs.all {
		i := (first + n) % len(cs.all)
		if cs.all[i].closed() {
			continue
		}
		load := 0
		if cs.by == LeastConns {
			load = StatsOf(cs.all[i].loop).Open
		}
		if at < 0 || load < least {
			at, least = i, load
		}
	}
	if at < 0 {
		return &cs.all[first]
	}
	cs.next = (at + 1) % len(cs.all)
	return &cs.all[at]
}

// first is where pick begins to look.
func (cs *crews) first(peer addr) int {
	if cs.by != SourceHash || !peer.IP.IsValid() {
		return cs.next
	}
	ip := peer.IP.Addr().As16()
	h := fnv.New32a()
	h.Write(ip[:])
	return int(h.Sum32() % uint32(len(cs.all)))
}

// open reports whether there is a loop that is not closed.
func (cs *crews) open() bool {
	for i := range cs.all {
		if !cs.all[i].closed() {
			return true
		}
	}
	return false
}

func (cs *crews) cancel(cause error) {
	cs.cancelled.Store(true)
	for i := range cs.all {
		cs.all[i].handlers.Cancel(cause)
	}
}

func (cs *crews) wait() {
	for i := range cs.all {
		cs.waits.Store(int32(i))
		cs.all[i].handlers.Wait()
	}
}

// warn logs whom wait waits for, once that should be over: handlers that mind no context, or whose
// loop was stopped.
func (cs *crews) warn(loop *reactor.Loop) {
	if cs.cancelled.Load() {
		coreOf(loop).Logger().Warn("stream: Serve is waiting for handlers whose contexts have ended", "loop", cs.waits.Load(), "loops", len(cs.all))
	}
}
