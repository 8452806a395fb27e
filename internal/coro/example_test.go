package coro_test

import (
	"context"
	"fmt"

	"github.com/corobridge/corobridge/internal/coro"
)

// greeting is a job that suspends once.
type greeting struct{ pool *coro.Pool }

func (g *greeting) Do() {
	fmt.Println("hello")
	g.pool.Running().Suspend()
	fmt.Println("hello again")
}
func (g *greeting) Failed(err error)            { fmt.Println("failed:", err) }
func (g *greeting) Covers(context.Context) bool { return false }

// A pool runs a job until it suspends; whoever resumes its coroutine goes on with it.
func ExamplePool() {
	var p coro.Pool
	p.Init(nil, nil, nil, func() {}) // nobody is queued here
	defer p.Enter()()
	g := &greeting{&p}
	p.Take(g).Run()
	fmt.Println("meanwhile")
	p.Running().Run()
	p.Drain()
	// Output:
	// hello
	// meanwhile
	// hello again
}
