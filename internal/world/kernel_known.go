//go:build linux || darwin || dragonfly || freebsd || netbsd || openbsd || windows

package world

import (
	"os"
	"syscall"
	"time"
)

// system is this machine. A file for each family of systems has its calls.
type system struct {
	start   time.Time
	lookups chan struct{} // holds one for each that is under way
}

func newSystem() *system {
	return &system{start: time.Now(), lookups: make(chan struct{}, lookupsAtOnce)}
}

func supported() error { return nil }

func (*system) FileAt(path string) File {
	info, err := os.Lstat(path)
	if err != nil {
		return File{}
	}
	return File{info}
}

func (*system) Unlink(path string) syscall.Errno { return errnoOf(syscall.Unlink(path)) }
