//go:build amd64 && gc && !purego && !tinygo

package coro

// prefetch tells the processor that the memory at gp and around sp will be needed soon. It is a hint: nothing is read, and
// an address that has become wrong does no harm.
//
//go:noescape
func prefetch(gp, sp uintptr)
