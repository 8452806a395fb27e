//go:build linux

package reactor_test

import (
	"context"
	"fmt"
	"time"

	"github.com/corobridge/corobridge/reactor"
)

func ExampleLoop_Every() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	ticks := 0
	var timer reactor.Timer
	timer = loop.Every(time.Millisecond, func() {
		ticks++
		fmt.Println("tick", ticks)
		if ticks == 3 {
			timer.Stop()
			loop.Stop()
		}
	})
	loop.Run(context.Background())
	// Output:
	// tick 1
	// tick 2
	// tick 3
}

// session ends when nothing has been asked of it for a while.
type session struct {
	loop *reactor.Loop
	idle reactor.Deadline
}

func (s *session) request() { s.idle.Extend(2 * time.Millisecond) } // costs no timer operation

// Run is called when the deadline has passed.
func (s *session) Run() {
	fmt.Println("idle for too long")
	s.loop.Stop()
}

func ExampleDeadline() {
	loop, err := reactor.New()
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	s := &session{loop: loop}
	s.idle.Init(loop, s)
	for range 1000 {
		s.request()
	}
	loop.Run(context.Background())
	// Output: idle for too long
}

// urgent and routine are entries of the ready queue, each with its class.
type urgent func()

func (f urgent) Run()       { f() }
func (f urgent) Class() int { return 0 }

type routine func()

func (f routine) Run()       { f() }
func (f routine) Class() int { return 1 }

func ExampleWithPriorities() {
	loop, err := reactor.New(reactor.WithPriorities(2, 10))
	if err != nil {
		panic(err)
	}
	defer loop.Close()
	core(loop).Post(routine(func() { fmt.Println("routine"); loop.Stop() }))
	core(loop).Post(urgent(func() { fmt.Println("urgent") }))
	loop.Run(context.Background())
	// Output:
	// urgent
	// routine
}
