//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package world

import (
	"syscall"
	"time"
)

// system is this machine. A file for each family of systems has its calls.
type system struct{ start time.Time }

func newSystem() *system { return &system{time.Now()} }

func (*system) Unlink(path string) syscall.Errno { return errnoOf(syscall.Unlink(path)) }
