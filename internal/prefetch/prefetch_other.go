//go:build !((amd64 || arm64) && gc && !purego && !tinygo)

package prefetch

// Lines hints that n lines from address on will be needed: not here.
func Lines(address uintptr, n int) {}
