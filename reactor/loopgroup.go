package reactor

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/corobridge/corobridge/internal/coro"
)

// LoopGroup is several loops that are run, stopped and closed as one, so that a program uses more
// than one processor. Make one with NewGroup.
//
// Its loops are ordinary ones: each runs one callback at a time, and what belongs to different
// loops runs at the same time. A loop that is stopped or closed by itself is left out from then on,
// and the others go on. The methods may be called from any goroutine unless they say otherwise.
type LoopGroup struct{ loops []*Loop }

// NewGroup makes a group of n loops, each with opts; for n = 0, of one for each processor that Go
// uses, runtime.GOMAXPROCS(0). If a loop can't be made, those made before are closed, and the error
// is the one that New returned. NewGroup panics if n is negative.
func NewGroup(n int, opts ...Option) (*LoopGroup, error) {
	if n < 0 {
		panic(fmt.Sprintf("reactor: NewGroup(%d): give the number of loops, or 0 for one for each processor", n))
	}
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	g := &LoopGroup{}
	for range n {
		l, err := New(opts...)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reactor: new group, loop %d of %d: %w", len(g.loops)+1, n, err), g.Close())
		}
		g.loops = append(g.loops, l)
	}
	return g, nil
}

func (g *LoopGroup) mustBeMade() {
	if len(g.loops) == 0 {
		panic("reactor: the zero LoopGroup was used; make the group with reactor.NewGroup")
	}
}

// Loops returns the loops, always in the same order.
func (g *LoopGroup) Loops() []*Loop { return slices.Clone(g.loops) }

// Run runs the first loop on the calling goroutine and the others as Start does, and returns when
// none runs any more. It returns nil after Stop, ErrClosed when all loops are closed, and the cause
// of ctx after its end. What is queued then stays queued for the next run.
//
// A runtime.Goexit on the first loop, as testing's FailNow, closes the group, and then Run calls
// runtime.Goexit itself. On another loop it ends the callback or task that called it, as after
// Start.
//
// Run panics when a loop is running already, when the caller runs on a loop itself, or for the zero
// LoopGroup.
func (g *LoopGroup) Run(ctx context.Context) error {
	g.mustBeMade()
	coro.MustNotNest()
	here := slices.IndexFunc(g.loops, func(l *Loop) bool { return !l.core.Closing() })
	if here < 0 {
		return ErrClosed
	}
	var others sync.WaitGroup
	returned := false
	defer func() {
		if !returned {
			throwOn(recover())
			defer others.Wait()
			g.Close()
		}
	}()
	for _, l := range g.loops[here+1:] {
		others.Add(1)
		if l.start(others.Done) != nil {
			others.Done()
			continue
		}
		defer l.stopWith(ctx)()
	}
	err := g.loops[here].Run(ctx)
	others.Wait()
	returned = true
	if errors.Is(err, ErrClosed) && !g.isClosed() { // that one only
		err = nil
		if ctx.Err() != nil {
			err = coro.Cause(ctx)
		}
	}
	return err
}

func (g *LoopGroup) isClosed() bool {
	return !slices.ContainsFunc(g.loops, func(l *Loop) bool { return !l.core.Closed() })
}

// Start runs each loop on a goroutine of its own, as Loop.Start does, until Stop or Close. It
// returns ErrClosed when all loops are closed, and panics when one is running already, or for the
// zero LoopGroup.
func (g *LoopGroup) Start() error {
	g.mustBeMade()
	err := ErrClosed
	for _, l := range g.loops {
		if l.Start() == nil {
			err = nil
		}
	}
	return err
}

// Stop stops each loop, as Loop.Stop does: Run returns.
func (g *LoopGroup) Stop() {
	for _, l := range g.loops {
		l.Stop()
	}
}

// Close closes the loops, as Loop.Close does: all begin to close at once, and go on running until
// each has ended, so that the tasks of one may still wait for those of another. The error joins
// those of the loops.
//
// On one of the loops, and in Stalled of an Observer of one, it only begins that, and returns nil.
// On a loop that is not of the group, call it through task.Blocking. Of the loops that nobody runs,
// the first is closed on the calling goroutine.
func (g *LoopGroup) Close() error {
	var idle []*Loop
	within := false
	for _, l := range g.loops {
		if l.core.BeginClosing() {
			idle = append(idle, l)
		}
		within = within || l.within()
	}
	var here *Loop
	if len(idle) > 0 && !within && coro.CurrentPool() == nil {
		here, idle = idle[0], idle[1:]
	}
	for _, l := range idle {
		l.core.World().Go(l.closeAlone) // they may wait for each other
	}
	if within {
		return nil
	}
	return g.closed(here)
}

// closed waits for the end of all loops, also if a runtime.Goexit breaks it off. It closes the loop
// here by itself, unless that is nil.
func (g *LoopGroup) closed(here *Loop) (err error) {
	defer func() {
		for _, l := range g.loops {
			<-l.done
			err = errors.Join(err, l.failed)
		}
	}()
	if here != nil {
		here.closeAlone()
	}
	return nil
}
