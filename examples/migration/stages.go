package main

import (
	"context"
	"errors"
	"time"

	"github.com/corobridge/corobridge/compat"
	"github.com/corobridge/corobridge/compat/asyncore"
	"github.com/corobridge/corobridge/reactor"
	"github.com/corobridge/corobridge/stream"
	"github.com/corobridge/corobridge/task"
)

// counts are the library's own, for one stage.
type counts struct {
	accepted, handOvers, callbacks, steps uint64
}

// server is a running stage: its address, its counts, and how to stop it.
type server struct {
	address string
	counts  func() counts
	stop    func() error
}

// stage is one step of the migration.
type stage struct {
	name  string
	code  []string // the functions of the handler
	moves bool     // its connections are handed over
	start func(address string) (*server, error)
	// How often classic callbacks, and steps of tasks, must have happened.
	callbacks, steps expectation
}

type expectation int

const (
	never     expectation = iota
	sometimes             // at least once
	often                 // at least once for each connection
)

var (
	classicCode = []string{"newLineHandler", "CollectIncomingData", "FoundTerminator"}
	movingCode  = append([]string{"serve", "giveBack", "takeAtHalfALine"}, classicCode...)
)

var stages = []stage{
	{name: "1 classic handler, classic loop", code: classicCode, callbacks: often, start: startClassic},
	{name: "2 same handler, beside tasks", code: classicCode, callbacks: often, steps: sometimes, start: startShared},
	{name: "3 connections handed over", code: movingCode, moves: true, callbacks: often, steps: often, start: startMoving},
	{name: "4 native awaitable code", code: []string{"native", "serve"}, steps: often, start: startNative},
}

// startClassic serves on the classic loop, which runs nothing else.
func startClassic(address string) (*server, error) {
	m := asyncore.NewMap()
	loop, err := m.Loop()
	if err != nil {
		return nil, err
	}
	s, err := newClassicServer(m, address)
	if err != nil {
		asyncore.CloseAll(m, true) // frees its loop
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- asyncore.Loop(m) }()
	return &server{
		address: s.Addr().String(),
		counts:  func() counts { return count(loop, m) },
		stop: func() error {
			loop.CallSoon(func() { asyncore.CloseAll(m, true) }) // so the loop ends
			return <-ended
		},
	}, nil
}

// startShared serves with a classic listener, on a loop that runs tasks too.
func startShared(address string) (*server, error) {
	return startLoop(func(ctx context.Context, ready func(*server)) error {
		loop, _ := reactor.FromContext(ctx)
		m := asyncore.On(loop)
		s, err := newClassicServer(m, address)
		if err != nil {
			return err
		}
		defer asyncore.CloseAll(m, true)
		ready(&server{address: s.Addr().String(), counts: func() counts { return count(loop, m) }})
		for task.Sleep(ctx, time.Millisecond) == nil { // some task beside it
		}
		return nil
	})
}

// startMoving serves each connection with the classic handler, which hands it over in the middle.
func startMoving(address string) (*server, error) {
	return startStream(address, func(loop *reactor.Loop) (stream.Handler, *asyncore.Map) {
		return compat.Handle(newLineHandler), compat.Map(loop)
	})
}

// startNative serves with tasks alone.
func startNative(address string) (*server, error) {
	return startStream(address, func(*reactor.Loop) (stream.Handler, *asyncore.Map) { return native, nil })
}

func startStream(address string, handler func(*reactor.Loop) (stream.Handler, *asyncore.Map)) (*server, error) {
	return startLoop(func(ctx context.Context, ready func(*server)) error {
		loop, _ := reactor.FromContext(ctx)
		l, err := stream.Listen(ctx, "tcp", address)
		if err != nil {
			return err
		}
		h, m := handler(loop)
		ready(&server{address: l.Addr().String(), counts: func() counts { return count(loop, m) }})
		return (&stream.Server{Handler: h, Grace: time.Second}).Serve(ctx, l)
	})
}

// startLoop runs main on a loop of its own in the background, until the server is stopped. main
// calls ready once it serves.
func startLoop(main func(ctx context.Context, ready func(*server)) error) (*server, error) {
	loop, err := reactor.New()
	if err != nil {
		return nil, err
	}
	if err := loop.Start(); err != nil {
		return nil, err
	}
	started := make(chan *server, 1)
	t := task.Spawn(loop.Context(), func(ctx context.Context) error {
		return main(ctx, func(s *server) { started <- s })
	})
	stop := func() error {
		t.Cancel(nil)
		_, err := t.Await(context.Background())
		return errors.Join(err, loop.Close())
	}
	select {
	case s := <-started:
		s.stop = stop
		return s, nil
	case <-t.Done():
		return nil, stop()
	}
}

// count reads the library's counts. It does so on the loop, where the classic counts may be read.
func count(loop *reactor.Loop, m *asyncore.Map) counts {
	counted := make(chan counts, 1)
	err := loop.CallSoon(func() {
		s, _ := loop.Stats(context.Background()) // on the loop it answers at once
		c := counts{accepted: stream.StatsOf(loop).Accepted, steps: s.TaskSteps}
		if m != nil {
			s := m.Stats()
			c.callbacks, c.handOvers = s.Callbacks, s.HandOvers
		}
		counted <- c
	})
	if err != nil {
		return counts{}
	}
	select {
	case c := <-counted:
		return c
	case <-loop.Done(): // the server has failed, and its counts are gone; check will say so
		return counts{}
	}
}
