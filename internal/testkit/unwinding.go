package testkit

import (
	"runtime"
	"strings"
	"sync"
)

// Unwinding is a function that ends in a way of its own: it takes steps in nested deferred calls,
// the first one in its body.
type Unwinding struct {
	Name   string // the steps
	Panic  any    // what it ends with by panic; nil if that is recovered, or there was none
	Goexit bool   // whether it ends its goroutine

	steps []step
}

type step struct {
	name string
	do   func(await func())
}

// A panic has the name of its place, so that one is told from another.
var steps = []step{
	{"panic", nil},
	{"goexit", func(func()) { runtime.Goexit() }},
	{"await", func(await func()) { await() }},
	{"recover", nil},
}

// Unwindings returns every sequence of one to three steps: panic, goexit, await and recover; and of
// four those that begin with a panic or a goexit. What each comes to was seen in a goroutine.
func Unwindings() []Unwinding {
	var all []Unwinding
	longer := [][]step{nil}
	for n := 1; n <= 4; n++ {
		var next [][]step
		for _, s := range longer {
			for _, last := range steps {
				if len(s) == 0 && last.name == "recover" || n == 4 && s[0].name == "await" {
					continue
				}
				next = append(next, append(s[:len(s):len(s)], last))
			}
		}
		for _, s := range next {
			all = append(all, seen(s))
		}
		longer = next
	}
	return all
}

// seen tells what a sequence comes to.
func seen(s []step) Unwinding {
	var names []string
	for _, step := range s {
		names = append(names, step.name)
	}
	u := Unwinding{Name: strings.Join(names, ","), Goexit: true, steps: s}
	var over sync.WaitGroup
	over.Go(func() {
		func() {
			defer func() { u.Panic = recover() }()
			u.Run(func() {})
		}()
		u.Goexit = false // or else this line is not reached
	})
	over.Wait()
	return u
}

// Run takes the steps. await is what to do for an await.
func (u Unwinding) Run(await func()) { u.from(0, await) }

func (u Unwinding) from(i int, await func()) {
	if i+1 < len(u.steps) {
		defer u.deferred(i+1, await)
	}
	u.take(i, await)
}

// deferred is a step that a deferred call takes, which alone can recover.
func (u Unwinding) deferred(i int, await func()) {
	if i+1 < len(u.steps) {
		defer u.deferred(i+1, await)
	}
	if u.steps[i].name == "recover" {
		recover()
		return
	}
	u.take(i, await)
}

func (u Unwinding) take(i int, await func()) {
	if u.steps[i].name == "panic" {
		panic(i + 1)
	}
	u.steps[i].do(await)
}
