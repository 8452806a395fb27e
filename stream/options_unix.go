//go:build unix

package stream

import "golang.org/x/sys/unix"

const (
	soRcvBuf     = unix.SO_RCVBUF
	soSndBuf     = unix.SO_SNDBUF
	soKeepAlive  = unix.SO_KEEPALIVE
	soAcceptConn = unix.SO_ACCEPTCONN
	soError      = unix.SO_ERROR
	soReuseAddr  = unix.SO_REUSEADDR
	soReusePort  = unix.SO_REUSEPORT
)
