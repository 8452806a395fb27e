// Package gid tells which goroutine is calling.
//
// # Why
//
// Await has no colour: the same call suspends a task on its loop, blocks a plain goroutine, and in
// a loop's callback panics instead of stopping the loop for ever. Something must tell the three
// apart at the moment of the call.
//
// A context can't. It goes wherever its owner passes it: a library that works under
// context.Background, or a closure that kept an outer context, is still inside its task and must
// suspend it; a goroutine that a task started with the task's own context is outside, and
// switching coroutines there would corrupt memory. Only the goroutine that makes the call tells
// where the call is made, and Go offers no way to ask for it. So this package answers that one
// question, and package coro keeps the table from the answer to a loop and a coroutine.
//
// # How
//
// The runtime keeps a descriptor for each goroutine (a "g") and, while the goroutine runs, its
// address in a fixed place: a register, on x86 a thread-local word. Self reads that word. The
// descriptor never moves, whatever happens to the goroutine's stack, to the thread or to the
// processor under it, and a coroutine (iter.Pull) has a descriptor of its own, whoever resumes it.
// Nothing is assumed about what a descriptor contains, so there is no offset that a new Go release
// could shift. The names used, g and TLS, are the assembler's documented ones.
//
// Where no assembly is at hand (another architecture or compiler, or the build tag purego), Self
// takes the goroutine's number out of the heading of its stack trace: a thousand times slower,
// otherwise the same. The tests hold the two against each other.
//
// Rejected: pprof labels as goroutine-local storage (go:linkname, inherited by new goroutines,
// overwritten by profilers), and reading the number inside the descriptor (never reused, but its
// offset changes between releases).
package gid

// ID is a goroutine's identity: the address of its descriptor, or its number where the address
// can't be had. It is compared, never followed, and is not zero for any goroutine, so a zero ID
// can stand for "none".
//
// It is unique among the goroutines alive, and reused after the goroutine ends, often by the very
// next one to start. Whoever stores an ID must therefore forget it before its goroutine ends, in a
// defer, so that a panic and runtime.Goexit are covered too.
type ID uintptr
