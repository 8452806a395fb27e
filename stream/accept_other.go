//go:build !linux

package stream

import "syscall"

// noNetwork is an error of a new connection that only Linux has. No system call returns this one.
const noNetwork = ^syscall.Errno(0)

// inherits says that an accepted socket surely has the listener's options.
const inherits = false
