// Package inspect looks at the tasks of a loop: which there are, what each of them waits for, where
// it was started, and which of them wait for each other in a circle.
//
// [WriteTree] is for people, [MarshalTree] for programs, [All] and [Current] for code that wants to
// cancel a task or to have its stack. In debug mode (see reactor.WithDebug) a loop reports each
// [DeadlockError] by itself, before it sleeps.
//
// It lies below package task, which calls it in debug mode. It knows tasks only as coro.Node and
// coro.Inspected.
//
// # Asking a loop
//
// All, Deadlocks, WriteTree and MarshalTree may be called from any goroutine. On the loop, and for
// a loop that nobody runs, they answer at once. Elsewhere they wait, as Await does, until the loop
// has done what it is at; if ctx ends first they return its cause. So a loop that is stalled gives
// no answer: give ctx a deadline that does not depend on that loop. A closed loop has no tasks.
package inspect
