//go:build !(linux || freebsd || netbsd || dragonfly || darwin || windows)

package stream

// The options of TCP that say when to probe a peer. A negative one is not there.
const (
	tcpKeepIdle     = -1
	tcpKeepInterval = -1
	tcpKeepCount    = -1
)
