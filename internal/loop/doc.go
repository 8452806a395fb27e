// Package loop is the turn of a callback loop: what is ready to run, timers, descriptors, and the
// door through which other goroutines hand in work.
//
// A [Core] knows callbacks. It knows coroutines only as far as it must ask "am I inside?" and fetch
// a stack ahead of its turn. It knows no tasks, no connections and no classic handlers. Package
// reactor gives a Core its life (run, stop, close), its guests (signals, processes, blocking work)
// and its looks (statistics, the watchdog), and is what users see.
//
// The other packages of this module reach the Core of a loop through one door, [From], and keep
// what it returns.
//
// # Files
//
//	core.go, context.go               the Core, and the door to it
//	turn.go, ready.go, priority.go    the turn, and the order of what is ready
//	single.go                         turns one by one, for a simulation
//	door.go                           work from other goroutines
//	timer.go, every.go, deadline.go   one timer and its three uses; timerheap.go, daytime.go
//	source.go, poll.go, pollfault.go  descriptors, the poller, and a poller that fails
//	moment.go                         what is run at a point of the turn, or when Close begins
//	life.go, local.go                 who runs a loop, holds it, and keeps values for it
//	observer.go, step.go, site.go     who is told what the loop does, and how that is named
package loop
