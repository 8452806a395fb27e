// Package coro holds pooled coroutines over iter.Pull, and the one answer to "who runs here?".
//
// It is a leaf: it knows goroutines, coroutines and contexts, and no loop, future or task. Three
// things are in it:
//
//   - A [Coro] runs one [Job] after another; a [Pool] makes, reuses and ends them for one loop.
//     All of a pool's coroutines are resumed by the goroutine that runs the loop, so at most one of
//     them runs at a time.
//   - The registry maps a goroutine to the coroutine, or the loop, that it is. [Who] asks it.
//   - A [Waiter] suspends whoever asked: a coroutine, or a plain goroutine. What several can wait
//     for has a [Line] of them. Everything in this module that waits (futures, locks, groups,
//     sleeps, streams) waits through these, so the rules of waiting are written once, with Line.
package coro
