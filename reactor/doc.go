// Package reactor is the callback loop that everything else stands on: a ready queue, timers,
// readiness of descriptors, and a bounded pool of goroutines for what blocks.
//
// A [Loop] runs one callback at a time, on one goroutine, so callbacks of one loop share state
// without locks. Every method may be called from any goroutine. On the loop, a call is an append to
// a queue. From elsewhere it goes through one door, which wakes the loop at most once, however many
// calls come.
//
// [Loop.Run] runs a loop on the calling goroutine, [Loop.Start] on one of its own, and [Loop.Close]
// cancels and unwinds everything that was started on it before it returns.
//
// The turn itself is in internal/loop. Here are a loop's life, signals, processes, offloaded work,
// statistics and the watchdog, and groups of loops.
//
// Most programs do not use this package by itself: task.Run makes a loop and closes it.
package reactor
