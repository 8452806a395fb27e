// Package future provides results that will be there later. It knows no loop: a future works in
// plain goroutines with no loop anywhere, and in the tasks and callbacks of any number of loops at
// once.
//
// A [Future] is the reading side, a [Promise] the writing side. The caller decides how the wait is
// done: [Future.Await] suspends the task that calls it, blocks the plain goroutine that calls it,
// and refuses to stop a loop's callback. The context only bounds the wait; it may be any context.
//
// A result stays: every Await of a completed future returns it, at once, also when its context is
// done.
//
// # Several at once
//
// Combinators are calls that wait, and return values. [All], [Any], [Race], [AllSettled] and
// [AsCompleted] end what they need no more: they cancel it and await its end, so nothing of it is
// running when they return. [Wait] cancels nobody, and what is given through [Keep] is not reached
// by a cancellation.
//
//	              completes with                        of none
//	All           all values, or the first error        an empty slice
//	AllSettled    all outcomes                          an empty slice
//	Any           the first value, or all errors        ErrNone
//	Race          the first outcome                     ErrNone
//	AsCompleted   one outcome after another             nothing
//	Wait          all, the first, or the first error    at once
//
// # One of another
//
// [Map], [Then], [Catch] and [Finally] make a future of a future, for code without a task; in a
// task, plain code after Await says the same. They may be chained to any length: what completes a
// chain runs it link by link, on one stack, and on a loop in portions.
package future
