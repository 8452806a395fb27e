// Package prefetch tells the processor which memory will be needed soon.
//
// When a thousand connections take turns, the memory that one of them needs has left the caches
// since its last turn: the kernel's work in between has pushed it out. The processor then waits for
// one cache line after the other, and that costs more than a coroutine switch. A loop knows which
// connection is next, so it can have those lines fetched while it runs the one before.
//
// Packages loop and coro use it. It is a hint: nothing is read, and a wrong address does no harm.
// On a processor without assembly here, nothing happens.
package prefetch

// Line is how many bytes one step fetches.
const Line = 64
