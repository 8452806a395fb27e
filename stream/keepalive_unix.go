//go:build linux || freebsd || netbsd || dragonfly

package stream

import "golang.org/x/sys/unix"

// The options of TCP that say when to probe a peer. A negative one is not there.
const (
	tcpKeepIdle     = unix.TCP_KEEPIDLE
	tcpKeepInterval = unix.TCP_KEEPINTVL
	tcpKeepCount    = unix.TCP_KEEPCNT
)
