// Package prefetch tells the processor which memory will be needed soon.
//
// Among a thousand connections, what one of them needs has left the caches since its last turn, and the kernel's work in between
// sees to that. Each line is then waited for, one after the other, and that costs more than a coroutine switch. A loop knows
// who is next, so it can have those lines fetched while it runs the one before.
//
// It is a hint. Nothing is read, an address that is wrong does no harm, and where there is no assembly for it nothing happens.
package prefetch

// Line is how many bytes one step fetches.
const Line = 64
