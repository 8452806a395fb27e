//go:build gc && !purego && !tinygo && (386 || amd64 || arm || arm64 || loong64 || ppc64 || ppc64le || riscv64 || s390x || wasm)

package gid

// Self returns the identity of the calling goroutine. It may be called anywhere, allocates
// nothing, and costs about as much as a function call.
//
//go:noescape
func Self() ID
