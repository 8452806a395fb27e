//go:build unix

package stream

import "golang.org/x/sys/unix"

const soReusePort = unix.SO_REUSEPORT
