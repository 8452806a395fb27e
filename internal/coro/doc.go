// Package coro holds pooled coroutines over iter.Pull, and the one answer to "who runs here?".
//
// It is a leaf: it knows goroutines, coroutines and contexts, and no loop, future or task. Three
// things are in it:
//
//   - A [Coro] runs one [Job] after another; a [Pool] makes, reuses and ends them for one loop. All of a pool's
//     coroutines are resumed by the goroutine that runs the loop, so at most one of them runs at a time.
//   - The registry maps a goroutine to the coroutine, or the loop, that it is. [Here] asks it.
//   - A [Waiter] suspends whoever asked: a coroutine, or a plain goroutine. Everything in this module that waits (futures,
//     groups, sleeps, streams) waits through one, so that the rules of waiting are written once.
//
// # The life of a wait
//
// What is awaited has a mutex and a list of waiters. The one who waits calls Here, enlists the
// Waiter under that mutex unless there is nothing left to wait for, and calls Wait. Whoever
// completes the thing claims each waiter while it still holds the mutex, and wakes the claimed
// ones after the unlock. A wait that ended by its context was claimed by the canceller; it takes
// itself off the list, under the same mutex, before it waits for anything else. So each wait is
// ended by exactly one side, and no completer can hit a later wait of the same waiter.
package coro
