//go:build !(amd64 && gc && !purego && !tinygo)

package coro

func prefetch(gp, sp uintptr) {}
