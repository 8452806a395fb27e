// Package loop is the turn of a callback loop: what is ready to run, timers, descriptors, and the
// door through which other goroutines hand in work.
//
// A [Core] knows callbacks. It uses coroutines for two things only: to ask whether the caller is on
// this loop, and to fetch the next one's memory ahead. It knows no tasks, no connections and no
// classic handlers. Package reactor gives a Core its life (run, stop, close), its guests (signals,
// processes, blocking work) and what looks at it (statistics, the watchdog), and is what users see.
//
// What the poller finds is delivered at once, to the handler of the descriptor. What that wakes is
// queued, and runs in the next turn.
//
// The other packages of this module reach the Core of a loop through one door, [From], and keep
// what it returns.
//
// # Files
//
//	core.go, context.go               the Core, and the door to it
//	turn.go, ready.go, priority.go    the turn, and the order of what is ready
//	steps.go                          turns one by one, for a simulation
//	door.go                           work from other goroutines
//	timer.go, every.go, deadline.go   one timer and its three uses; timerheap.go, daytime.go
//	source.go, poll.go, pollfault.go  descriptors, the poller, and a poller that fails
//	moment.go                         what is run at a point of the turn, or when Close begins
//	life.go, local.go                 who runs a loop, holds it, and keeps values for it
//	observer.go, step.go, site.go     observers, and the names of what they are told
package loop
