// Package coro holds pooled coroutines over iter.Pull, and tells which coroutine or loop the
// calling goroutine is. It imports only gid and prefetch.
//
//   - A [Coro] runs one [Job] after another; a [Pool] makes, reuses and ends them for one loop.
//     All of a pool's coroutines are resumed by the goroutine that runs the loop, so at most one of
//     them runs at a time.
//   - The registry maps a goroutine to the coroutine that it is, or to the loop that it drives.
//     [Who] asks it.
//   - A [Waiter] suspends its caller: a coroutine, or a plain goroutine. What several can wait for
//     has a [Line] of them. Everything in this module that waits (futures, locks, groups, sleeps,
//     streams) waits through these, so the rules of waiting are written once, with Line.
//   - The [Ledger] of a pool keeps errors that nobody has been given yet. The loop's exception
//     handler is told of them.
//
// # Files
//
//	coro.go, pool.go, before.go, panic.go  coroutines, and how they end
//	registry.go, outside.go                who runs here, and goroutines that a loop starts
//	line.go, waiter.go, watch.go           waiting, and contexts that end it
//	inline.go, budget.go                   calls in a row, and others' turn
//	lost.go                                the ledger of lost errors
//	look.go, tree.go                       what package task/inspect may ask
package coro
