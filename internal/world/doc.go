// Package world is everything that a loop touches outside its own memory: clock, system calls,
// poller, names, processes, signals, goroutines, and the choice of what runs next.
//
// World is one interface, so that one value replaces all of it. System is the world of production.
// A World that changes a few methods embeds another World and overrides those: the fault layer
// (Faults.Around) is made that way, and so are the worlds of tests (package worldtest). A
// simulation is a World that implements every method. A loop gets it by reactor.WithWorld; its
// Chooser picks what runs next, and loop.Core's Steps drives it turn by turn. Above this package
// the code is the same in all of them.
package world
