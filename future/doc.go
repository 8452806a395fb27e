// Package future provides results that will be there later. It knows no loop: a future works in plain goroutines with no loop
// anywhere, and in the tasks and callbacks of any number of loops at once.
//
// A [Future] is the reading side, a [Promise] the writing side. Who awaits decides how the wait is done: [Future.Await]
// suspends the task that calls it, blocks the plain goroutine that calls it, and refuses to stop a loop's callback. The
// context only bounds the wait; it may be any context.
//
// A result stays: every Await of a completed future returns it, at once, also when its context is done.
package future
