//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package world

import "golang.org/x/sys/unix"

type (
	sockaddr      = unix.Sockaddr
	sockaddrInet4 = unix.SockaddrInet4
	sockaddrInet6 = unix.SockaddrInet6
	sockaddrUnix  = unix.SockaddrUnix
)
