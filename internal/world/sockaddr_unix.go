//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd

package world

import "syscall"

// Package syscall takes abstract names that fill the whole of sun_path, and x/sys/unix does not.
type (
	sockaddr      = syscall.Sockaddr
	sockaddrInet4 = syscall.SockaddrInet4
	sockaddrInet6 = syscall.SockaddrInet6
	sockaddrUnix  = syscall.SockaddrUnix
)
