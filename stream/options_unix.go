//go:build unix

package stream

import "golang.org/x/sys/unix"

const (
	soError     = unix.SO_ERROR
	soReusePort = unix.SO_REUSEPORT
)
